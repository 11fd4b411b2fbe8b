package ring_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"duet.example/duet/internal/ring"
)

// One that speaks among many gets what the others say in few pieces, too.
func TestOwnEntriesCostNoWrites(t *testing.T) {
	r := ring.New(ring.Options{})
	rd := r.Join(1, lines(""), func() bool { return true })
	defer rd.Leave()
	var want strings.Builder
	const n = 2000
	for i := range n {
		say(t, r, uint64(i%2+1), body(i))
		if i%2 == 1 {
			want.WriteString(body(i) + "\n")
		}
	}
	var got strings.Builder
	var calls, total int
	for {
		wire, entries, err := rd.Next()
		if err != nil {
			t.Fatal(err)
		}
		if len(wire) == 0 {
			break
		}
		got.Write(wire)
		calls++
		total += entries
	}
	if got.String() != want.String() || total != n/2 {
		t.Errorf("%d entries, %d bytes, want %d, %d", total, got.Len(), n/2, want.Len())
	}
	if calls > 20 {
		t.Errorf("%d entries in %d pieces", n/2, calls)
	}
}

// A reader gets much at once, and one with a slow peer not so much that nobody
// hears of it for long.
func TestMuchAtOnce(t *testing.T) {
	r := ring.New(ring.Options{})
	var calls []int
	rd := r.Join(0, lines(""), func() bool { return true })
	defer rd.Leave()
	const n = 20_000
	fill(t, r, 1, 0, n)
	for total := 0; total < n*wide; {
		wire, _, err := rd.Next()
		if err != nil || len(wire) == 0 {
			t.Fatalf("%d of %d bytes, %v", total, n*wide, err)
		}
		total += len(wire)
		calls = append(calls, len(wire))
	}
	if len(calls) > 2*n*wide/(64<<10) {
		t.Errorf("%d bytes come in %d pieces", n*wide, len(calls))
	}
	for _, n := range calls {
		if n > 80<<10 {
			t.Errorf("%d bytes at once", n)
		}
	}
}

func TestGiantEntries(t *testing.T) {
	r := ring.New(ring.Options{Limit: limit, Gap: missed})
	a := join(r, 0, "")
	defer a.rd.Leave()
	want := ""
	for _, size := range []int{1, limit / 2, 3 * limit, 10, 5 * limit, 0, 20} {
		s := strings.Repeat("x", size)
		say(t, r, 1, s)
		want += s + "\n"
	}
	a.want(t, want)
}

func TestTellIsBounded(t *testing.T) {
	r := ring.New(ring.Options{})
	rd := r.Join(0, lines(""), func() bool { return true })
	for i := range 1000 {
		if err := rd.Tell([]byte("x")); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if err := rd.Tell([]byte("x")); !errors.Is(err, ring.ErrFull) {
		t.Errorf("after 1000: %v", err)
	}
	if wire, n, err := rd.Next(); n != 1000 || len(wire) != 2000 || err != nil {
		t.Errorf("Next gives %d bytes, %d, %v", len(wire), n, err)
	}
	half := make([]byte, 600<<10)
	if err := rd.Tell(half); err != nil {
		t.Fatal(err)
	}
	if err := rd.Tell(half); !errors.Is(err, ring.ErrFull) {
		t.Errorf("after 1 MiB: %v", err)
	}
	rd.Leave()
	if err := rd.Tell([]byte("x")); !errors.Is(err, ring.ErrLeft) {
		t.Errorf("after Leave: %v", err)
	}
	if wire, n, err := rd.Next(); n != 1 || len(wire) != len(half)+1 || err != nil {
		t.Errorf("Next gives %d bytes, %d, %v", len(wire), n, err)
	}
	if wire, _, err := rd.Next(); len(wire) > 0 || err != nil {
		t.Errorf("Next gives %q, %v", wire, err)
	}
}

func TestEmptyWireIsNoEnd(t *testing.T) {
	r := ring.New(ring.Options{Limit: limit})
	e := ring.Encoding{Key: "bare", Append: func(dst, body []byte) ([]byte, error) { return append(dst, body...), nil }}
	rd := r.Join(1, e, func() bool { return true })
	defer rd.Leave()
	for i := range 50_000 {
		say(t, r, uint64(2+i%2), "")
		if i%100 == 0 {
			if wire, _, err := rd.Next(); len(wire) > 0 || err != nil {
				t.Fatalf("Next gives %q, %v", wire, err)
			}
		}
	}
	say(t, r, 2, "", "x", "")
	if wire, _, err := rd.Next(); string(wire) != "x" || err != nil {
		t.Fatalf("Next gives %q, %v", wire, err)
	}
}

// Leave waits for the pump, and there is none after it.
func TestLeave(t *testing.T) {
	for _, crowd := range []int{0, 40} {
		r := ring.New(ring.Options{})
		var others []*listener
		for range crowd {
			others = append(others, join(r, 0, ""))
		}
		for range 50 {
			var mu sync.Mutex
			left := false
			entered := make(chan struct{}, 1)
			rd := r.Join(0, lines(""), func() bool {
				mu.Lock()
				defer mu.Unlock()
				if left {
					t.Error("pumped after Leave")
				}
				select {
				case entered <- struct{}{}:
				default:
				}
				return true
			})
			var g sync.WaitGroup
			g.Go(func() { say(t, r, 1, "before", "it") })
			<-entered
			g.Go(func() { say(t, r, 1, "meanwhile") })
			rd.Leave()
			mu.Lock()
			left = true
			mu.Unlock()
			g.Wait()
			say(t, r, 1, "after")
			wire, _, err := rd.Next()
			if err != nil || !strings.HasPrefix(string(wire), "before\nit\n") || strings.Contains(string(wire), "after") {
				t.Fatalf("Next gives %q, %v", wire, err)
			}
			if wire, _, _ := rd.Next(); len(wire) > 0 {
				t.Fatalf("and then %q", wire)
			}
			rd.Leave()
		}
		leaveAll(others)
	}
}

// Leave is not held up by others, but by its own pump.
func TestLeaveWaitsForThePump(t *testing.T) {
	r := ring.New(ring.Options{})
	in, out := make(chan struct{}), make(chan struct{})
	rd := r.Join(0, lines(""), func() bool {
		close(in)
		<-out
		return false
	})
	appended, left := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(appended)
		if err := r.Append(t.Context(), 1, []byte("x")); err != nil {
			t.Error(err)
		}
	}()
	<-in
	go func() {
		defer close(left)
		rd.Leave()
	}()
	for rd.Tell() == nil { // until Leave is under way
		runtime.Gosched()
	}
	select {
	case <-left:
		t.Error("Leave returns while the pump runs")
	case <-time.After(20 * time.Millisecond):
	}
	close(out)
	<-left
	<-appended
}

// heap is what is live.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A row lives as long as somebody reads it, and holds no more than the limit.
func TestMemory(t *testing.T) {
	const big = 1 << 20
	r := ring.New(ring.Options{Limit: big, Gap: missed})
	before := heap()
	stopped := r.Join(0, lines(""), func() bool { return true })
	var all []*listener
	for i := range 10 {
		all = append(all, join(r, 0, fmt.Sprint(i%5)))
	}
	say(t, r, 1, "x")
	for i := range 100 { // 20 times the limit
		say(t, r, uint64(i), strings.Repeat("x", big/5))
		for _, l := range all {
			l.mu.Lock()
			l.heard.Reset()
			l.mu.Unlock()
		}
	}
	rows := int64(6)
	if grown := heap() - before; grown > rows*2*big {
		t.Errorf("%d rows hold %d KiB at a limit of %d KiB", rows, grown>>10, big>>10)
	}
	leaveAll(all)
	stopped.Leave()
	stopped.Drop()
	if grown := heap() - before; grown > big/2 {
		t.Errorf("nobody is there, and %d KiB are held", grown>>10)
	}
	// They come anew.
	a := join(r, 0, "")
	say(t, r, 1, "again")
	a.want(t, "again\n")
	a.rd.Leave()
}

// What all have taken is not kept, and what one still has to take who has left
// is.
func TestTakenIsDropped(t *testing.T) {
	for _, readers := range []int{3, 40} {
		r := ring.New(ring.Options{})
		all := make([]*ring.Reader, readers)
		made := make(chan struct{})
		for i := range all {
			all[i] = r.Join(0, lines(""), func() bool {
				<-made
				_, _, err := all[i].Next()
				return err != nil
			})
		}
		close(made)
		gone := r.Join(0, lines(""), func() bool { return true })
		before := heap()
		big := strings.Repeat("x", 1<<20)
		for range 3 {
			say(t, r, 1, big)
		}
		gone.Leave()
		for range 3 {
			say(t, r, 1, big)
			for _, rd := range all {
				for rd.Behind() > 0 {
					runtime.Gosched()
				}
			}
		}
		got := 0
		for {
			wire, n, err := gone.Next()
			if err != nil {
				t.Fatal(err)
			}
			if len(wire) == 0 {
				break
			}
			got += n
		}
		if got != 3 {
			t.Errorf("one that has left got %d, want 3", got)
		}
		gone = nil
		deadline := time.Now().Add(10 * time.Second)
		grown := heap() - before
		for ; grown > 3<<20 && time.Now().Before(deadline); grown = heap() - before {
			say(t, r, 1, "x")
		}
		if grown > 3<<20 {
			t.Errorf("%d readers have taken everything, and %d KiB are held", readers, grown>>10)
		}
		for _, rd := range all {
			rd.Leave()
		}
	}
}
