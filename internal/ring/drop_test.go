package ring_test

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"

	"duet.example/duet/internal/ring"
)

// What a reader has not taken when it is dropped is counted exactly: its own entries not, what it was told too.
func TestDropCounts(t *testing.T) {
	r := ring.New(ring.Options{Gap: missed})
	rd := r.Join(1, lines("a"), func() bool { return true })
	say(t, r, 2, "taken")
	say(t, r, 1, "its own")
	if wire, _, err := rd.Next(); string(wire) != "takena\n" || err != nil {
		t.Fatalf("%q, %v", wire, err)
	}
	say(t, r, 2, "one", "two")
	say(t, r, 1, "its own", "again")
	rd.SetEncoding(lines("b"))
	say(t, r, 3, "three")
	say(t, r, 1, "its own")
	if err := rd.Tell([]byte("four")); err != nil {
		t.Fatal(err)
	}
	if n := rd.Drop(); n != 0 {
		t.Errorf("%d are dropped before it has left", n)
	}
	rd.Leave()
	say(t, r, 3, "after")
	if n := rd.Drop(); n != 4 {
		t.Errorf("has missed %d, want 4", n)
	}
	if n := rd.Drop(); n != 0 {
		t.Errorf("and then %d", n)
	}
	if wire, _, err := rd.Next(); len(wire) > 0 || err != nil {
		t.Errorf("Next gives %q, %v", wire, err)
	}

	// The next ring tells it, and adds what is missed there.
	next := r.Join(1, lines("c"), func() bool { return true })
	defer next.Leave()
	next.Miss(4)
	say(t, r, 2, "five")
	if err := next.Tell([]byte("six")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"missed 4c\n", "sixc\n", "fivec\n", ""} {
		if wire, _, err := next.Next(); string(wire) != want || err != nil {
			t.Errorf("Next gives %q, %v, want %q", wire, err, want)
		}
	}
}

// What was missed elsewhere is told without anything being said, and ends a reader where nothing may be missed.
func TestMissPumps(t *testing.T) {
	for _, gap := range []func(uint64) []byte{missed, nil} {
		r := ring.New(ring.Options{Gap: gap})
		l := join(r, 0, "")
		l.rd.Miss(3)
		if err := l.rd.Tell(); err != nil {
			t.Fatal(err)
		}
		if got := l.got(); gap != nil && got != "missed 3\n" || gap == nil && !errors.Is(l.err, ring.ErrLapped) {
			t.Errorf("%q, %v", got, l.err)
		}
		l.rd.Leave()
	}
}

// A reader for which something waits elsewhere has less room, whichever encodings it has had.
func TestOwed(t *testing.T) {
	r := ring.New(ring.Options{Limit: limit, Gap: missed})
	rd := r.Join(0, lines(""), func() bool { return true })
	defer rd.Leave()
	var owed atomic.Int64
	over := 0
	rd.Owe(&owed, func() { over++ })
	fill(t, r, 9, 0, 50)
	rd.SetEncoding(lines("b"))
	fill(t, r, 9, 0, 50)
	if want := int64(50*wide + 50*(wide+1)); rd.Unread() != want {
		t.Errorf("%d bytes wait, want %d", rd.Unread(), want)
	}
	owed.Store(limit - rd.Unread() - wide - 1)
	fill(t, r, 9, 0, 1)
	if over > 0 || rd.Over() {
		t.Error("is over the limit, which it has only reached")
	}
	fill(t, r, 9, 0, 1)
	if over == 0 || !rd.Over() {
		t.Error("is not over the limit")
	}
	over = 0
	rd.Owe(nil, nil)
	fill(t, r, 9, 0, 1)
	if over > 0 || rd.Over() {
		t.Error("is over the limit, and owed nothing")
	}
}

// A ring in which nobody speaks any more drops the entries that the leavers have taken.
func TestLeaverLetsGo(t *testing.T) {
	q := ring.NewQuota(1<<40, nil)
	r := ring.New(ring.Options{Limit: 1 << 20, Quota: q})
	rd := r.Join(0, lines(""), func() bool { return true })
	fill(t, r, 9, 0, 5000)
	rd.Leave()
	all := q.Total()
	for rd.Unread() > all/4 {
		if _, _, err := rd.Next(); err != nil {
			t.Fatal(err)
		}
	}
	for q.Total() > all*3/4 { // the test's time is the bound
		runtime.Gosched()
	}
	rd.Drop()
	if q.Total() != 0 {
		t.Errorf("%d bytes are held", q.Total())
	}
}
