package duet_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
)

// The zero Server serves.
func TestServer_Zero(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		var s duet.Server
		l, dial := n.listen(t)
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		nc, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		p := newPeer(t, nc)
		p.say("hello\n")
		p.fin()
		p.wantEOF()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		wantErr(t, "Serve", <-served, duet.ErrServerClosed)
	})
}

func TestServer_ClosedBefore(t *testing.T) {
	for name, end := range map[string]func(s *duet.Server) error{
		"Close":    (*duet.Server).Close,
		"Shutdown": func(s *duet.Server) error { return s.Shutdown(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			var s duet.Server
			for range 2 {
				if err := end(&s); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			l := duettest.NewListener()
			wantErr(t, "Serve", s.Serve(l), duet.ErrServerClosed)
			_, err := l.Dial(context.Background())
			wantErr(t, "dial", err, syscall.ECONNREFUSED)
			x, y := duettest.Pipe()
			wantErr(t, "ServeNetConn", s.ServeNetConn(x), duet.ErrServerClosed)
			newPeer(t, y).wantEOF()
		})
	}
}

// Shutdown sends the farewell to all peers and waits, over several listeners, called by several goroutines at once.
func TestShutdown_C12(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		s := &duet.Server{Options: duet.Options{Farewell: "bye"}}
		st := start(t, n, s)
		second := duettest.NewListener()
		served := make(chan error, 1)
		go func() { served <- s.Serve(second) }()
		var peers []*peer
		for range 5 {
			p := st.peer(t)
			p.say("hello\n")
			peers = append(peers, p)
		}
		nc, err := second.Dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		peers = append(peers, newPeer(t, nc))
		waitFor(t, func() bool { return len(slices.Collect(s.Conns())) == len(peers) })
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := s.Shutdown(context.Background()); err != nil {
					t.Errorf("Shutdown: %v", err)
				}
			})
		}
		for _, p := range peers {
			p.want("Bye\n")
			p.wantEOF()
			p.Close()
		}
		wg.Wait()
		for range peers {
			st.wantEnd(t, duet.EndShutdown)
		}
		wantErr(t, "Serve", <-served, duet.ErrServerClosed)
		if left := slices.Collect(s.Conns()); len(left) != 0 {
			t.Errorf("%d conversations are left", len(left))
		}
	})
}

// A handler that does not come back is cut off when Shutdown's context ends.
func TestShutdown_ContextEnds(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		began := make(chan struct{})
		st := start(t, n, &duet.Server{Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
			close(began)
			<-ctx.Done() // begins at once
			<-c.Lost()   // and the handler does not care
			_, err := c.Receive(ctx)
			wantErr(t, "Receive", err, duet.ErrServerClosed)
			return err
		})})
		p := st.peer(t)
		<-began
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		wantErr(t, "Shutdown", st.Shutdown(ctx), context.DeadlineExceeded)
		p.wantEOF()
		st.wantEnd(t, duet.EndShutdown)
	})
}

func TestServerClose(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		began := make(chan struct{}, 2)
		st := start(t, n, &duet.Server{Options: duet.Options{Farewell: "bye"}, Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
			began <- struct{}{}
			if c.ID() == 1 {
				_, err := c.Receive(ctx)
				wantErr(t, "Receive", err, duet.ErrServerClosed)
				return err
			}
			// It sends to a peer that does not read.
			var err error
			for err == nil {
				err = c.Send(ctx, make([]byte, 1<<20))
			}
			return err
		})})
		p, q := st.peer(t), st.peer(t)
		<-began
		<-began
		q.want("\x00")
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { st.Close() })
		}
		wg.Wait()
		p.wantEOF() // no farewell
		st.wantEnd(t, duet.EndShutdown)
		st.wantEnd(t, duet.EndShutdown)
	})
}

func TestListenAndServe(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := duet.Server{}
	served := make(chan error, 1)
	go func() { served <- s.ListenAndServe(ctx, "127.0.0.1:0") }()
	cancel()
	wantErr(t, "ListenAndServe", <-served, duet.ErrServerClosed)
	wantErr(t, "ListenAndServe after ctx", new(duet.Server).ListenAndServe(ctx, "localhost:0"), duet.ErrServerClosed)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = new(duet.Server).ListenAndServe(context.Background(), l.Addr().String())
	var de *duet.Error
	if !errors.As(err, &de) || de.Op != "listen" || de.Addr != l.Addr().String() || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("error %v", err)
	}
}

func TestDial(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	c, err := duet.Dial(context.Background(), address)
	if err != nil {
		t.Fatal(err)
	}
	if c.RemoteAddr().String() != address || c.LocalAddr() == nil || c.ID() != 1 || c.StartTime().IsZero() || c.Farewell() != "" {
		t.Errorf("wrong facts: %v %v %v", c.RemoteAddr(), c.LocalAddr(), c.ID())
	}
	nc, _ := l.Accept()
	nc.Close()
	l.Close()
	c.Close()
	_, err = duet.Dial(context.Background(), address)
	var de *duet.Error
	if !errors.As(err, &de) || de.Op != "dial" || de.Addr != address || de.Reason != duet.EndNone || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithDeadline(context.Background(), time.Now())
	defer cancel()
	_, err = duet.Dial(ctx, address)
	if !errors.As(err, &de) || de.Reason != duet.EndTimeout {
		t.Errorf("error %v, want a timeout", err)
	}
	if _, err = duet.Dial(context.Background(), "no such thing:at:all"); err == nil {
		t.Error("a wrong address was taken")
	}
}

// waitFor waits until cond is true, for conditions without a channel.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatal("did not happen")
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond)
	}
}

func TestMaxConnsAndAdmit(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		refused := make(chan error, 10)
		var closed atomic.Bool
		st := start(t, n, &duet.Server{
			MaxConns: 2, Greeting: "hi",
			Admit: func(_ context.Context, peer net.Addr) error {
				if closed.Load() {
					return errors.New("not today")
				}
				return nil
			},
			Options: duet.Options{Trace: &duet.Trace{Refused: func(_ net.Addr, err error) { refused <- err }}},
		})
		a, b := st.peer(t), st.peer(t)
		a.want("hi\n")
		b.want("hi\n")
		st.peer(t).wantEOF()
		if err := <-refused; !strings.Contains(err.Error(), "already 2 conversations") {
			t.Errorf("refused because of %v", err)
		}
		a.Close()
		st.wantEnd(t, duet.EndPeerClosed)
		waitFor(t, func() bool { return len(slices.Collect(st.Conns())) == 1 })
		c := st.peer(t)
		c.want("hi\n")
		c.Close()
		b.Close()
		st.wantEnd(t, duet.EndPeerClosed)
		st.wantEnd(t, duet.EndPeerClosed)
		closed.Store(true)
		st.peer(t).wantEOF()
		if err := <-refused; err.Error() != "not today" {
			t.Errorf("refused because of %v", err)
		}
		x, y := connect(t, n)
		defer y.Close()
		err := st.ServeNetConn(x)
		var de *duet.Error
		if !errors.As(err, &de) || de.Reason != duet.EndRefused {
			t.Errorf("ServeNetConn: %v", err)
		}
	})
}

func TestNumbers(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		st := start(t, n, &duet.Server{Greeting: "hi"})
		for i := range 3 {
			p := st.peer(t)
			p.want("hi\n")
			p.Close()
			if e := st.wantEnd(t, duet.EndPeerClosed); e.id != uint64(i+1) {
				t.Errorf("conversation %d has number %d", i+1, e.id)
			}
		}
		for range 20 {
			st.peer(t).want("hi\n")
		}
		// The roster forgets a conversation a moment after its end was told.
		waitFor(t, func() bool { return len(slices.Collect(st.Conns())) == 20 })
		want := uint64(4)
		for c := range st.Conns() {
			if c.ID() != want {
				t.Errorf("number %d, want %d", c.ID(), want)
			}
			want++
		}
		if want != 24 {
			t.Errorf("conversations up to %d, want 23", want-1)
		}
	})
}
