package duet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/framing"
)

func TestRaw(t *testing.T) {
	for _, test := range []struct {
		name    string
		ahead   string // said before Raw is called; its first line is received
		framing framing.Framing
		want    string
	}{
		{"nothing read ahead", "first\n", framing.LF, "rest"},
		{"whole and half messages read ahead", "first\nsecond\nthi", framing.LF, "second\nthirest"},
		{"messages as they came, also one that the framing would not send", "first\na\r\r\nb\r\n", framing.LF, "a\r\r\nb\r\nrest"},
		{"in a framing with a length", "\x00\x00\x00\x01a\x00\x00\x00\x01b\x00\x00", framing.Length, "\x00\x00\x00\x01b\x00\x00rest"},
	} {
		t.Run(test.name, func(t *testing.T) {
			overEach(t, func(t *testing.T, n network) {
				st := start(t, n, &duet.Server{Options: duet.Options{Framing: test.framing}, Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
					if _, err := c.Receive(ctx); err != nil {
						return err
					}
					c.Post([]byte("posted"))
					nc, err := c.Raw()
					if err != nil {
						return err
					}
					_, err = c.Raw()
					wantErr(t, "a second Raw", err, duet.ErrRaw)
					_, err = c.Receive(ctx)
					wantErr(t, "Receive", err, duet.ErrRaw)
					wantErr(t, "Send", c.Send(ctx, nil), duet.ErrRaw)
					wantErr(t, "Post", c.Post(nil), duet.ErrRaw)
					wantErr(t, "SayBye", c.SayBye(ctx), duet.ErrRaw)
					wantErr(t, "PostBye", c.PostBye(), duet.ErrRaw)
					wantErr(t, "CloseWrite", c.CloseWrite(ctx), duet.ErrRaw)
					b, err := io.ReadAll(nc)
					if string(b) != test.want || err != nil {
						t.Errorf("read %q, %v; want %q", b, err, test.want)
					}
					_, err = io.WriteString(nc, "raw answer")
					return err
				})})
				p := st.peer(t)
				p.say(test.ahead)
				if test.framing == framing.LF {
					p.want("posted\n")
				} else {
					p.want("\x00\x00\x00\x06posted")
				}
				p.say("rest")
				p.fin()
				p.want("raw answer")
				p.wantEOF()
				p.Close()
				st.wantEnd(t, duet.EndClosed)
			})
		})
	}
}

// Raw gets a Receive that waits in another goroutine out.
func TestRaw_WhileReceiving(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		x, y := connect(t, n)
		c := new(duet.Dialer).NewConn(x)
		p := newPeer(t, y)
		got := make(chan error, 1)
		go func() {
			_, err := c.Receive(context.Background())
			got <- err
		}()
		time.Sleep(5 * time.Millisecond) // most often it waits by then; either way is right
		nc, err := c.Raw()
		if err != nil {
			t.Fatal(err)
		}
		wantErr(t, "Receive", <-got, duet.ErrRaw)
		p.say("x")
		if _, err := io.ReadFull(nc, make([]byte, 1)); err != nil {
			t.Errorf("read: %v", err)
		}
		p.Close()
		c.Close()
		_, err = c.Raw()
		wantErr(t, "Raw after Close", err, duet.ErrRaw)
	})
}

func TestRaw_AfterClose(t *testing.T) {
	a, _ := two(t, tcp, duet.Dialer{Options: duet.Options{CloseTimeout: -1}})
	a.Close()
	_, err := a.Raw()
	wantErr(t, "Raw", err, duet.ErrClosed)
}

// Shutdown gets raw handlers out, whether they read or write.
func TestRaw_Shutdown(t *testing.T) {
	for name, wait := range map[string]func(nc net.Conn) error{
		"reading": func(nc net.Conn) error { _, err := io.Copy(io.Discard, nc); return err },
		"writing": func(nc net.Conn) error {
			for {
				if _, err := nc.Write(make([]byte, 1<<20)); err != nil {
					return err
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			overEach(t, func(t *testing.T, n network) {
				raw := make(chan struct{})
				st := start(t, n, &duet.Server{Options: duet.Options{CloseTimeout: 20 * time.Millisecond}, Handler: duet.HandlerFunc(func(_ context.Context, c *duet.Conn) error {
					nc, err := c.Raw()
					if err != nil {
						return err
					}
					close(raw)
					err = wait(nc)
					wantErr(t, name, err, os.ErrDeadlineExceeded)
					return err
				})})
				st.peer(t)
				<-raw
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				if err := st.Shutdown(ctx); err != nil {
					t.Errorf("Shutdown: %v", err)
				}
				st.wantEnd(t, duet.EndShutdown)
			})
		})
	}
}

// The trace sees what a raw handler does; the reason is the handler's to say.
func TestRaw_TraceAndReason(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		var said heard
		st := start(t, n, &duet.Server{
			Handler: duet.HandlerFunc(func(_ context.Context, c *duet.Conn) error {
				nc, err := c.Raw()
				if err != nil {
					return err
				}
				io.Copy(nc, nc)
				c.CountRaw(5, 5)
				if s := c.Stats(); s.BytesIn != 5 || s.BytesOut != 5 {
					t.Errorf("counted %+v", s)
				}
				nc.Read(make([]byte, 1)) // the end once more
				nc.(interface{ CloseWrite() error }).CloseWrite()
				return &duet.Error{Op: "pipe", Reason: duet.EndPeerClosed, Err: io.EOF}
			}),
			Options: duet.Options{Trace: &duet.Trace{
				Read: func(_ *duet.Conn, n int, err error) {
					if err == nil {
						said.add("read")
					} else if errors.Is(err, io.EOF) {
						said.add("fin")
					}
				},
				Wrote:      func(*duet.Conn, int, error) { said.add("wrote") },
				HalfClosed: func(*duet.Conn, error) { said.add("half-closed") },
			}},
		})
		p := st.peer(t)
		p.say("hello")
		p.want("hello")
		p.fin()
		p.wantEOF()
		st.wantEnd(t, duet.EndPeerClosed)
		want := "read|wrote|fin" // each once
		if n.halfCloses {
			want += "|half-closed"
		}
		if got := said.all(); got != want {
			t.Errorf("the trace saw %s, want %s", got, want)
		}
	})
}

// Whoever copies from a watched connection waits without a buffer: AwaitRead waits while nothing has come, up to the deadline, and for nothing
// where bytes were read ahead, have come, or the end has.
func TestRaw_AwaitRead(t *testing.T) {
	overSockets(t, func(t *testing.T, n network) {
		asked, answer := make(chan struct{}), make(chan error)
		st := start(t, n, &duet.Server{
			Options: duet.Options{
				Framing: framing.LF,
				Trace:   &duet.Trace{Read: func(*duet.Conn, int, error) {}},
			},
			Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
				if _, err := c.Receive(ctx); err != nil {
					return err
				}
				nc, err := c.Raw()
				if err != nil {
					return err
				}
				b := make([]byte, 10)
				for range asked {
					err := nc.(interface{ AwaitRead() error }).AwaitRead()
					if err == nil {
						if _, err = nc.Read(b); n.awaits && errors.Is(err, os.ErrDeadlineExceeded) {
							t.Errorf("Read had to wait after AwaitRead")
						}
					}
					answer <- err
					nc.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
				}
				return nil
			}),
		})
		p := st.peer(t)
		p.say("first\nahead")
		await := func(what string, want error) {
			t.Helper()
			asked <- struct{}{}
			if err := <-answer; !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
		}
		await("read ahead", nil)
		await("nothing until the deadline", os.ErrDeadlineExceeded)
		p.say("more")
		asked <- struct{}{}
		if err := <-answer; err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("bytes: %v", err)
		}
		p.fin()
		for range 10 { // a busy machine may take longer than the deadline
			asked <- struct{}{}
			err := <-answer
			if errors.Is(err, io.EOF) {
				close(asked)
				st.wantEnd(t, duet.EndClosed)
				return
			}
		}
		t.Error("the end: never told")
	})
}

// A Raw that has failed takes nothing over: sending and receiving go on, or fail for their own reason.
func TestRaw_Fails(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		x, y := connect(t, n)
		d := duet.Dialer{Options: duet.Options{SendTimeout: 10 * time.Millisecond}}
		c := d.NewConn(x)
		p := newPeer(t, y)
		p.say("said before\n")
		err := c.Send(context.Background(), make([]byte, 64<<20))
		wantErr(t, "Send", err, duet.ErrSlowPeer)
		for range 2 {
			_, err = c.Raw()
			wantErr(t, "Raw", err, duet.ErrSlowPeer)
		}
		wantErr(t, "Send", c.Send(context.Background(), []byte("x")), duet.ErrSlowPeer)
		wantErr(t, "Post", c.Post([]byte("x")), duet.ErrSlowPeer)
		_, err = c.Receive(context.Background())
		wantErr(t, "Receive", err, duet.ErrSlowPeer)
		c.Close()
		_, err = c.Raw()
		wantErr(t, "Raw after Close", err, duet.ErrClosed)
		_, err = c.Receive(context.Background())
		wantErr(t, "Receive after Close", err, duet.ErrSlowPeer) // that is why it has ended
	})
}
