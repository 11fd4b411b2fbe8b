package duet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
	"duet.example/duet/framing"
)

// handle makes a Handler of a function that has no error of its own.
func handle(f func(ctx context.Context, c *duet.Conn) error) duet.Handler { return duet.HandlerFunc(f) }

// A handler that only sends learns that its conversation is to end: from Send after Kick, from its context after Shutdown.
func TestStop_HandlerThatOnlySends(t *testing.T) {
	for _, test := range []struct {
		name string
		stop func(t *testing.T, s *duet.Server, c *duet.Conn)
		end  duet.EndReason
		err  error
	}{
		{"kick", func(_ *testing.T, _ *duet.Server, c *duet.Conn) { c.Kick("") }, duet.EndKicked, duet.ErrKicked},
		{"shutdown", func(t *testing.T, s *duet.Server, _ *duet.Conn) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := s.Shutdown(ctx); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		}, duet.EndShutdown, duet.ErrServerClosed},
	} {
		t.Run(test.name, func(t *testing.T) {
			overEach(t, func(t *testing.T, n network) {
				here := make(chan *duet.Conn, 1)
				left := make(chan error, 1)
				st := start(t, n, &duet.Server{Options: duet.Options{Farewell: "bye"}, Handler: handle(func(ctx context.Context, c *duet.Conn) error {
					here <- c
					var err error
					for err == nil && ctx.Err() == nil {
						err = c.Send(ctx, []byte("and on and on"))
					}
					if err == nil {
						err = context.Cause(ctx)
					}
					left <- err
					return err
				})})
				p := st.peer(t)
				p.want("and on and on\n")
				said := make(chan string, 1)
				go func() {
					all, _ := io.ReadAll(p)
					said <- string(all)
					p.Close()
				}()
				test.stop(t, st.Server, <-here)
				st.wantEnd(t, test.end)
				wantErr(t, "the handler's error", <-left, test.err)
				if all := "and on and on\n" + <-said; !strings.HasSuffix(all, "and on and on\nBye\n") {
					t.Errorf("the peer got %q at the end", all[max(0, len(all)-50):])
				}
			})
		})
	}
}

// A peer that takes a byte now and then does not hold the end of a conversation for ever, even if the handler waits in Send.
func TestStop_PeerThatTakesSlowly(t *testing.T) {
	for _, test := range []struct {
		name string
		stop func(s *duet.Server, c *duet.Conn)
	}{
		{"kick", func(_ *duet.Server, c *duet.Conn) { c.Kick("") }},
		{"shutdown", func(s *duet.Server, _ *duet.Conn) { _ = s.Shutdown(context.Background()) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, y := duettest.PipeSize(2 << 10)
				var stopped, returned time.Time
				var err error
				here := make(chan *duet.Conn, 1)
				s := &duet.Server{Handler: handle(func(ctx context.Context, c *duet.Conn) error {
					here <- c
					err = c.Send(ctx, make([]byte, 1<<20))
					returned = time.Now()
					return err
				})}
				taken := takeSlowly(y, time.Second)
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					_ = s.ServeNetConn(x)
				}()
				c := <-here
				time.Sleep(20 * time.Second)
				stopped = time.Now()
				test.stop(s, c)
				<-ended
				y.Close()
				<-taken
				wantErr(t, "Send", err, duet.ErrSlowPeer)
				// A piece may have begun just before, with a send timeout of its own.
				if d := returned.Sub(stopped); d > 4*duet.DefaultSendTimeout {
					t.Errorf("Send returned %v after the stop", d)
				}
			})
		})
	}
}

// The same over a socket, where the system says when there is room.
func TestStop_PeerThatTakesSlowly_TCP(t *testing.T) {
	x, y := connect(t, tcp)
	_ = x.(*net.TCPConn).SetWriteBuffer(32 << 10) // else the system is told seldom that the peer has taken something
	_ = y.(*net.TCPConn).SetReadBuffer(32 << 10)
	d := duet.Dialer{Options: duet.Options{SendTimeout: 300 * time.Millisecond}}
	c := d.NewConn(x)
	ended := make(chan error, 1)
	go func() {
		ended <- duet.Serve(context.Background(), c, handle(func(ctx context.Context, c *duet.Conn) error {
			return c.Send(ctx, make([]byte, 64<<20)) // the peer takes minutes for that
		}))
	}()
	p := newPeer(t, y)
	p.want("\x00")
	p.SetDeadline(time.Time{})
	c.Kick("")
	taken := takeSlowly(p, 20*time.Millisecond)
	select {
	case <-ended: // on a busy machine as slow-peer before its time
	case <-time.After(patience):
		t.Error("the peer holds the conversation")
		p.Close()
		<-ended
	}
	p.Close()
	<-taken
}

// takeSlowly reads 16 KiB now and then, until nc fails.
func takeSlowly(nc net.Conn, pause time.Duration) (over <-chan struct{}) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b := make([]byte, 16<<10); ; time.Sleep(pause) {
			if _, err := nc.Read(b); err != nil {
				return
			}
		}
	}()
	return done
}

// After Server.Close each call of a handler fails with ErrServerClosed.
func TestServerClose_HandlersSeeIt(t *testing.T) {
	derived := func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithCancel(ctx) }
	own := func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} }
	other := func(context.Context) (context.Context, context.CancelFunc) { return context.Background(), func() {} }
	large := make([]byte, 64<<20) // more than any system takes ahead
	for _, waits := range []struct {
		name string
		wait func(ctx context.Context, c *duet.Conn) error
	}{
		{"receive", func(ctx context.Context, c *duet.Conn) error {
			_, err := c.Receive(ctx)
			return err
		}},
		{"send", func(ctx context.Context, c *duet.Conn) error { return c.Send(ctx, large) }},
	} {
		for name, with := range map[string]func(context.Context) (context.Context, context.CancelFunc){
			"own": own, "derived": derived, "other": other,
		} {
			t.Run(waits.name+" "+name, func(t *testing.T) {
				overEach(t, func(t *testing.T, n network) {
					saw := make(chan error, 1)
					st := start(t, n, &duet.Server{Handler: handle(func(ctx context.Context, c *duet.Conn) error {
						mine, cancel := with(ctx)
						defer cancel()
						if err := c.Send(ctx, []byte("ready")); err != nil {
							return err
						}
						errs := []error{waits.wait(mine, c)}
						for range 3 {
							_, err := c.Receive(mine)
							errs = append(errs, err, c.Send(mine, []byte("x")), c.Post([]byte("x")), waits.wait(mine, c))
						}
						saw <- allAre(errs, duet.ErrServerClosed)
						return errs[0]
					})})
					p := st.peer(t)
					p.want("ready\n")
					if waits.name == "send" {
						io.CopyN(io.Discard, p, 1<<10) // it is under way
					}
					st.Close()
					if err := <-saw; err != nil {
						t.Error(err)
					}
					st.wantEnd(t, duet.EndShutdown)
				})
			})
		}
	}
}

// allAre fails for each of errs that is not want.
func allAre(errs []error, want error) error {
	for i, err := range errs {
		if !errors.Is(err, want) {
			return fmt.Errorf("error %d is %w, not %w", i, err, want)
		}
	}
	return nil
}

// Lost is called for the first time while the connection is cut, and the connection is cut once more.
func TestLost_WhileCut(t *testing.T) {
	for range 300 {
		here, there := net.Pipe()
		c := new(duet.Dialer).NewConn(here)
		asked := make(chan (<-chan struct{}))
		go func() { asked <- c.Lost() }()
		_ = c.Abort()
		<-<-asked
		<-c.Lost()
		_ = c.Abort()
		_ = c.Close()
		_ = there.Close()
	}
}

// Kick sends its reason to the peer, in one message before the farewell.
func TestKick_C17(t *testing.T) {
	for _, test := range []struct {
		name, words string
		framing     framing.Framing
		peer, cause string
	}{
		{"words", "too loud", nil, "too loud\nBye\n", "ended by an operator: too loud"},
		{"several lines", " too\r\nloud\nreally\x00 \n", nil, "too loud really\nBye\n", "ended by an operator: too loud really"},
		{"no framing", "too loud", framing.Raw, "too loudBye", "ended by an operator: too loud"},
		{"nothing", " \n", nil, "Bye\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			overEach(t, func(t *testing.T, n network) {
				here := make(chan *duet.Conn, 1)
				st := start(t, n, &duet.Server{Options: duet.Options{Framing: test.framing, Farewell: "bye"}, Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
					here <- c
					_, err := c.Receive(ctx)
					wantErr(t, "Receive", err, duet.ErrKicked)
					return err
				})})
				p := st.peer(t)
				c := <-here
				c.Kick(test.words)
				c.Kick("once more")
				p.want(test.peer)
				p.wantEOF()
				p.Close()
				e := st.wantEnd(t, duet.EndKicked)
				if test.cause == "" {
					return
				}
				wantErr(t, "cause", e.err, duet.ErrKicked)
				if e.err.Error() != test.cause {
					t.Errorf("cause %q", e.err)
				}
			})
		})
	}
}

// After Raw the peer receives exactly the handler's bytes. The result contains the reason of the Kick.
func TestKick_Raw(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		here := make(chan *duet.Conn, 1)
		st := start(t, n, &duet.Server{Options: duet.Options{Farewell: "bye"}, Handler: duet.HandlerFunc(func(_ context.Context, c *duet.Conn) error {
			nc, err := c.Raw(context.Background())
			if err != nil {
				return err
			}
			here <- c
			_, err = io.Copy(io.Discard, nc)
			return err
		})})
		p := st.peer(t)
		(<-here).Kick("too loud")
		p.wantEOF()
		p.Close()
		if e := st.wantEnd(t, duet.EndKicked); e.err == nil || e.err.Error() != "ended by an operator: too loud" {
			t.Errorf("cause %v", e.err)
		}
	})
}

// SayBye does not fail if another goroutine has received the answer and has closed the conversation before SayBye returns.
func TestSayBye_ClosedMeanwhile(t *testing.T) {
	for range 500 {
		x, y := connect(t, memory)
		d := duet.Dialer{Options: duet.Options{Farewell: "bye"}}
		a, b := d.NewConn(x), d.NewConn(y)
		var wg sync.WaitGroup
		for _, c := range []*duet.Conn{a, b} {
			wg.Go(func() {
				for _, err := range c.Messages(context.Background()) {
					if err != nil {
						t.Errorf("receive: %v", err)
					}
				}
				c.Close()
			})
		}
		if err := a.SayBye(t.Context()); err != nil {
			t.Fatalf("SayBye: %v", err)
		}
		wg.Wait()
	}
}

// A message that is longer than any form of the farewell is no farewell. Its length does not matter to the time that this takes.
func TestIsFarewell_WorkIsBounded(t *testing.T) {
	fastest := func(body []byte) time.Duration {
		best := time.Hour
		for range 20 {
			began := time.Now()
			for range 100 {
				if duet.IsFarewell(body, "bye") {
					t.Fatal("a long message is a farewell")
				}
			}
			best = min(best, time.Since(began))
		}
		return best
	}
	// A comparison of the whole message would take 1,024 times as long for the long one.
	short, long := fastest([]byte(strings.Repeat("é", 1<<9))), fastest([]byte(strings.Repeat("é", 1<<19)))
	if long > 50*max(short, time.Microsecond) {
		t.Errorf("1 MiB takes %v, 1 KiB takes %v", long, short)
	}
}

// If its context ends first, SayBye or CloseWrite returns the context's error, and what it has queued still leaves.
func TestSayBye_ContextEnds(t *testing.T) {
	for name, test := range map[string]struct {
		finish func(*duet.Conn, context.Context) error
		last   string
	}{
		"SayBye":     {(*duet.Conn).SayBye, "bye\n"},
		"CloseWrite": {(*duet.Conn).CloseWrite, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, y := duettest.Pipe()
				d := duet.Dialer{Options: duet.Options{Farewell: "bye"}}
				c, p := d.NewConn(x), newPeer(t, y)
				tr, err := c.Transfer() // holds up the rest of the queue
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				failed := make(chan error, 1)
				go func() { failed <- test.finish(c, ctx) }()
				synctest.Wait()
				if len(failed) > 0 {
					t.Fatalf("it has not waited: %v", <-failed)
				}
				cancel()
				wantErr(t, name, <-failed, context.Canceled)
				wantErr(t, "Send", c.Send(t.Context(), []byte("more")), duet.ErrClosed)
				if _, err := tr.SendFrom(t.Context(), strings.NewReader("bytes, ")); err != nil {
					t.Error(err)
				}
				p.want("bytes, " + test.last)
				p.wantEOF()
				p.Close()
				c.Close()
			})
		})
	}
}

// A context that has ended before the call is the same. If nothing is left to be sent, there is no error.
func TestSayBye_ContextHadEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a, b := two(t, memory, duet.Dialer{Options: duet.Options{Farewell: "bye"}})
	if err := a.SayBye(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	wantEOF(t, b)
	wantReason(t, b, duet.EndFarewell)
}

// SayBye goes on waiting if the conversation's own context ends. With a context derived from it, the error is that of the end.
func TestSayBye_OwnContext(t *testing.T) {
	for _, derived := range []bool{false, true} {
		t.Run(fmt.Sprint("derived ", derived), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, y := duettest.Pipe()
				d := duet.Dialer{Options: duet.Options{Farewell: "bye"}}
				c, p := d.NewConn(x), newPeer(t, y)
				if _, err := c.Transfer(); err != nil { // holds up the farewell until Close
					t.Fatal(err)
				}
				ctx := c.Context()
				if derived {
					var cancel context.CancelFunc
					ctx, cancel = context.WithCancel(ctx)
					defer cancel()
				}
				said := make(chan error, 1)
				go func() { said <- c.SayBye(ctx) }()
				synctest.Wait()
				c.Kick("")
				synctest.Wait()
				if derived {
					wantErr(t, "SayBye", <-said, duet.ErrKicked)
				} else if len(said) > 0 {
					t.Fatalf("SayBye has not waited: %v", <-said)
				}
				go c.Close()
				p.want("bye\n")
				if !derived {
					if err := <-said; err != nil {
						t.Errorf("SayBye: %v", err)
					}
				}
				p.Close()
				<-c.Done()
			})
		})
	}
}
