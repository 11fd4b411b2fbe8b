package ring_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"duet.example/duet/internal/ring"
)

// One that enters gets all that stands behind what it says then, however many speak at the same time, and nothing that stands before it.
func TestEnterBetweenOthers(t *testing.T) {
	r := ring.New(ring.Options{})
	all := join(r, 0, "")
	defer all.rd.Leave()
	const speakers, each = 4, 200
	var wg sync.WaitGroup
	for i := range speakers {
		wg.Go(func() {
			for range each {
				say(t, r, uint64(i+2), "words")
			}
		})
	}
	l := &listener{}
	l.cond.L = &l.mu
	var there atomic.Bool
	rd, err := r.Enter(t.Context(), 1, lines("!"), func() bool { return there.Load() && l.pump() }, []byte("here I am"), []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Leave()
	l.rd = rd
	there.Store(true)
	if err := rd.Tell(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	say(t, r, 1, "not for me")
	say(t, r, 2, "last")

	total := speakers*each*len("words\n") + len("here I am\nhello\nnot for me\nlast\n")
	heard := hearAll(all, total)
	_, behind, found := strings.Cut(heard, "here I am\nhello\n")
	if !found {
		t.Fatalf("the others have heard %q", heard)
	}
	want := strings.ReplaceAll(strings.Replace(behind, "not for me\n", "", 1), "\n", "!\n")
	l.want(t, want)
	if n := rd.Behind(); n != 0 {
		t.Errorf("behind by %d", n)
	}
}

// hearAll waits until l has heard so many bytes, and gives them.
func hearAll(l *listener, total int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.heard.Len() < total && l.err == nil {
		l.cond.Wait()
	}
	return l.heard.String()
}

// One that enters without being heard, because its context has ended, is there all the same.
func TestEnterWithoutWords(t *testing.T) {
	r := ring.New(ring.Options{})
	other := join(r, 2, "")
	defer other.rd.Leave()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := &listener{}
	l.cond.L = &l.mu
	rd, err := r.Enter(ctx, 1, lines(""), l.pump, []byte("here I am"))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want that of the context", err)
	}
	l.rd = rd
	defer rd.Leave()
	say(t, r, 3, "words")
	l.want(t, "words\n")
	other.want(t, "words\n")
}

// What one says as it enters does not part what it gets: no bytes are copied.
func TestEnterCopiesNothing(t *testing.T) {
	r := ring.New(ring.Options{})
	say(t, r, 2, "before")
	rd, err := r.Enter(t.Context(), 1, lines(""), func() bool { return true }, []byte("here I am"))
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Leave()
	same := r.Join(3, lines(""), func() bool { return true })
	defer same.Leave()
	say(t, r, 2, "after")
	a, _, _ := rd.Next()
	b, _, _ := same.Next()
	if string(a) != "after\n" || len(a) != len(b) || &a[0] != &b[0] {
		t.Errorf("got %q, and the other %q: the same bytes are wanted", a, b)
	}
}
