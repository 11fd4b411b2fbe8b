package room_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"duet.example/duet"
	"duet.example/duet/duettest"
	"duet.example/duet/room"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// A peer is the far end of a member's conversation.
type peer struct {
	t      *testing.T
	conn   *duet.Conn
	server *duet.Conn
	served <-chan error // what ServeConn returned
}

// join makes a peer a member of h, over a pipe, and lets it take its welcome.
func join(t *testing.T, h *room.Hall, opts ...func(*duet.Server)) *peer {
	t.Helper()
	p := enter(t, h, opts...)
	if !h.Relay {
		if welcome := p.next(); !strings.HasPrefix(welcome, "-- you are guest-") {
			t.Fatalf("welcome: %q", welcome)
		}
	}
	return p
}

// enter is join without the welcome.
func enter(t *testing.T, h *room.Hall, opts ...func(*duet.Server)) *peer {
	t.Helper()
	client, server := duettest.ConnPair(t, opts...)
	served := make(chan error, 1)
	go func() {
		served <- duet.Serve(context.Background(), server, h)
		close(served)
	}()
	return &peer{t, client, server, served}
}

// called joins h under a name; the others have heard of both when it returns, but have not taken it.
func called(t *testing.T, h *room.Hall, name string, opts ...func(*duet.Server)) *peer {
	t.Helper()
	p := join(t, h, opts...)
	p.say("/nick " + name)
	p.expectEnd(" is " + name + " from now on")
	return p
}

func (p *peer) say(lines ...string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, line := range lines {
		if err := p.conn.Send(ctx, []byte(line)); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *peer) next() string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m, err := p.conn.Receive(ctx)
	if err != nil {
		p.t.Fatalf("receive: %v", err)
	}
	return string(m.Body)
}

// expect takes lines, which must be these.
func (p *peer) expect(lines ...string) {
	p.t.Helper()
	for _, want := range lines {
		if got := p.next(); got != want {
			p.t.Fatalf("got  %q\nwant %q", got, want)
		}
	}
}

// expectEnd takes a line, which must end so.
func (p *peer) expectEnd(end string) {
	p.t.Helper()
	if got := p.next(); !strings.HasSuffix(got, end) {
		p.t.Fatalf("got %q, want … %q", got, end)
	}
}

// gone waits until the conversation has left the hall, and gives how it ended.
func (p *peer) gone() duet.EndReason {
	p.t.Helper()
	select {
	case <-p.served:
	case <-time.After(patience):
		p.t.Fatal("ServeConn has not returned")
	}
	reason, _ := p.server.Result()
	return reason
}

// skip takes lines until one is this.
func (p *peer) skip(until string) {
	p.t.Helper()
	for range 10000 {
		if p.next() == until {
			return
		}
	}
	p.t.Fatalf("%q has not come", until)
}
