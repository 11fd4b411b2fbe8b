package duet_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"duet.example/duet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test that ought to be short. It is long because a busy machine may take a hundred
// times as long as an idle one.
const patience = time.Minute

// An ending holds the arguments of a Trace's ConnEnd.
type ending struct {
	id     uint64
	reason duet.EndReason
	err    error
}

// A stage is a server that serves, and the endings of its conversations.
type stage struct {
	*duet.Server
	ends chan ending
	dial func() (net.Conn, error)
}

// start serves until the test ends.
func start(t *testing.T, n network, s *duet.Server) *stage {
	t.Helper()
	st := &stage{Server: s, ends: make(chan ending, 1000)}
	s.Trace = duet.JoinTraces(s.Trace, &duet.Trace{
		ConnEnd: func(c *duet.Conn, r duet.EndReason, err error) { st.ends <- ending{c.ID(), r, err} },
	})
	if s.Logger == nil {
		s.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	var l net.Listener
	l, st.dial = n.listen(t)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; !errors.Is(err, duet.ErrServerClosed) {
			t.Errorf("Serve returned %v", err)
		}
	})
	return st
}

// peer connects a plain socket program.
func (st *stage) peer(t *testing.T) *peer {
	t.Helper()
	nc, err := st.dial()
	if err != nil {
		t.Fatal(err)
	}
	return newPeer(t, nc)
}

// wantEnd waits for the next conversation's end.
func (st *stage) wantEnd(t *testing.T, want duet.EndReason) ending {
	t.Helper()
	select {
	case e := <-st.ends:
		if e.reason != want {
			t.Errorf("ended as %v (%v), want %v", e.reason, e.err, want)
		}
		return e
	case <-time.After(patience):
		t.Fatalf("did not end, want %v", want)
	}
	return ending{}
}

// A peer is a plain socket program.
type peer struct {
	net.Conn
	t *testing.T
}

func newPeer(t *testing.T, nc net.Conn) *peer {
	nc = plainConn(nc)
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	return &peer{nc, t}
}

func (p *peer) say(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.Conn, s); err != nil {
		p.t.Fatalf("peer cannot send %q: %v", s, err)
	}
}

func (p *peer) want(s string) {
	p.t.Helper()
	got := make([]byte, len(s))
	n, err := io.ReadFull(p.Conn, got)
	if err != nil || string(got) != s {
		p.t.Fatalf("peer got %q, %v; want %q", got[:n], err, s)
	}
}

func (p *peer) wantEOF() {
	p.t.Helper()
	rest, err := io.ReadAll(p.Conn)
	if len(rest) > 0 || err != nil && !hasUnread(p.Conn) {
		p.t.Fatalf("peer got %q, %v; want the end", rest, err)
	}
}

func (p *peer) fin() {
	p.t.Helper()
	if err := halfClose(p.Conn); err != nil {
		p.t.Fatalf("peer cannot half-close: %v", err)
	}
}

// reset makes the connection end with a RST.
func (p *peer) reset() { resetConn(p.Conn) }

// heard collects the messages that handlers received.
type heard struct {
	mu   sync.Mutex
	said []string
}

func (h *heard) add(s string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said = append(h.said, s)
}

// all returns the messages, a farewell marked by !.
func (h *heard) all() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.said, "|")
}

// ServeConn receives until the end.
func (h *heard) ServeConn(ctx context.Context, c *duet.Conn) error {
	for {
		m, err := c.Receive(ctx)
		if err != nil {
			return err
		}
		s := string(m.Body)
		if m.Farewell {
			s = "!" + s
		}
		h.add(s)
	}
}

func wantReason(t *testing.T, c *duet.Conn, want duet.EndReason) {
	t.Helper()
	if r, err := c.Result(); r != want {
		t.Errorf("ended as %v (%v), want %v", r, err, want)
	}
}

func wantErr(t *testing.T, call string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", call, err, want)
	}
}

// wantReceive receives one message.
func wantReceive(t *testing.T, c *duet.Conn, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m, err := c.Receive(ctx)
	if err != nil || string(m.Body) != want {
		t.Fatalf("received %q, %v; want %q", m.Body, err, want)
	}
}

// wantEOF receives the peer's end.
func wantEOF(t *testing.T, c *duet.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if m, err := c.Receive(ctx); err != io.EOF {
		t.Fatalf("received %q, %v; want io.EOF", m.Body, err)
	}
}

// two returns both ends of one conversation.
func two(t *testing.T, n network, d duet.Dialer) (a, b *duet.Conn) {
	t.Helper()
	x, y := connect(t, n)
	a, b = d.NewConn(x), d.NewConn(y)
	t.Cleanup(func() {
		var wg sync.WaitGroup
		wg.Go(func() { a.Close() })
		b.Close()
		wg.Wait()
	})
	return a, b
}

// connect makes one connection.
func connect(t *testing.T, n network) (a, b net.Conn) {
	t.Helper()
	l, dial := n.listen(t)
	defer l.Close()
	a, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	if err := shakeHands(a, b); err != nil {
		t.Fatal(err)
	}
	return a, b
}
