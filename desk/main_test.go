package desk_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"duet.example/duet"
	"duet.example/duet/desk"
	"duet.example/duet/duettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// next takes the next event, which must be of kind k.
func next(t *testing.T, w *desk.Watch, k desk.Kind) desk.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	e, err := w.Next(ctx)
	if err != nil {
		t.Fatalf("no event of kind %d: %v", k, err)
	}
	if e.Kind != k {
		t.Fatalf("event of kind %d (%q), want %d", e.Kind, e.Text, k)
	}
	return e
}

// watch watches until the test ends.
func watch(t *testing.T, d *desk.Desk) *desk.Watch {
	t.Helper()
	w := d.Watch()
	t.Cleanup(w.Stop)
	return w
}

// pair has d serve one end of a conversation in memory, and gives the other. Served is closed when ServeConn has returned.
func pair(t *testing.T, d *desk.Desk, opts ...func(*duet.Server)) (peer *duet.Conn, served <-chan struct{}) {
	t.Helper()
	peer, c := duettest.ConnPair(t, opts...)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = duet.Serve(context.Background(), c, d)
	}()
	return peer, done
}

func send(t *testing.T, c *duet.Conn, text string) {
	t.Helper()
	if err := c.Send(t.Context(), []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, c *duet.Conn) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	m, err := c.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return string(m.Body)
}

// farewell has bye end the conversation, and shows it at the desk, as the command does.
func farewell(s *duet.Server) { s.Farewell, s.ShowFarewell = "bye", true }
