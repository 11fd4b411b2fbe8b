package handler_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
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

// hops are the pairs of connections that Forward is tested between: the peer's and the target's.
var hops = []struct{ peer, target string }{
	{"tcp", "tcp"}, {"unix", "unix"}, {"memory", "memory"}, {"traced", "tcp"}, {"tcp", "unix"}, {"unix", "tcp"},
}

// eachHop runs a test between each pair of connections of which both know a reset, or all.
func eachHop(t *testing.T, all bool, f func(t *testing.T, peer, target string)) {
	t.Helper()
	for _, hop := range hops {
		if all || hop.peer != "unix" && hop.target != "unix" {
			t.Run(hop.peer+" to "+hop.target, func(t *testing.T) {
				t.Parallel()
				f(t, hop.peer, hop.target)
			})
		}
	}
}

// forward has h copy from the peer to the target.
func forward(t testing.TB, h *handler.Forward, peerKind, targetKind string, opts ...func(*duet.Server)) (peer, target net.Conn, s *served) {
	t.Helper()
	accepted := listenFor(t, h, targetKind)
	peer, nc := ends(t, peerKind)
	s = serve(t, h, nc, peerKind, opts...)
	target = accepted()
	t.Cleanup(func() { target.Close() })
	return peer, target, s
}

// listenFor gives h a target of the kind; accepted waits until it was dialled.
func listenFor(t testing.TB, h *handler.Forward, kind string) (accepted func() net.Conn) {
	t.Helper()
	if kind == "memory" {
		l := duettest.NewListener()
		t.Cleanup(func() { l.Close() })
		h.Address = transport.Address{Host: "memory", Port: "1"}
		h.Dial = func(ctx context.Context, _ transport.Address) (net.Conn, error) { return l.Dial(ctx) }
		return func() net.Conn { return get(l.Accept())(t) }
	}
	network, address := "tcp", "127.0.0.1:0"
	if kind == "unix" {
		dir := get(os.MkdirTemp("", "h"))(t)
		t.Cleanup(func() { os.RemoveAll(dir) })
		network, address = "unix", filepath.Join(dir, "s")
	}
	l := get(net.Listen(network, address))(t)
	t.Cleanup(func() { l.Close() })
	h.Address = addressOf(t, l.Addr())
	return func() net.Conn { return get(l.Accept())(t) }
}

func addressOf(t testing.TB, a net.Addr) transport.Address {
	t.Helper()
	text := a.String()
	if a.Network() == "unix" {
		text = "unix:" + text
	}
	return get(transport.ParseAddress(transport.DefaultConnect, text))(t)
}

// TestForwardTransfers moves many bytes both ways at once.
func TestForwardTransfers(t *testing.T) {
	eachHop(t, true, func(t *testing.T, peerKind, targetKind string) {
		size := bulkSize()
		peer, target, s := forward(t, &handler.Forward{}, peerKind, targetKind)
		sent := make(chan struct{}, 2)
		send := func(c net.Conn, seed byte, size int64) {
			defer func() { sent <- struct{}{} }()
			if _, err := io.Copy(c, random(seed, size)); err != nil {
				t.Error(err)
			}
			halfClose(t, c)
		}
		go send(peer, 1, size)
		go send(target, 2, size+1)
		received := make(chan struct{})
		go func() {
			defer close(received)
			wantSum(t, "the target received", target, 1, size)
		}()
		wantSum(t, "the peer received", peer, 2, size+1)
		<-received
		<-sent
		<-sent
		s.want(t, duet.EndPeerClosed, io.EOF)
		if s.stats.BytesIn != size || s.stats.BytesOut != size+1 {
			t.Errorf("counted %d in, %d out, want %d and %d", s.stats.BytesIn, s.stats.BytesOut, size, size+1)
		}
	})
}

// TestForwardHalfClose: the end of one side reaches the other, which goes on without a limit.
func TestForwardHalfClose(t *testing.T) {
	t.Parallel()
	const size = 3<<20 + 1
	eachHop(t, true, func(t *testing.T, peerKind, targetKind string) {
		for _, first := range []string{"peer", "target", "peer, which said nothing", "target, which said nothing"} {
			t.Run(first, func(t *testing.T) {
				t.Parallel()
				a, b, s := forward(t, &handler.Forward{}, peerKind, targetKind)
				if strings.HasPrefix(first, "target") {
					a, b = b, a
				}
				question := "question"
				if strings.Contains(first, "nothing") {
					question = ""
				}
				sendText(t, a, question)
				halfClose(t, a)
				wantAll(t, b, question)
				for range 3 { // one at a time: the direction is open, not only not yet closed
					sendText(t, b, "answer")
					wantText(t, a, "answer")
				}
				done := make(chan struct{})
				go func() {
					defer close(done)
					if _, err := io.Copy(b, random(3, size)); err != nil {
						t.Error(err)
					}
					halfClose(t, b)
				}()
				wantSum(t, "heard", a, 3, size)
				<-done
				s.want(t, duet.EndPeerClosed, io.EOF)
			})
		}
	})
}

// TestForwardReset: a reset of one side reaches the other one as a reset, after the bytes that came before it.
func TestForwardReset(t *testing.T) {
	t.Parallel()
	waits := map[string]func(t *testing.T, a, b net.Conn){
		"silent": func(t *testing.T, a, b net.Conn) {
			sendText(t, a, "x")
			wantText(t, b, "x")
		},
		"after its end": func(t *testing.T, a, b net.Conn) {
			halfClose(t, a)
			wantAll(t, b, "")
		},
		"after the other's end": func(t *testing.T, a, b net.Conn) {
			halfClose(t, b)
			wantAll(t, a, "")
		},
		"while it is written to": func(t *testing.T, a, b net.Conn) { flood(t, b) },
		"while it writes":        func(t *testing.T, a, b net.Conn) { flood(t, a) },
	}
	eachHop(t, false, func(t *testing.T, peerKind, targetKind string) {
		for name, wait := range waits {
			for _, who := range []string{"peer", "target"} {
				if peerKind != "tcp" && name != "silent" && name != "after the other's end" && name != "while it is written to" {
					continue // only the system can be asked about a connection that nobody reads
				}
				t.Run(name+", by the "+who, func(t *testing.T) {
					t.Parallel()
					peer, target, s := forward(t, &handler.Forward{}, peerKind, targetKind)
					a, b := peer, target
					if who == "target" {
						a, b = target, peer
					}
					wait(t, a, b)
					cut(t, a)
					wantCut(t, "the other side", b)
					s.want(t, duet.EndReset, nil)
					wantWhose(t, s, who)
				})
			}
		}
	})
}

// wantCut wants a connection to end with a reset. A connection that was read to its end shows the reset only to a Write.
func wantCut(t *testing.T, what string, c net.Conn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, c); errors.Is(err, syscall.ECONNRESET) {
		return
	}
	until(t, what+" is reset", func() bool {
		_, err := c.Write(nil)
		return err != nil
	})
}

// wantWhose wants the error to be the peer's or the target's.
func wantWhose(t *testing.T, s *served, who string) {
	t.Helper()
	var de *duet.Error
	if !errors.As(s.err, &de) || (de.Op == "forward") != (who == "target") {
		t.Errorf("%v, want it to be the %s's", s.err, who)
	}
}

// TestForwardResetDelivers: the bytes that a side had sent before its reset arrive, as far as the other side takes them.
func TestForwardResetDelivers(t *testing.T) {
	t.Parallel()
	const size = 400 << 10
	eachHop(t, false, func(t *testing.T, peerKind, targetKind string) {
		if peerKind == "traced" {
			return // the system does not say how much it still holds, see deliveryBlind
		}
		for _, who := range []string{"peer", "target"} {
			t.Run(who, func(t *testing.T) {
				a, b, s := forward(t, &handler.Forward{}, peerKind, targetKind)
				if who == "target" {
					a, b = b, a
				}
				done := make(chan struct{})
				go func() {
					defer close(done)
					if _, err := io.Copy(a, random(1, size)); err != nil {
						t.Error(err)
					}
				}()
				c := <-s.conn
				until(t, "it was passed on", func() bool {
					st := c.Stats()
					if peerKind == "memory" { // it holds 64 KiB, and one read may take more than the rest
						return st.BytesIn+st.BytesOut > 0
					}
					return st.BytesIn+st.BytesOut == size
				})
				got := make(chan error, 1)
				if peerKind == "memory" { // it holds less
					go func() { <-done; cut(t, a) }()
				} else {
					<-done
					cut(t, a)
				}
				go func() {
					sum, err := sum(&sleepy{r: b, piece: 32 << 10, pause: 5 * time.Millisecond})
					if want := sumOf(1, size); sum != want {
						t.Errorf("arrived %s, want %s", sum, want)
					}
					got <- err
				}()
				if err := <-got; !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("the other side got %v", err)
				}
				s.want(t, duet.EndReset, nil)
			})
		}
	})
}

// TestForwardGone: a side that closes while the other one goes on has gone, and the other one learns it, by a reset if there is one.
func TestForwardGone(t *testing.T) {
	t.Parallel()
	eachHop(t, true, func(t *testing.T, peerKind, targetKind string) {
		for _, who := range []string{"peer", "target"} {
			t.Run(who, func(t *testing.T) {
				t.Parallel()
				a, b, s := forward(t, &handler.Forward{}, peerKind, targetKind)
				if who == "target" {
					a, b = b, a
				}
				sendText(t, a, "enough")
				must(t, a.Close())
				wantAll(t, b, "enough")
				flood(t, b)
				s.want(t, duet.EndReset, nil)
				wantWhose(t, s, who)
				until(t, "it is told", func() bool {
					_, err := b.Write([]byte("x"))
					return err != nil
				})
			})
		}
	})
}

// TestForwardDead: if the target cannot be reached, both sides get one clear line.
func TestForwardDead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, busy, line string }{
		{"default", "", handler.DefaultForwardBusy + "\n"},
		{"own", "later", "later\n"},
		{"none", "-", ""},
	} {
		for _, kind := range kinds {
			t.Run(tt.name+" "+kind, func(t *testing.T) {
				peer, nc := ends(t, kind)
				h := &handler.Forward{Address: deadAddress(t), Busy: tt.busy}
				s := serve(t, h, nc, kind)
				sendText(t, peer, "hello?")
				wantAll(t, peer, tt.line)
				halfClose(t, peer)
				s.want(t, duet.EndHandlerFailed, syscall.ECONNREFUSED)
				if !strings.HasPrefix(s.err.Error(), "forward "+h.Address.String()+" ") || strings.Contains(s.err.Error(), "\n") {
					t.Errorf("the operator reads %q", s.err)
				}
				if s.stats.BytesOut != int64(len(tt.line)) {
					t.Errorf("counted %d out", s.stats.BytesOut)
				}
			})
		}
	}
}

// TestForwardBlackHole: a target that does not answer is given up in time.
func TestForwardBlackHole(t *testing.T) {
	t.Parallel()
	for _, timeout := range []time.Duration{0, time.Minute} {
		t.Run(timeout.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				peer, nc := duettest.Pipe()
				h := holed()
				h.Idle = time.Second // nobody is idle before there is somebody to be heard
				h.Dialer.Timeout = timeout
				begin := time.Now()
				s := serve(t, h, nc, "memory")
				wantAll(t, peer, handler.DefaultForwardBusy+"\n")
				must(t, peer.Close())
				s.limit = time.Hour
				s.want(t, duet.EndHandlerFailed, context.DeadlineExceeded)
				want := timeout
				if want == 0 {
					want = handler.DefaultForwardTimeout
				}
				if took := time.Since(begin); took < want || took > want+time.Second {
					t.Errorf("given up after %v", took)
				}
			})
		})
	}
}

// TestForwardResetAtOnce: a target that resets as soon as it is connected is reset to the peer, also if connect(2) had not returned.
func TestForwardResetAtOnce(t *testing.T) {
	t.Parallel()
	h := &handler.Forward{
		Address: transport.Address{Host: "target", Port: "1"},
		Dial: func(context.Context, transport.Address) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNRESET)}
		},
	}
	peer, nc := ends(t, "tcp")
	s := serve(t, h, nc, "tcp")
	if b, err := io.ReadAll(peer); len(b) > 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the peer got %q, %v; want a reset", b, err)
	}
	s.want(t, duet.EndReset, syscall.ECONNRESET)
}

// holed has a target that does not answer.
func holed() *handler.Forward {
	return &handler.Forward{
		Address: transport.Address{Host: "hole", Port: "1"},
		Dial: func(ctx context.Context, _ transport.Address) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
	}
}

// TestForwardStopsDialling: while the target is dialled the peer may leave, and the server stop.
func TestForwardStopsDialling(t *testing.T) {
	t.Parallel()
	t.Run("reset", func(t *testing.T) {
		peer, nc := ends(t, "tcp")
		s := serve(t, holed(), nc, "tcp")
		<-s.conn
		cut(t, peer)
		s.want(t, duet.EndReset, syscall.ECONNRESET)
	})
	for _, kind := range kinds {
		t.Run("shutdown "+kind, func(t *testing.T) {
			t.Parallel()
			_, nc := ends(t, kind)
			s := serve(t, holed(), nc, kind)
			<-s.conn
			shutdown(t, s)
			s.want(t, duet.EndShutdown, nil)
		})
		t.Run("kick "+kind, func(t *testing.T) {
			t.Parallel()
			_, nc := ends(t, kind)
			s := serve(t, holed(), nc, kind)
			(<-s.conn).Kick("")
			s.want(t, duet.EndKicked, nil)
		})
	}
	t.Run("finished", func(t *testing.T) {
		h := &handler.Forward{}
		accepted := listenFor(t, h, "tcp")
		peer, nc := ends(t, "tcp")
		sendText(t, peer, "all I have to say")
		halfClose(t, peer)
		s := serve(t, h, nc, "tcp")
		target := accepted()
		defer target.Close()
		wantAll(t, target, "all I have to say")
		sendText(t, target, "good")
		must(t, target.Close())
		wantAll(t, peer, "good")
		s.want(t, duet.EndPeerClosed, io.EOF)
	})
}

// TestForwardLoop: a server does not forward to itself, by its address or by another one of this machine.
func TestForwardLoop(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, l net.Listener, to transport.Address, network, address string) {
		t.Helper()
		ends := make(chan error, 100)
		n := 0
		s := &duet.Server{
			Handler: &handler.Forward{Address: to}, Options: duet.Options{
				CloseTimeout: 100 * time.Millisecond,
				Trace:        &duet.Trace{ConnEnd: func(_ *duet.Conn, _ duet.EndReason, err error) { ends <- err }},
			},
		}
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		peer := get(net.Dial(network, address))(t)
		wantAll(t, peer, handler.DefaultForwardBusy+"\n")
		must(t, peer.Close())
		must(t, s.Shutdown(t.Context()))
		<-served
		close(ends)
		for ; ; n++ {
			err, ok := <-ends
			if !ok {
				t.Fatal("nobody noticed")
			}
			if err != nil && strings.Contains(err.Error(), "forward to itself") {
				break
			}
		}
		if n += len(ends); n > 1 {
			t.Errorf("it went round %d times", n)
		}
	}
	t.Run("tcp", func(t *testing.T) {
		l := get(net.Listen("tcp", "127.0.0.1:0"))(t)
		to := addressOf(t, l.Addr())
		to.Host = "localhost"
		run(t, l, to, "tcp", l.Addr().String())
	})
	t.Run("another address", func(t *testing.T) {
		l := get(net.Listen("tcp4", "0.0.0.0:0"))(t)
		to := addressOf(t, l.Addr())
		to.Host = "127.0.0.1"
		run(t, l, to, "tcp", "127.0.0.2:"+to.Port)
	})
	t.Run("unix", func(t *testing.T) {
		dir := get(os.MkdirTemp("", "h"))(t)
		defer os.RemoveAll(dir)
		l := get(net.Listen("unix", filepath.Join(dir, "s")))(t)
		run(t, l, addressOf(t, l.Addr()), "unix", l.Addr().String())
	})
}
