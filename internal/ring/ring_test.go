package ring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"duet.example/duet/internal/ring"
)

// lines is the encoding of a key: each body, the key, a line end. The body
// "unsayable in KEY" cannot be encoded.
func lines(key string) ring.Encoding {
	return ring.Encoding{Key: key, Append: func(dst, body []byte) ([]byte, error) {
		if strings.HasPrefix(string(body), "unsayable in "+key) {
			return dst, errors.New("cannot be said")
		}
		return append(append(append(dst, body...), key...), '\n'), nil
	}}
}

func missed(n uint64) []byte { return fmt.Appendf(nil, "missed %d", n) }

// A listener is a reader whose peer takes everything, or as the test wants it.
type listener struct {
	rd *ring.Reader

	mu      sync.Mutex
	cond    sync.Cond
	heard   bytes.Buffer
	entries int
	err     error
	deaf    bool // takes nothing: reports busy
	pumps   int
}

func join(r *ring.Ring, author uint64, key string) *listener {
	l := &listener{}
	l.cond.L = &l.mu
	l.mu.Lock() // until rd is there
	defer l.mu.Unlock()
	l.rd = r.Join(author, lines(key), l.pump)
	return l
}

func (l *listener) pump() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pumps++
	if l.deaf {
		return true
	}
	l.take()
	return false
}

// take is one Next. mu is held.
func (l *listener) take() bool {
	wire, n, err := l.rd.Next()
	l.heard.Write(wire)
	l.entries += n
	if err != nil {
		l.err = err
	}
	l.cond.Broadcast()
	return len(wire) > 0 && err == nil
}

// drain takes all there is.
func (l *listener) drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.take() {
	}
}

func (l *listener) setDeaf(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deaf = on
}

func (l *listener) got() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard.String()
}

// want waits until the listener has heard as much as want, and compares.
func (l *listener) want(t *testing.T, want string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	late := time.AfterFunc(20*time.Second, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.err = errors.New("does not hear it")
		l.cond.Broadcast()
	})
	defer late.Stop()
	for l.heard.Len() < len(want) && l.err == nil {
		l.cond.Wait()
	}
	if got := l.heard.String(); got != want || l.err != nil {
		t.Fatalf("heard %q (%v), want %q", got, l.err, want)
	}
}

func say(t *testing.T, r *ring.Ring, author uint64, bodies ...string) {
	t.Helper()
	var b [][]byte
	for _, s := range bodies {
		b = append(b, []byte(s))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := r.Append(ctx, author, b...); err != nil {
		t.Fatal(err)
	}
}

func TestAllHearOthers(t *testing.T) {
	r := ring.New(ring.Options{})
	say(t, r, 1, "nobody here")
	a, b, c := join(r, 1, "!"), join(r, 2, "!"), join(r, 3, "?")
	say(t, r, 1, "one", "two")
	say(t, r, 2, "three")
	say(t, r, 0, "four")
	a.want(t, "three!\nfour!\n")
	b.want(t, "one!\ntwo!\nfour!\n")
	c.want(t, "one?\ntwo?\nthree?\nfour?\n")
	for _, l := range []*listener{a, b, c} {
		if n := l.rd.Behind(); n != 0 {
			t.Errorf("behind by %d", n)
		}
		l.rd.Leave()
	}
}
