package duet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
)

// isEnded reports whether the Done channel of ctx is closed.
func isEnded(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

// wantCause checks that ctx has ended, and why.
func wantCause(t *testing.T, name string, ctx context.Context, reason duet.EndReason, is error) {
	t.Helper()
	if !isEnded(ctx) || !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("%s: the context has not ended (%v)", name, ctx.Err())
	}
	var e *duet.Error
	cause := context.Cause(ctx)
	if !errors.As(cause, &e) || e.Op != "converse" || e.Reason != reason || !errors.Is(cause, is) {
		t.Errorf("%s: the cause is %#v (%v); want the reason %v and %v", name, cause, cause, reason, is)
	}
	if reason := duet.ReasonOf(cause); reason != e.Reason {
		t.Errorf("%s: the cause stands for %v", name, reason)
	}
}

// The context ends in each way in which this side ends the conversation, also if Done is called only then.
func TestContext_Ends(t *testing.T) {
	for _, test := range []struct {
		name   string
		stop   func(s *duet.Server, c *duet.Conn)
		reason duet.EndReason
		is     error
		words  string
	}{
		{"kick", func(_ *duet.Server, c *duet.Conn) { c.Kick("") }, duet.EndKicked, duet.ErrKicked, ""},
		{"kick with words", func(_ *duet.Server, c *duet.Conn) { c.Kick("too loud") }, duet.EndKicked, duet.ErrKicked, "too loud"},
		{"shutdown", func(s *duet.Server, c *duet.Conn) {
			go func() { _ = s.Shutdown(context.Background()) }()
			_, _ = c.Receive(context.Background()) // until it has been told
		}, duet.EndShutdown, duet.ErrServerClosed, ""},
		{"server closed", func(s *duet.Server, _ *duet.Conn) { s.Close() }, duet.EndShutdown, duet.ErrServerClosed, ""},
		{"abort", func(_ *duet.Server, c *duet.Conn) { c.Abort() }, duet.EndClosed, duet.ErrClosed, ""},
		{"close", func(_ *duet.Server, c *duet.Conn) { c.Close() }, duet.EndClosed, duet.ErrClosed, ""},
		{"full queue", func(_ *duet.Server, c *duet.Conn) {
			for c.Post(make([]byte, 64<<10)) == nil {
			}
		}, duet.EndSlowPeer, duet.ErrSlowPeer, ""},
	} {
		for _, asked := range []string{"before", "after"} {
			t.Run(test.name+" "+asked, func(t *testing.T) {
				overEach(t, func(t *testing.T, n network) {
					type meeting struct {
						c            *duet.Conn
						ctx, derived context.Context
					}
					here, leave := make(chan meeting), make(chan struct{})
					st := start(t, n, &duet.Server{Options: duet.Options{CloseTimeout: time.Millisecond, SendTimeout: 100 * time.Millisecond}, Handler: handle(func(ctx context.Context, c *duet.Conn) error {
						m := meeting{c: c, ctx: ctx}
						if asked == "before" {
							var cancel context.CancelFunc
							m.derived, cancel = context.WithTimeout(ctx, time.Hour)
							defer cancel()
						}
						here <- m
						<-leave
						return nil
					})})
					p := st.peer(t)
					m := <-here
					if m.ctx != m.c.Context() {
						t.Error("the handler's context is not the conversation's")
					}
					if m.ctx.Err() != nil || asked == "before" && (isEnded(m.ctx) || isEnded(m.derived)) {
						t.Error("the context has ended before the conversation")
					}
					var done <-chan struct{}
					if m.derived != nil {
						done = m.derived.Done()
					}
					test.stop(st.Server, m.c)
					if done != nil {
						<-done // without asking the context again
					}
					wantCause(t, "own", m.ctx, test.reason, test.is)
					if cause := context.Cause(m.ctx).Error(); !strings.Contains(cause, test.words) {
						t.Errorf("the cause is %q, without the words", cause)
					}
					if m.derived != nil {
						wantCause(t, "derived", m.derived, test.reason, test.is)
					}
					close(leave)
					st.wantEnd(t, test.reason)
					wantCause(t, "after the end", m.ctx, test.reason, test.is)
					p.Close()
				})
			})
		}
	}
}

// It ends when the handler returns, with the ending as its reason.
func TestContext_HandlerReturns(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name   string
		err    error
		reason duet.EndReason
		is     error
	}{
		{"well", nil, duet.EndClosed, duet.ErrClosed},
		{"failed", broken, duet.EndHandlerFailed, broken},
		{"with a reason", &duet.Error{Op: "play", Reason: duet.EndRefused, Err: broken}, duet.EndRefused, broken},
	} {
		t.Run(test.name, func(t *testing.T) {
			here := make(chan context.Context, 1)
			var done <-chan struct{}
			st := start(t, memory, &duet.Server{Handler: handle(func(ctx context.Context, _ *duet.Conn) error {
				done = ctx.Done() // before the end, so that the end must close it
				here <- ctx
				return test.err
			})})
			p := st.peer(t)
			ctx := <-here
			<-done // while the peer is still there
			wantCause(t, "own", ctx, test.reason, test.is)
			if cause := context.Cause(ctx).Error(); strings.Count(cause, "(") != 1 {
				t.Errorf("the cause says it twice: %s", cause)
			}
			p.Close()
			st.wantEnd(t, test.reason)
		})
	}
}

// The peer's FIN ends neither the context nor sending; the connection's reset is for Lost.
func TestContext_PeerEnds(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		st := start(t, n, &duet.Server{Handler: handle(func(ctx context.Context, c *duet.Conn) error {
			if _, err := c.Receive(ctx); err != io.EOF {
				t.Errorf("Receive: %v", err)
			}
			if isEnded(ctx) || ctx.Err() != nil || context.Cause(ctx) != nil {
				t.Errorf("the context has ended: %v", context.Cause(ctx))
			}
			return c.Send(ctx, []byte("still here"))
		})})
		p := st.peer(t)
		p.fin()
		p.want("still here\n")
		p.Close()
		st.wantEnd(t, duet.EndPeerClosed)
	})
	t.Run("reset", func(t *testing.T) {
		st := start(t, tcp, &duet.Server{Handler: handle(func(ctx context.Context, c *duet.Conn) error {
			_, err := c.Receive(ctx)
			<-c.Lost()
			if isEnded(ctx) {
				t.Errorf("the context has ended: %v", context.Cause(ctx))
			}
			return err
		})})
		st.peer(t).reset()
		st.wantEnd(t, duet.EndReset)
	})
}

// After Shutdown a handler may still send, with the conversation's own context and any other, but not with one derived from it.
func TestContext_SendAfterShutdown(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		here := make(chan struct{}, 1)
		st := start(t, n, &duet.Server{Options: duet.Options{Farewell: "bye"}, Handler: handle(func(ctx context.Context, c *duet.Conn) error {
			derived, cancel := context.WithCancel(ctx)
			defer cancel()
			here <- struct{}{}
			<-derived.Done()
			wantErr(t, "Send with a derived context", c.Send(derived, []byte("never")), duet.ErrServerClosed)
			_, err := c.Receive(derived)
			wantErr(t, "Receive with a derived context", err, duet.ErrServerClosed)
			for range 3 {
				if err := c.Send(ctx, []byte("own")); err != nil {
					t.Errorf("Send: %v", err)
				}
			}
			if err := c.Send(context.Background(), []byte("other")); err != nil {
				t.Errorf("Send: %v", err)
			}
			if err := c.Post([]byte("posted")); err != nil {
				t.Errorf("Post: %v", err)
			}
			_, err = c.Receive(ctx)
			return err
		})})
		p := st.peer(t)
		<-here
		down := make(chan error, 1)
		go func() { down <- st.Shutdown(context.Background()) }()
		p.want("own\nown\nown\nother\nposted\nBye\n")
		p.wantEOF()
		p.Close()
		if err := <-down; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		st.wantEnd(t, duet.EndShutdown)
	})
}

// After Kick only posted messages and the farewell are sent.
func TestContext_SendAfterKick_C17(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		st := start(t, n, &duet.Server{Options: duet.Options{Farewell: "bye"}, Handler: handle(func(ctx context.Context, c *duet.Conn) error {
			if err := c.Post([]byte("posted")); err != nil {
				t.Errorf("Post: %v", err)
			}
			c.Kick("too loud")
			for range 2 {
				wantErr(t, "Send", c.Send(ctx, []byte("never")), duet.ErrKicked)
				wantErr(t, "Send with another context", c.Send(context.Background(), []byte("never")), duet.ErrKicked)
				wantErr(t, "Post", c.Post([]byte("never")), duet.ErrKicked)
				wantErr(t, "PostRaw", c.PostRaw([]byte("never")), duet.ErrKicked)
				_, err := c.Transfer()
				wantErr(t, "Transfer", err, duet.ErrKicked)
				_, err = c.Receive(ctx)
				wantErr(t, "Receive", err, duet.ErrKicked)
			}
			return nil
		})})
		p := st.peer(t)
		p.want("posted\ntoo loud\nBye\n")
		p.wantEOF()
		p.Close()
		st.wantEnd(t, duet.EndKicked)
	})
}

// After Kick, a Send and a transfer that wait behind another do not begin. Posted messages are sent.
func TestContext_KickDropsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := duettest.PipeSize(1 << 10)
		c := new(duet.Dialer).NewConn(x)
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := c.Send(c.Context(), make([]byte, 8<<10)); err != nil {
				t.Errorf("the Send under way: %v", err)
			}
		})
		synctest.Wait()
		c.Post([]byte("posted"))
		dropped := make(chan error, 3)
		transfer, err := c.Transfer()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, err := transfer.SendFrom(c.Context(), strings.NewReader("never"))
			dropped <- err
		}()
		go func() { dropped <- c.Send(c.Context(), []byte("never")) }()
		go func() { dropped <- c.Send(context.Background(), []byte("never")) }()
		synctest.Wait()
		c.Kick("")
		synctest.Wait()
		for range 3 {
			select {
			case err := <-dropped:
				wantErr(t, "a Send that waits", err, duet.ErrKicked)
			default:
				t.Error("one waits on after Kick")
			}
		}
		wg.Go(func() {
			all, _ := io.ReadAll(y)
			if got := string(all[min(len(all), 8<<10):]); got != "\nposted\n" {
				t.Errorf("the peer got %q after the message that was under way", got)
			}
			y.Close()
		})
		c.Close()
		wg.Wait()
		wantReason(t, c, duet.EndKicked)
	})
}

// A Send whose context is derived from the conversation's is interrupted by Kick. When half a message has left, the peer must not take it for a
// whole one.
func TestContext_KickInterruptsDerived(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		here := make(chan *duet.Conn, 1)
		saw := make(chan error, 2)
		st := start(t, n, &duet.Server{Options: duet.Options{Farewell: "bye"}, Handler: handle(func(ctx context.Context, c *duet.Conn) error {
			here <- c
			derived, cancel := context.WithCancel(ctx)
			defer cancel()
			saw <- c.Send(derived, make([]byte, 64<<20))
			saw <- c.Send(ctx, []byte("never"))
			return nil
		})})
		p := st.peer(t)
		c := <-here
		p.want("\x00")
		c.Kick("too loud")
		wantErr(t, "Send", <-saw, duet.ErrKicked)
		wantErr(t, "Send again", <-saw, duet.ErrKicked)
		if all, err := io.ReadAll(p); err == nil && n.name == tcp.name {
			t.Errorf("the peer got %d bytes and a good end", len(all))
		} else if strings.Contains(string(all), "Bye") {
			t.Error("the farewell came inside a message")
		}
		p.Close()
		if e := st.wantEnd(t, duet.EndKicked); e.err == nil || !strings.Contains(e.err.Error(), "too loud") {
			t.Errorf("the cause is %v", e.err)
		}
	})
}

// Lost is closed when the connection was cut, also after Shutdown, which has ended the context before.
func TestLost_Cut(t *testing.T) {
	for name, cut := range map[string]func(s *duet.Server, c *duet.Conn){
		"abort":  func(_ *duet.Server, c *duet.Conn) { c.Abort() },
		"closed": func(s *duet.Server, _ *duet.Conn) { s.Close() },
	} {
		for _, asked := range []string{"before", "after"} {
			t.Run(name+" "+asked, func(t *testing.T) {
				overEach(t, func(t *testing.T, n network) {
					here, isCut := make(chan *duet.Conn, 1), make(chan struct{})
					st := start(t, n, &duet.Server{Handler: handle(func(ctx context.Context, c *duet.Conn) error {
						if asked == "before" {
							select {
							case <-c.Lost():
								t.Error("it is lost before")
							default:
							}
						}
						here <- c
						<-isCut
						<-c.Lost()
						return context.Cause(ctx)
					})})
					st.peer(t)
					c := <-here
					cut(st.Server, c)
					close(isCut)
					<-c.Done()
				})
			})
		}
	}
}

type contextKey struct{}

// In Serve the conversation's context has the end, the values and the deadline of the context that Serve was given.
func TestContext_Converse(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		for _, asked := range []string{"before", "in the handler"} {
			a, _ := two(t, n, duet.Dialer{Options: duet.Options{CloseTimeout: time.Millisecond}})
			early := a.Context()
			var done <-chan struct{}
			if asked == "before" {
				done = early.Done()
			}
			why := errors.New("enough")
			parent, cancel := context.WithCancelCause(context.WithValue(context.Background(), contextKey{}, "value"))
			timed, stop := context.WithTimeout(parent, time.Hour)
			err := duet.Serve(timed, a, handle(func(ctx context.Context, c *duet.Conn) error {
				if ctx != c.Context() || ctx != early {
					t.Error("it is not the conversation's own context")
				}
				if v := ctx.Value(contextKey{}); v != "value" {
					t.Errorf("the value is %v", v)
				}
				want, _ := timed.Deadline()
				if deadline, ok := ctx.Deadline(); !ok || !deadline.Equal(want) {
					t.Errorf("the deadline is %v", deadline)
				}
				go cancel(why)
				_, err := c.Receive(ctx)
				if !errors.Is(err, context.Canceled) || !isEnded(ctx) || context.Cause(ctx) != why {
					t.Errorf("Receive: %v; the cause is %v", err, context.Cause(ctx))
				}
				wantErr(t, "Send", c.Send(ctx, []byte("x")), context.Canceled)
				if err := c.Send(context.Background(), []byte("x")); err != nil {
					t.Errorf("Send with another context: %v", err)
				}
				return nil
			}))
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
			if done != nil {
				<-done
			}
			stop()
			wantReason(t, a, duet.EndClosed)
		}
	})
}

// Kick in Serve ends only the conversation's own context.
func TestContext_ConverseKicked(t *testing.T) {
	a, _ := two(t, memory, duet.Dialer{Options: duet.Options{CloseTimeout: time.Millisecond}})
	_ = duet.Serve(t.Context(), a, handle(func(ctx context.Context, c *duet.Conn) error {
		go c.Kick("")
		<-ctx.Done()
		wantCause(t, "own", ctx, duet.EndKicked, duet.ErrKicked)
		_, err := c.Receive(ctx)
		wantErr(t, "Receive", err, duet.ErrKicked)
		return err
	}))
	wantReason(t, a, duet.EndKicked)
}

// The end of the context given to Serve interrupts reads and writes after Raw, as Kick does.
func TestContext_ConverseRaw(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		for _, direction := range []string{"read", "write", "before Raw"} {
			a, _ := two(t, n, duet.Dialer{Options: duet.Options{CloseTimeout: time.Millisecond}})
			parent, cancel := context.WithCancel(context.Background())
			_ = duet.Serve(parent, a, handle(func(ctx context.Context, c *duet.Conn) error {
				if direction == "before Raw" {
					cancel()
				}
				nc, err := c.Raw(context.Background())
				if err != nil {
					return err
				}
				go cancel()
				if direction == "write" {
					_, err = nc.Write(make([]byte, 64<<20))
				} else {
					_, err = nc.Read(make([]byte, 1))
				}
				if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
					t.Errorf("%s: %v", direction, err)
				}
				return nil
			}))
			cancel()
		}
	})
}

// A context may be used while the conversation ends. Once it has ended, its cause is known.
func TestContext_Concurrent(t *testing.T) {
	for range 100 {
		a, _ := two(t, memory, duet.Dialer{Options: duet.Options{CloseTimeout: time.Millisecond}})
		ctx := a.Context()
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				derived := ctx
				if i%2 == 0 {
					var cancel context.CancelFunc
					derived, cancel = context.WithCancel(ctx)
					defer cancel()
				}
				for derived.Err() == nil {
				}
				wantCause(t, "own", derived, duet.EndKicked, duet.ErrKicked)
			})
		}
		a.Kick("")
		wg.Wait()
		a.Close()
	}
}
