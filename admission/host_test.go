package admission_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"

	"duet.example/duet"
	"duet.example/duet/admission"
	"duet.example/duet/duettest"
)

// peerConn is a connection with a chosen address of the peer.
type peerConn struct {
	duettest.Conn
	peer net.Addr
}

func (f peerConn) RemoteAddr() net.Addr { return f.peer }

// visit begins a conversation with s. It ends when the returned connection is closed.
func visit(s *duet.Server, wg *sync.WaitGroup, peer net.Addr, result func(error)) net.Conn {
	client, server := duettest.Pipe()
	wg.Go(func() {
		err := s.ServeNetConn(peerConn{server.(duettest.Conn), peer})
		if result != nil {
			result(err)
		}
	})
	return client
}

func checkHeld(t *testing.T, g *admission.Gate, hosts, pending, meters, departures int) {
	t.Helper()
	h, p, m, d := g.Held()
	if h != hosts || p != pending || m != meters || d != departures {
		t.Errorf("the gate holds %d hosts, %d pending peers, %d meters, %d departures; want %d, %d, %d, %d", h, p, m, d, hosts, pending, meters, departures)
	}
}

func TestMaxPerHost(t *testing.T) {
	for _, tt := range []struct {
		name       string
		same       []string // three peers of one host, which may have two conversations
		others     []string
		remembered int
	}{
		{"IPv4", []string{"192.0.2.1:1", "192.0.2.1:2", "[::ffff:192.0.2.1]:3"}, []string{"192.0.2.2:1", "192.0.2.0:1"}, 3},
		{"IPv6", []string{"[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::ffff:0:0:1]:1"}, []string{"[2001:db8:0:1::1]:1", "[::1]:1"}, 3},
		{"zones", []string{"[fe80::1%eth0]:1", "[fe80::1%eth1]:1", "[fe80::2]:1"}, []string{"[fe81::1]:1"}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &admission.Gate{MaxPerHost: 2}
				var s duet.Server
				g.Guard(&s)
				var wg sync.WaitGroup
				errs := make(chan error, 1)
				one := visit(&s, &wg, tcp(tt.same[0]), nil)
				two := visit(&s, &wg, tcp(tt.same[1]), nil)
				synctest.Wait()
				visit(&s, &wg, tcp(tt.same[2]), func(err error) { errs <- err })
				if err := <-errs; !errors.Is(err, admission.ErrTooMany) || duet.ReasonOf(err) != duet.EndRefused {
					t.Errorf("a third: %v", err)
				}
				clients := []net.Conn{one, two}
				for _, peer := range tt.others {
					clients = append(clients, visit(&s, &wg, tcp(peer), func(err error) {
						if errors.Is(err, admission.ErrTooMany) {
							t.Errorf("%s: %v", peer, err)
						}
					}))
				}
				synctest.Wait()
				checkHeld(t, g, tt.remembered, 0, 0, 0)

				// After one conversation has ended, another is admitted.
				one.Close()
				synctest.Wait()
				clients[0] = visit(&s, &wg, tcp(tt.same[2]), func(err error) {
					if errors.Is(err, admission.ErrTooMany) {
						t.Errorf("after one has left: %v", err)
					}
				})
				for _, c := range clients {
					c.Close()
				}
				wg.Wait()
				checkHeld(t, g, 0, 0, 0, 0)
			})
		})
	}
}

// An admitted peer counts before its conversation begins.
func TestMaxPerHost_Pending(t *testing.T) {
	g := &admission.Gate{MaxPerHost: 2}
	for i, want := range []error{nil, nil, admission.ErrTooMany} {
		peer := tcp(fmt.Sprintf("192.0.2.1:%d", i+1))
		if err := g.Admit(t.Context(), peer); !errors.Is(err, want) {
			t.Errorf("%v: %v, want %v", peer, err, want)
		}
	}
	checkHeld(t, g, 1, 2, 0, 0)
}

// Of many peers at the same time, at most MaxPerHost are admitted.
func TestManyAtOnce(t *testing.T) {
	const limit, peers = 3, 100
	synctest.Test(t, func(t *testing.T) {
		g := &admission.Gate{MaxPerHost: limit}
		leave := make(chan struct{})
		var mu sync.Mutex
		var now, most, refused int
		s := &duet.Server{Handler: duet.HandlerFunc(func(context.Context, *duet.Conn) error {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			<-leave
			mu.Lock()
			now--
			mu.Unlock()
			return nil
		})}
		g.Guard(s)
		var wg sync.WaitGroup
		for i := range peers {
			c := visit(s, &wg, tcp(fmt.Sprintf("192.0.2.1:%d", i+1)), func(err error) {
				if errors.Is(err, admission.ErrTooMany) {
					mu.Lock()
					refused++
					mu.Unlock()
				}
			})
			defer c.Close()
		}
		synctest.Wait()
		mu.Lock()
		if now != limit || most != limit || refused != peers-limit {
			t.Errorf("%d conversations of at most %d, at most %d at a time, %d refused", now, limit, most, refused)
		}
		mu.Unlock()
		close(leave)
		wg.Wait()
		checkHeld(t, g, 0, 0, 0, 0)
	})
}

// A peer that the gate admits and the server refuses does not count.
func TestRefusedByServer(t *testing.T) {
	peer := tcp("192.0.2.1:7")
	serve := func(s *duet.Server) error {
		client, server := duettest.Pipe()
		defer client.Close()
		return s.ServeNetConn(peerConn{server.(duettest.Conn), peer})
	}
	t.Run("by Admit", func(t *testing.T) {
		g := &admission.Gate{MaxPerHost: 1}
		busy := errors.New("busy")
		s := &duet.Server{Options: duet.Options{Trace: g.Trace()}}
		s.Admit = func(ctx context.Context, peer net.Addr) error { return errors.Join(g.Admit(ctx, peer), busy) }
		for range 3 {
			if err := serve(s); !errors.Is(err, busy) || errors.Is(err, admission.ErrTooMany) {
				t.Errorf("refused with %v", err)
			}
		}
		checkHeld(t, g, 0, 0, 0, 0)
	})
	t.Run("closed", func(t *testing.T) {
		g := &admission.Gate{MaxPerHost: 1}
		var s duet.Server
		g.Guard(&s)
		admit := s.Admit
		s.Admit = func(ctx context.Context, peer net.Addr) error {
			s.Close()
			return admit(ctx, peer)
		}
		for range 3 { // the gate keeps nothing of it
			if err := serve(&s); errors.Is(err, admission.ErrTooMany) {
				t.Errorf("closed, and %v", err)
			}
		}
		checkHeld(t, g, 0, 0, 0, 0)
	})
	t.Run("full", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := &admission.Gate{MaxPerHost: 50}
			s := duet.Server{MaxConns: 2}
			g.Guard(&s)
			admit := s.Admit
			meet := make(chan struct{})
			s.Admit = func(ctx context.Context, peer net.Addr) error {
				err := admit(ctx, peer)
				<-meet // so that all peers are admitted before the first conversation begins
				return err
			}
			var wg sync.WaitGroup
			var clients []net.Conn
			for range 20 { // all from one port, which is possible with two listeners
				clients = append(clients, visit(&s, &wg, peer, nil))
			}
			synctest.Wait()
			close(meet)
			synctest.Wait()
			checkHeld(t, g, 1, 0, 0, 0)
			for _, c := range clients {
				c.Close()
			}
			wg.Wait()
			checkHeld(t, g, 0, 0, 0, 0)
		})
	})
	t.Run("after Admit", func(t *testing.T) {
		g := &admission.Gate{MaxPerHost: 3}
		trace := g.Trace()
		full := errors.New("full")
		for range 3 { // all from one port, which is possible with two listeners
			if err := g.Admit(t.Context(), peer); err != nil {
				t.Fatal(err)
			}
		}
		checkHeld(t, g, 1, 1, 0, 0)
		if err := g.Admit(t.Context(), peer); !errors.Is(err, admission.ErrTooMany) {
			t.Errorf("a fourth: %v", err)
		}
		for range 3 {
			trace.Refused(peer, full)
			if err := g.Admit(t.Context(), peer); err != nil {
				t.Errorf("after a peer was refused: %v", err)
			}
			trace.Refused(peer, full)
		}
		checkHeld(t, g, 0, 0, 0, 0)
	})
	t.Run("who was not let in gives nothing back", func(t *testing.T) {
		g := &admission.Gate{MaxPerHost: 1}
		if err := g.Admit(t.Context(), peer); err != nil {
			t.Fatal(err)
		}
		g.Trace().Refused(tcp("192.0.2.1:8"), admission.ErrTooMany)
		if err := g.Admit(t.Context(), tcp("192.0.2.1:8")); !errors.Is(err, admission.ErrTooMany) {
			t.Errorf("two peers, and one may come: %v", err)
		}
	})
}

// A gate that counts nothing holds nothing.
func TestNothingIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &admission.Gate{Deny: rules(t, "192.0.2.0/24")}
		var s duet.Server
		g.Guard(&s)
		var wg sync.WaitGroup
		c := visit(&s, &wg, tcp("10.0.0.1"), nil)
		synctest.Wait()
		checkHeld(t, g, 0, 0, 0, 0)
		c.Close()
		wg.Wait()
	})
	g := new(admission.Gate)
	peer := net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:53122"))
	trace := g.Trace()
	c := new(duet.Conn)
	if n := testing.AllocsPerRun(100, func() {
		_ = g.Admit(context.Background(), peer)
		trace.ConnStart(c)
		if d, err := g.Delay(c, 1<<20); d != 0 || err != nil {
			t.Errorf("the delay is %v, %v", d, err)
		}
		trace.ConnEnd(c, duet.EndClosed, nil)
	}); n != 0 {
		t.Errorf("%v allocations for a conversation that is not counted", n)
	}
}

// Guard keeps the server's Admit, which is called first, and its Trace.
func TestGuardJoins(t *testing.T) {
	closed := errors.New("closed on Sundays")
	refused := 0
	s := &duet.Server{
		Admit:   func(context.Context, net.Addr) error { return closed },
		Options: duet.Options{Trace: &duet.Trace{Refused: func(net.Addr, error) { refused++ }}},
	}
	(&admission.Gate{Deny: rules(t, "192.0.2.1")}).Guard(s)
	if err := s.Admit(t.Context(), tcp("192.0.2.1")); !errors.Is(err, closed) {
		t.Errorf("the error is %v", err)
	}
	s.Trace.Refused(tcp("192.0.2.1"), closed)
	if refused != 1 {
		t.Error("the server's own trace is not called")
	}
}
