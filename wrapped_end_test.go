package duet_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
)

// silence is how long a peer may be silent before a connection that cannot be half-closed is closed. [C-11]
const silence = 100 * time.Millisecond

// A distant connection in memory cannot be half-closed, and looks as if it came over a network.
type distant struct{ wrapped }

func (distant) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }
func (distant) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 2} }

// farOff returns a conversation over a distant connection, and its peer.
func farOff(d duet.Dialer) (*duet.Conn, net.Conn) {
	x, y := duettest.Pipe()
	return d.NewConn(distant{wrapped{x}}), y
}

// closing returns how long Close takes.
func closing(t *testing.T, c *duet.Conn) time.Duration {
	t.Helper()
	began := time.Now()
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	return time.Since(began)
}

// Without a half-close the peer cannot know that this side has finished. It is read until its end or until it is silent, within
// the bounds that hold for all.
func TestClose_C11_WithoutHalfClose(t *testing.T) {
	for _, test := range []struct {
		name string
		set  duet.Dialer
		peer func(p net.Conn)
		want time.Duration
	}{
		{"silent", duet.Dialer{}, func(net.Conn) {}, silence},
		{"has ended", duet.Dialer{}, func(p net.Conn) { p.Close() }, 0},
		{"ends meanwhile", duet.Dialer{}, func(p net.Conn) { time.Sleep(silence / 2); p.Close() }, silence / 2},
		{"ends after some words", duet.Dialer{}, func(p net.Conn) {
			for range 5 {
				io.WriteString(p, "still here\n")
				time.Sleep(silence / 2)
			}
			p.Close()
		}, 5 * silence / 2},
		{"falls silent after some words", duet.Dialer{}, func(p net.Conn) {
			for range 4 {
				time.Sleep(silence / 2)
				io.WriteString(p, "still here\n")
			}
		}, 3 * silence},
		{"talks on", duet.Dialer{}, func(p net.Conn) {
			for {
				if _, err := p.Write([]byte("x")); err != nil {
					return
				}
				time.Sleep(silence / 2)
			}
		}, duet.DefaultCloseTimeout},
		{"has little time", duet.Dialer{Options: duet.Options{CloseTimeout: silence / 4}}, func(net.Conn) {}, silence / 4},
		{"floods", duet.Dialer{}, func(p net.Conn) { io.Copy(p, zeros{}) }, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p := farOff(test.set)
				var wg sync.WaitGroup
				wg.Go(func() { test.peer(p) })
				if took := closing(t, c); !about(took, test.want) {
					t.Errorf("Close took %v, want %v", took, test.want)
				}
				wg.Wait()
				wantReason(t, c, duet.EndClosed)
			})
		})
	}
}

// The silence counts from the last send. A peer that reads late and sends nothing receives everything.
func TestClose_C11_SilenceCountsFromTheLastSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := farOff(duet.Dialer{})
		body := make([]byte, 4*duettest.DefaultBuffer)
		if err := c.Post(body); err != nil {
			t.Fatal(err)
		}
		read := make(chan int64)
		go func() {
			time.Sleep(5 * silence) // it reads nothing, and says nothing
			n, _ := io.Copy(io.Discard, p)
			read <- n
		}()
		if took := closing(t, c); !about(took, 6*silence) {
			t.Errorf("Close took %v, want %v", took, 6*silence)
		}
		if n := <-read; n != int64(len(body)+1) {
			t.Errorf("the peer has read %d bytes, want %d", n, len(body)+1)
		}
	})
}

// In memory a close destroys no bytes that the peer has not read, so it waits for nothing.
func TestClose_C11_NetPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := net.Pipe()
		c := new(duet.Dialer).NewConn(x)
		if took := closing(t, c); took != 0 {
			t.Errorf("Close took %v", took)
		}
		newPeer(t, y).wantEOF()
	})
}

// A wrapped connection is closed without the 2 s that a half-close would get.
func TestClose_C11_LimitListener(t *testing.T) {
	limited := network{name: "limited", listen: func(t *testing.T) (net.Listener, func() (net.Conn, error)) {
		l, dial := listenTCP(t)
		return limited{l, make(chan struct{}, 1)}, dial
	}}
	st := start(t, limited, &duet.Server{Greeting: "hi", Options: duet.Options{CloseTimeout: patience / 4}, Handler: duet.HandlerFunc(
		func(context.Context, *duet.Conn) error { return nil })})
	for range 3 { // the place of the one before is free
		p := st.peer(t)
		began := time.Now()
		p.want("hi\n")
		p.wantEOF()
		if took := time.Since(began); took >= patience/4 {
			t.Errorf("the end took %v", took)
		}
		st.wantEnd(t, duet.EndClosed)
		p.Close()
	}
}

// CloseWrite ends sending. The peer learns of it when the connection is closed, and is received from until then.
func TestCloseWrite_WithoutHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, y := farOff(duet.Dialer{})
		c.Post([]byte("question"))
		if err := c.CloseWrite(t.Context()); err != nil {
			t.Errorf("CloseWrite: %v", err)
		}
		wantErr(t, "Send", c.Send(t.Context(), nil), duet.ErrClosed)
		wantErr(t, "Post", c.Post(nil), duet.ErrClosed)
		p := newPeer(t, y)
		p.want("question\n")
		time.Sleep(time.Second)
		p.say("answer\n")
		wantReceive(t, c, "answer")
		c.Close()
		p.wantEOF()
		wantReason(t, c, duet.EndClosed)
	})
}

// When both sides have said the farewell neither waits for a FIN that cannot come.
func TestFarewell_C5_WithoutHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := duettest.Pipe()
		d := duet.Dialer{Options: duet.Options{Farewell: "bye", ShowFarewell: true}}
		a, b := d.NewConn(distant{wrapped{x}}), d.NewConn(distant{wrapped{y}})
		began := time.Now()
		var wg sync.WaitGroup
		for _, c := range []*duet.Conn{a, b} {
			wg.Go(func() {
				farewells := 0
				for m, err := range c.Messages(t.Context()) {
					if err != nil {
						t.Error(err)
					}
					if m.Farewell {
						farewells++
					}
				}
				c.Close()
				wantReason(t, c, duet.EndFarewell)
				if farewells != 1 {
					t.Errorf("received %d farewells", farewells)
				}
			})
		}
		if err := a.SayBye(t.Context()); err != nil {
			t.Errorf("SayBye: %v", err)
		}
		wg.Wait()
		if took := time.Since(began); took >= duet.DefaultCloseTimeout {
			t.Errorf("took %v", took)
		}
	})
}

// A limited listener is like netutil.LimitListener of golang.org/x/net: its connections have only the methods of net.Conn.
type limited struct {
	net.Listener
	places chan struct{}
}

func (l limited) Accept() (net.Conn, error) {
	l.places <- struct{}{}
	nc, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &limitedConn{Conn: nc, leave: func() { <-l.places }}, nil
}

type limitedConn struct {
	net.Conn
	once  sync.Once
	leave func()
}

func (c *limitedConn) Close() error {
	defer c.once.Do(c.leave)
	return c.Conn.Close()
}
