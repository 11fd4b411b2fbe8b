package handler_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
	"duet.example/duet/handler"
	"duet.example/duet/transport"
)

// TestForwardSlow: a side that takes nothing ends the conversation, and the error says which side.
func TestForwardSlow(t *testing.T) {
	t.Parallel()
	eachHop(t, true, func(t *testing.T, peerKind, targetKind string) {
		for _, who := range []string{"peer", "target"} {
			t.Run(who, func(t *testing.T) {
				t.Parallel()
				peer, target, s := forward(t, &handler.Forward{Send: 400 * time.Millisecond}, peerKind, targetKind)
				if who == "peer" {
					flood(t, target)
				} else {
					flood(t, peer)
				}
				s.want(t, duet.EndSlowPeer, duet.ErrSlowPeer)
				wantWhose(t, s, who)
			})
		}
	})
}

// TestForwardSlowReader: slow is not stuck.
func TestForwardSlowReader(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"peer", "target"} {
		t.Run(who, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, served := inMemory(1 << 10)
				peer, nc := duettest.PipeSize(1 << 10)
				s := serve(t, h, nc, "memory")
				s.limit = time.Hour
				a, b := peer, <-served
				if who == "peer" {
					a, b = b, a
				}
				const size = 300 << 10
				done := make(chan struct{})
				go func() {
					defer close(done)
					if _, err := io.Copy(a, random(1, size)); err != nil {
						t.Error(err)
					}
					halfClose(t, a)
				}()
				begin := time.Now()
				wantSum(t, "heard", &sleepy{r: b, piece: 1 << 10, pause: 200 * time.Millisecond}, 1, size)
				if time.Since(begin) < duet.DefaultSendTimeout {
					t.Error("nobody was slow")
				}
				<-done
				halfClose(t, b)
				s.want(t, duet.EndPeerClosed, io.EOF)
			})
		})
	}
}

// inMemory has a target in memory, of which the other end comes out of the channel.
func inMemory(room int) (h *handler.Forward, target <-chan net.Conn) {
	c := make(chan net.Conn, 1)
	return &handler.Forward{
		Address: transport.Address{Host: "memory", Port: "1"},
		Dial: func(context.Context, transport.Address) (net.Conn, error) {
			there, here := duettest.PipeSize(room)
			c <- there
			return here, nil
		},
	}, c
}

// TestForwardIdle: a conversation is idle if neither side sends anything.
func TestForwardIdle(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"nobody", "peer", "target"} {
		t.Run(who, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, targets := inMemory(duettest.DefaultBuffer)
				h.Idle = time.Minute
				peer, nc := duettest.Pipe()
				s := serve(t, h, nc, "memory")
				s.limit = time.Hour
				target := <-targets
				var copied [2]chan error
				for i, c := range []net.Conn{peer, target} {
					copied[i] = make(chan error, 1)
					go func() { _, err := io.Copy(io.Discard, c); copied[i] <- err }()
				}
				begin, want := time.Now(), time.Minute
				for range 5 {
					if who == "nobody" {
						break
					}
					time.Sleep(50 * time.Second)
					want += 50 * time.Second
					if who == "peer" {
						sendText(t, peer, "x")
					} else {
						sendText(t, target, "x")
					}
				}
				s.want(t, duet.EndIdle, duet.ErrIdle)
				if took := time.Since(begin).Round(time.Second); took != want {
					t.Errorf("ended after %v, want %v", took, want)
				}
				for i := range copied {
					if err := <-copied[i]; !errors.Is(err, syscall.ECONNRESET) {
						t.Errorf("side %d got %v: half a conversation passes for a whole one", i, err)
					}
				}
			})
		})
	}
	t.Run("tcp", func(t *testing.T) {
		_, target, s := forward(t, &handler.Forward{Idle: 50 * time.Millisecond}, "tcp", "tcp")
		s.want(t, duet.EndIdle, duet.ErrIdle)
		if _, err := target.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the target got %v", err)
		}
	})
}

// TestForwardStops: the end of the context ends every wait, and neither side takes that for a good end.
func TestForwardStops(t *testing.T) {
	t.Parallel()
	waits := map[string]func(t *testing.T, peer, target net.Conn){
		"silent": func(t *testing.T, peer, target net.Conn) {
			sendText(t, peer, "x")
			wantText(t, target, "x")
		},
		"half-open": func(t *testing.T, peer, target net.Conn) {
			halfClose(t, peer)
			wantAll(t, target, "")
		},
		"target full": func(t *testing.T, peer, _ net.Conn) { flood(t, peer) },
		"peer full":   func(t *testing.T, _, target net.Conn) { flood(t, target) },
	}
	stops := map[string]func(t *testing.T, s *served){
		"shutdown": shutdown,
		"close":    func(t *testing.T, s *served) { must(t, s.Close()) },
		"kick":     func(_ *testing.T, s *served) { (<-s.conn).Kick("") },
	}
	eachHop(t, true, func(t *testing.T, peerKind, targetKind string) {
		for name, wait := range waits {
			for how, stop := range stops {
				t.Run(how+", "+name, func(t *testing.T) {
					t.Parallel()
					peer, target, s := forward(t, &handler.Forward{Send: -1}, peerKind, targetKind)
					wait(t, peer, target)
					stop(t, s)
					want := duet.EndShutdown
					if how == "kick" {
						want = duet.EndKicked
					}
					s.want(t, want, nil)
					if targetKind == "unix" {
						return
					}
					wantCut(t, "the target", target)
				})
			}
		}
	})
}

// TestForwardContext: the end of ctx ends it as closed.
func TestForwardContext(t *testing.T) {
	t.Parallel()
	h := &handler.Forward{}
	accepted := listenFor(t, h, "tcp")
	client, nc := ends(t, "tcp")
	c := (&duet.Dialer{Options: duet.Options{CloseTimeout: 100 * time.Millisecond}}).NewConn(nc)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.ServeConn(ctx, c) }()
	target := accepted()
	defer target.Close()
	sendText(t, client, "x")
	wantText(t, target, "x")
	cancel()
	select {
	case err := <-done:
		if duet.ReasonOf(err) != duet.EndClosed || !errors.Is(err, context.Canceled) {
			t.Errorf("ServeConn: %v", err)
		}
	case <-time.After(soon):
		t.Fatal("ServeConn does not return")
	}
	_ = c.Close()
}

// TestForwardThrottle: a server's Throttle holds, and bytes that it refuses do not pass.
func TestForwardThrottle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, targets := inMemory(duettest.DefaultBuffer)
		peer, nc := duettest.Pipe()
		s := serve(t, h, nc, "memory", func(s *duet.Server) {
			s.Throttle = func(_ *duet.Conn, n int) (time.Duration, error) { return time.Minute, nil }
		})
		s.limit = time.Hour
		target := <-targets
		begin := time.Now()
		for range 3 {
			sendText(t, peer, "x")
			wantText(t, target, "x")
		}
		if took := time.Since(begin); took < 2*time.Minute {
			t.Errorf("three pieces took %v", took)
		}
		halfClose(t, peer)
		wantAll(t, target, "")
		must(t, target.Close())
		s.want(t, duet.EndPeerClosed, io.EOF)
	})
	t.Run("refused", func(t *testing.T) {
		tooMuch := errors.New("too much")
		peer, target, s := forward(t, &handler.Forward{}, "tcp", "tcp", func(s *duet.Server) {
			s.Throttle = func(*duet.Conn, int) (time.Duration, error) { return 0, tooMuch }
		})
		sendText(t, peer, strings.Repeat("x", 100))
		_, _ = io.Copy(io.Discard, target)
		<-s.done
		if s.reason != duet.EndRefused || !errors.Is(s.err, tooMuch) {
			t.Errorf("ended as %v (%v)", s.reason, s.err)
		}
	})
}
