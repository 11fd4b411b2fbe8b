package desk_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"testing"

	"duet.example/duet"
	"duet.example/duet/desk"
	"duet.example/duet/duettest"
)

func bodies(texts ...string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, x := range texts {
			if !yield([]byte(x), nil) {
				return
			}
		}
	}
}

func TestDeliver(t *testing.T) {
	d := &desk.Desk{}
	w := watch(t, d)
	peer, _ := pair(t, d)
	next(t, w, desk.Arrived)
	n, size, err := d.DeliverAll(t.Context(), 1, bodies("one", "two", "three"))
	if n != 3 || size != 11 || err != nil {
		t.Errorf("delivered %d messages, %d bytes, %v", n, size, err)
	}
	for _, want := range []string{"one", "two", "three"} {
		if got, told := receive(t, peer), string(next(t, w, desk.Answered).Text); got != want || told != want {
			t.Errorf("the peer got %q, the desk told %q, want %q", got, told, want)
		}
	}
	broken := errors.New("broken")
	n, _, err = d.DeliverAll(t.Context(), 1, func(yield func([]byte, error) bool) {
		if yield([]byte("four"), nil) && yield(nil, broken) {
			t.Error("went on after an error")
		}
	})
	if n != 1 || !errors.Is(err, broken) {
		t.Errorf("delivered %d, %v", n, err)
	}
	n, _, err = d.DeliverAll(t.Context(), 1, bodies("five", "a\nb", "six"))
	if n != 1 || !errors.Is(err, duet.ErrDelimiter) {
		t.Errorf("delivered %d, %v", n, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Deliver(ended, 1, []byte("seven")); !errors.Is(err, context.Canceled) {
		t.Errorf("delivered after the end: %v", err)
	}
}

// A client that comes back has the number that it had before: it must not get the rest of what the former got.
func TestDeliverKeepsToOneConversation(t *testing.T) {
	d := &desk.Desk{}
	w := watch(t, d)
	first, served := pair(t, d)
	next(t, w, desk.Arrived)
	var second *duet.Conn
	n, _, err := d.DeliverAll(t.Context(), 1, func(yield func([]byte, error) bool) {
		if !yield([]byte("one"), nil) {
			return
		}
		receive(t, first)
		_ = first.Close()
		<-served
		second, _ = pair(t, d)
		for e := next(t, w, desk.Answered); e.Kind != desk.Arrived; {
			e, _ = w.Next(t.Context())
		}
		yield([]byte("two"), nil)
	})
	if n != 1 || err == nil {
		t.Errorf("delivered %d, %v", n, err)
	}
	if err := d.Bye(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if m, err := second.Receive(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("the second got %q, %v", m.Body, err)
	}
}

// serveInMemory serves one end of a conversation in memory with s, and gives the other.
func serveInMemory(t *testing.T, s *duet.Server) *duet.Conn {
	t.Helper()
	a, b := duettest.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.ServeNetConn(b)
	}()
	c := (&duet.Dialer{Options: duet.Options{SendTimeout: -1}}).NewConn(a)
	t.Cleanup(func() {
		_ = c.Close()
		<-done
	})
	return c
}
