package duet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"duet.example/duet"
)

// A stuck handler holds each conversation until it is released, and does not look at the connection.
type stuck struct {
	began   chan *duet.Conn
	release chan struct{}
	then    duet.Handler // answers after the release
}

func newStuck(then duet.Handler) *stuck {
	return &stuck{began: make(chan *duet.Conn, 1000), release: make(chan struct{}), then: then}
}

func (s *stuck) ServeConn(ctx context.Context, c *duet.Conn) error {
	s.began <- c
	<-s.release
	return s.then.ServeConn(ctx, c)
}

// free lets the handlers go on. A second call does nothing.
func (s *stuck) free() {
	select {
	case <-s.release:
	default:
		close(s.release)
	}
}

func (s *stuck) next(t *testing.T) *duet.Conn {
	t.Helper()
	select {
	case c := <-s.began:
		return c
	case <-time.After(patience):
		t.Fatal("no conversation began")
		return nil
	}
}

func wantLost(t *testing.T, c *duet.Conn) {
	t.Helper()
	select {
	case <-c.Lost():
	case <-time.After(patience):
		t.Fatalf("conversation %d is not known to be lost", c.ID())
	}
}

// A reset frees the place at once, also while the handler is busy elsewhere. The peer's messages can still be received.
func TestVanish_PlacesAreFree(t *testing.T) {
	const places, lines = 3, 60
	h := &heard{}
	s := newStuck(h)
	st := start(t, tcp, &duet.Server{MaxConns: places, Handler: s})
	defer s.free()
	var said strings.Builder
	for i := range lines {
		fmt.Fprintf(&said, "line %d\n", i)
	}
	for range places {
		p := st.peer(t)
		p.say(said.String())
		c := s.next(t)
		p.reset()
		wantLost(t, c)
	}
	live := st.peer(t)
	live.say("here\n")
	c := s.next(t)
	if c.ID() != places+1 {
		t.Errorf("conversation %d, want %d", c.ID(), places+1)
	}
	s.free()
	for range places {
		st.wantEnd(t, duet.EndReset)
	}
	live.fin()
	st.wantEnd(t, duet.EndPeerClosed)
	if got, want := strings.Count(h.all(), "line 59"), places; got != want {
		t.Errorf("the last line was received %d times, want %d", got, want)
	}
	if got, want := strings.Count(h.all(), "line"), places*lines; got != want {
		t.Errorf("%d lines were received, want %d", got, want)
	}
}

// A server that is full looks for peers that have vanished before it refuses one.
func TestVanish_PlacesAreFreeAtOnce(t *testing.T) {
	const places, rounds = 20, 10
	s := newStuck(duet.HandlerFunc(func(context.Context, *duet.Conn) error { return nil }))
	st := start(t, tcp, &duet.Server{MaxConns: places, Greeting: "hi", Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
		select { // as a handler that waits for a screen, but not for longer than for its peer
		case <-c.Lost():
			return nil
		case <-s.release:
			return s.then.ServeConn(ctx, c)
		}
	})})
	defer s.free()
	for range rounds {
		// Conversations whose peers have vanished take other places, as many as there are, until their handlers have returned.
		waitFor(t, func() bool {
			for c := range st.Conns() {
				select {
				case <-c.Lost():
					return false
				default:
				}
			}
			return true
		})
		for range places / 2 {
			p := st.peer(t)
			p.want("hi\n")
			p.reset()
		}
	}
}

// A FIN keeps its place until the handler has returned and the queue is sent. [C-9]
func TestVanish_FinKeepsItsPlace(t *testing.T) {
	answers := duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
		for m, err := range c.Messages(ctx) {
			if err != nil {
				return err
			}
			if err := c.Post(append([]byte("re: "), m.Body...)); err != nil {
				return err
			}
		}
		return nil
	})
	s := newStuck(answers)
	var refused atomic.Int64
	st := start(t, tcp, &duet.Server{MaxConns: 1, Handler: s, Options: duet.Options{Trace: &duet.Trace{
		Refused: func(net.Addr, error) { refused.Add(1) },
	}}})
	defer s.free()
	p := st.peer(t)
	p.say("hello\n")
	p.fin()
	c := s.next(t)
	st.peer(t).wantEOF()
	if n := refused.Load(); n != 1 {
		t.Fatalf("%d were refused, want 1", n)
	}
	select {
	case <-c.Lost():
		t.Error("a peer that has finished counts as lost")
	default:
	}
	s.free()
	p.want("re: hello\n")
	p.wantEOF()
	st.wantEnd(t, duet.EndPeerClosed)
}

// A lost conversation gives its messages and then the reset. Sending gives the reset, too.
func TestVanish_ReceiveAndSend(t *testing.T) {
	got := make(chan error, 1)
	s := newStuck(duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
		if m, err := c.Receive(ctx); err != nil || string(m.Body) != "hello" {
			got <- fmt.Errorf("received %q, %w", m.Body, err)
			return nil
		}
		if reason, err := c.Result(); reason != duet.EndNone {
			t.Errorf("ended as %v (%v) before anybody touched it", reason, err)
		}
		var de *duet.Error
		if err := c.Send(ctx, []byte("x")); !errors.As(err, &de) || de.Reason != duet.EndReset || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("Send: %v, want a reset", err)
		}
		_, err := c.Receive(ctx)
		got <- err
		return err
	}))
	st := start(t, tcp, &duet.Server{Handler: s})
	defer s.free()
	p := st.peer(t)
	p.say("hello\nunfinished")
	c := s.next(t)
	p.reset()
	wantLost(t, c)
	if len(slices.Collect(st.Conns())) != 1 {
		t.Error("a conversation whose handler runs is not in the roster")
	}
	s.free()
	wantErr(t, "Receive", <-got, syscall.ECONNRESET)
	st.wantEnd(t, duet.EndReset)
	if c.RemoteAddr() == nil {
		t.Error("the address is gone")
	}
}

// A farewell that came before the reset is still the ending.
func TestVanish_Farewell(t *testing.T) {
	h := &heard{}
	s := newStuck(h)
	st := start(t, tcp, &duet.Server{Options: duet.Options{Farewell: "bye", ShowFarewell: true}, Handler: s})
	defer s.free()
	p := st.peer(t)
	p.say("bye\n")
	c := s.next(t)
	p.reset()
	wantLost(t, c)
	s.free()
	st.wantEnd(t, duet.EndFarewell)
	if h.all() != "!bye" {
		t.Errorf("heard %q", h.all())
	}
}

// The bytes that are kept of vanished peers are bounded, for each and in all. Bytes that are received make room for others.
func TestVanish_Bounds(t *testing.T) {
	const most, all, each = 64 << 10, 4 << 20, 100 << 10
	const peers = all/most + 16
	var received atomic.Int64
	reads := duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
		n := 0
		for {
			m, err := c.Receive(ctx)
			if err != nil {
				received.Add(int64(n))
				if !strings.Contains(err.Error(), "are lost") {
					t.Errorf("conversation %d: %v, want an error that says that bytes are lost", c.ID(), err)
				}
				if n > most {
					t.Errorf("%d bytes were kept of conversation %d, want at most %d", n, c.ID(), most)
				}
				return err
			}
			n += len(m.Body) + 1
		}
	})
	var now atomic.Pointer[stuck]
	st := start(t, tcp, &duet.Server{Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
		return now.Load().ServeConn(ctx, c)
	})})
	words := strings.Repeat(strings.Repeat("x", 1023)+"\n", each>>10)
	for range 2 {
		s := newStuck(reads)
		now.Store(s)
		defer s.free()
		var conns []*duet.Conn
		for range peers {
			p := st.peer(t)
			p.say(words)
			conns = append(conns, s.next(t))
			p.reset()
		}
		for _, c := range conns {
			wantLost(t, c)
		}
		s.free()
		for range peers {
			st.wantEnd(t, duet.EndReset)
		}
		if n := received.Swap(0); n > all || n < all/2 {
			t.Errorf("%d bytes were kept of all, want up to %d", n, all)
		}
	}
}

// A reset frees the descriptor, too, and the system has no socket more than before.
func TestVanish_DescriptorsAreFree(t *testing.T) {
	const peers = 50
	s := newStuck(duet.HandlerFunc(func(context.Context, *duet.Conn) error { return nil }))
	st := start(t, tcp, &duet.Server{Handler: s})
	defer s.free()
	open := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(all)
	}
	p := st.peer(t)
	s.next(t)
	before := open()
	var all []*duet.Conn
	for range peers {
		p := st.peer(t)
		all = append(all, s.next(t))
		p.reset()
	}
	for _, c := range all {
		wantLost(t, c)
	}
	if after := open(); after > before {
		t.Errorf("%d descriptors are open, and %d were before %d peers vanished", after, before, peers)
	}
	p.Close()
}

// Handlers that do not return hold at most twice as many places as the limit, and give them back.
func TestVanish_HandlersAreBounded(t *testing.T) {
	const places = 2
	var now atomic.Pointer[stuck]
	st := start(t, tcp, &duet.Server{MaxConns: places, Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
		return now.Load().ServeConn(ctx, c)
	})})
	for range 2 {
		s := newStuck(duet.HandlerFunc(func(context.Context, *duet.Conn) error { return nil }))
		now.Store(s)
		defer s.free()
		for range 2 * places {
			p := st.peer(t)
			c := s.next(t)
			p.reset()
			wantLost(t, c)
		}
		st.peer(t).wantEOF()
		s.free()
		for range 2 * places {
			<-st.ends
		}
		waitFor(t, func() bool { return len(slices.Collect(st.Conns())) == 0 })
	}
	s := newStuck(duet.HandlerFunc(func(context.Context, *duet.Conn) error { return nil }))
	now.Store(s)
	defer s.free()
	for range places {
		st.peer(t)
		s.next(t)
	}
	st.peer(t).wantEOF()
}

// The reset of a throttled peer is noticed, too.
func TestVanish_Throttled(t *testing.T) {
	h := &heard{}
	began := make(chan *duet.Conn, 1)
	st := start(t, tcp, &duet.Server{
		MaxConns: 1,
		Throttle: func(*duet.Conn, int) (time.Duration, error) { return time.Hour, nil },
		Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
			began <- c
			return h.ServeConn(ctx, c)
		}),
	})
	p := st.peer(t)
	p.say("one\n")
	c := <-began
	waitFor(t, func() bool { return h.all() == "one" })
	p.say("two\n")
	p.reset()
	wantLost(t, c)
	st.wantEnd(t, duet.EndReset)
	if h.all() != "one|two" {
		t.Errorf("heard %q", h.all())
	}
}

// Raw returns the bytes of a vanished peer, and then the reset.
func TestVanish_Raw(t *testing.T) {
	for name, throttle := range map[string]func(*duet.Conn, int) (time.Duration, error){
		"": nil, "throttled": func(*duet.Conn, int) (time.Duration, error) { return time.Hour, nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStuck(duet.HandlerFunc(func(_ context.Context, c *duet.Conn) error {
				nc, err := c.Raw(context.Background())
				if err != nil {
					return err
				}
				b, err := io.ReadAll(nc)
				if string(b) != "hello\nhalf" || !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("read %q, %v", b, err)
				}
				if _, werr := nc.Write([]byte("x")); !errors.Is(werr, syscall.ECONNRESET) {
					t.Errorf("write: %v", werr)
				}
				return &duet.Error{Op: "receive", Reason: duet.EndReset, Err: err}
			}))
			st := start(t, tcp, &duet.Server{Handler: s, Throttle: throttle})
			defer s.free()
			p := st.peer(t)
			p.say("hello\nhalf")
			c := s.next(t)
			p.reset()
			wantLost(t, c)
			s.free()
			st.wantEnd(t, duet.EndReset)
		})
	}
}

// A reset that a write or a read has noticed frees the place as well.
func TestVanish_NoticedByOthers(t *testing.T) {
	for name, notice := range map[string]func(ctx context.Context, c *duet.Conn) error{
		"read": func(ctx context.Context, c *duet.Conn) error {
			_, err := c.Receive(ctx)
			return err
		},
		"post": func(ctx context.Context, c *duet.Conn) error {
			for {
				select {
				case <-c.Lost():
					return nil
				case <-time.After(time.Millisecond):
					_ = c.Post([]byte("x"))
				}
			}
		},
	} {
		overEach(t, func(t *testing.T, n network) {
			t.Run(name, func(t *testing.T) {
				switch {
				case !n.hasDescriptor && name == "post":
					t.Skip("without a descriptor a failed write leaves unknown what can still be read")
				case !n.seesResets && name == "read":
					t.Skip("a peer that has left is read to a good end")
				}
				s := newStuck(duet.HandlerFunc(func(context.Context, *duet.Conn) error { return nil }))
				st := start(t, n, &duet.Server{MaxConns: 1, Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
					_ = notice(ctx, c)
					return s.ServeConn(ctx, c)
				})})
				defer s.free()
				p := st.peer(t)
				p.reset()
				c := s.next(t)
				wantLost(t, c)
				q := st.peer(t)
				q.reset()
				s.next(t)
			})
		})
	}
}

// A peer that vanishes before the server has looked for the first time is found as soon as its place is wanted.
func TestVanish_BeforeTheFirstLook(t *testing.T) {
	for range 20 {
		s := newStuck(duet.HandlerFunc(func(context.Context, *duet.Conn) error { return nil }))
		st := start(t, tcp, &duet.Server{MaxConns: 1, Handler: s})
		defer s.free()
		p := st.peer(t)
		lost := s.next(t)
		p.reset()
		st.peer(t)
		if c := s.next(t); c.ID() != 2 {
			t.Errorf("conversation %d, want 2", c.ID())
		}
		wantLost(t, lost)
	}
}

// A conversation is watched from the first look on, so that one that ends before costs no system call for that.
func TestVanish_WatchedFromTheFirstLook(t *testing.T) {
	const firstLook = 100 * time.Millisecond
	for until := time.Now().Add(patience); time.Now().Before(until); {
		s := newStuck(duet.HandlerFunc(func(context.Context, *duet.Conn) error { return nil }))
		st := start(t, tcp, &duet.Server{Handler: s})
		defer s.free()
		before := watches(t) // that of package net, and those of servers before
		began := time.Now()
		st.peer(t)
		s.next(t)
		server := func() (fd string, watched int) {
			for fd, n := range watches(t) {
				if _, known := before[fd]; !known {
					return fd, n
				}
			}
			t.Fatal("the server has no epoll instance")
			return "", 0
		}
		_, watched := server()
		if time.Since(began) >= firstLook {
			continue // too slow to see it
		}
		if watched != 0 {
			t.Errorf("%d connections are watched before the first look, want none", watched)
		}
		waitFor(t, func() bool { _, watched := server(); return watched == 1 })
		return
	}
	t.Skip("the machine is too slow to look within 100 ms")
}

// watches counts the descriptors that each epoll instance of this process watches (proc_pid_fdinfo(5)).
func watches(t *testing.T) map[string]int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	counts := make(map[string]int)
	for _, f := range all {
		if to, _ := os.Readlink("/proc/self/fd/" + f.Name()); to != "anon_inode:[eventpoll]" {
			continue
		}
		info, err := os.ReadFile("/proc/self/fdinfo/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		counts[f.Name()] = strings.Count(string(info), "tfd:")
	}
	return counts
}
