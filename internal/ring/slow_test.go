package ring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet/internal/ring"
)

const (
	limit = 16 << 10
	wide  = 100 // bytes of an entry
)

func body(i int) string { return fmt.Sprintf("%0*d", wide-1, i) }

// fill appends entries from .. to-1.
func fill(t *testing.T, r *ring.Ring, author uint64, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		say(t, r, author, body(i))
	}
}

func TestLapped(t *testing.T) {
	r := ring.New(ring.Options{Limit: limit, Gap: missed})
	slow, fast := join(r, 1, ""), join(r, 2, "")
	slow.setDeaf(true)
	fill(t, r, 3, 0, 10)
	fill(t, r, 1, 10, 20) // its own
	fill(t, r, 3, 20, 1000)
	if n := slow.rd.Behind(); n != 990 {
		t.Errorf("behind by %d, want 990", n)
	}
	fast.want(t, lineUp(0, 1000))
	slow.drain()
	gap, rest, _ := strings.Cut(slow.got(), "\n")
	var n int
	if _, err := fmt.Sscanf(gap, "missed %d", &n); err != nil {
		t.Fatalf("begins with %q", gap)
	}
	if want := lineUp(10+n, 1000); rest != want {
		t.Errorf("after a gap of %d come %d bytes, want %d", n, len(rest), len(want))
	}
	// Well inside: neither at the edge, nor at the end.
	if len(rest) > limit*3/4 || len(rest) < limit/4 {
		t.Errorf("goes on %d bytes behind, of %d", len(rest), limit)
	}
	if strings.Contains(rest, "missed") {
		t.Error("more than one gap")
	}
	if n := slow.rd.Behind(); n != 0 {
		t.Errorf("behind by %d", n)
	}
	fill(t, r, 3, 1000, 1001)
	slow.rd.Leave()
	fast.rd.Leave()
	if n := slow.rd.Behind(); n != 1 {
		t.Errorf("has left behind by %d, want 1", n)
	}
}

func lineUp(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		b.WriteString(body(i) + "\n")
	}
	return b.String()
}

func TestLappedEnds(t *testing.T) {
	r := ring.New(ring.Options{Limit: limit})
	slow := join(r, 0, "")
	slow.setDeaf(true)
	fast := join(r, 0, "")
	fill(t, r, 3, 0, limit/wide) // as much as it may be behind
	slow.drain()
	if slow.err != nil || slow.got() != lineUp(0, limit/wide) {
		t.Fatalf("within the limit: %v, %d bytes", slow.err, len(slow.got()))
	}
	fill(t, r, 3, 0, 400)
	for range 2 {
		if wire, _, err := slow.rd.Next(); !errors.Is(err, ring.ErrLapped) || len(wire) > 0 {
			t.Fatalf("Next gives %q, %v", wire, err)
		}
	}
	if err := slow.rd.Tell([]byte("x")); !errors.Is(err, ring.ErrLapped) {
		t.Errorf("Tell gives %v", err)
	}
	pumps := slow.pumps
	fill(t, r, 3, 0, 400)
	if slow.pumps != pumps {
		t.Error("is pumped after its end")
	}
	slow.rd.Leave()
	fast.rd.Leave()
}

// What Next has given stays as it was, although the ring goes round.
func TestBytesNeverChange(t *testing.T) {
	r := ring.New(ring.Options{Limit: limit, Gap: missed})
	rd := r.Join(1, lines(""), func() bool { return true })
	defer rd.Leave()
	var held, copies [][]byte
	for i := range 3000 {
		say(t, r, uint64(1+i%3), strings.Repeat(fmt.Sprint(i), 1+i%50))
		if i%7 == 0 {
			wire, _, err := rd.Next()
			if err != nil {
				t.Fatal(err)
			}
			_ = append(wire, "overwrites what comes next?"...)
			held, copies = append(held, wire), append(copies, bytes.Clone(wire))
		}
	}
	for i := range held {
		if !bytes.Equal(held[i], copies[i]) {
			t.Fatalf("bytes %d have changed", i)
		}
	}
}

// pressure is a ring with readers whose pump is busy, and how many entries went
// in before an Append had to wait.
func pressure(t *testing.T, readers int, ctx context.Context) (*ring.Ring, []*listener, func() (int, error)) {
	r := ring.New(ring.Options{Limit: limit, Gap: missed})
	var all []*listener
	for range readers {
		all = append(all, join(r, 0, ""))
	}
	return r, all, func() (int, error) {
		for i := range 4 * limit / wide {
			start := time.Now()
			if err := r.Append(ctx, 9, []byte(body(i))); err != nil {
				return i, err
			}
			if time.Since(start) > 0 {
				return i, nil
			}
		}
		return 4 * limit / wide, nil
	}
}

func TestMinorityDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, all, run := pressure(t, 4, t.Context())
		all[0].setDeaf(true)
		all[1].setDeaf(true) // half is no majority
		if n, err := run(); n != 4*limit/wide || err != nil {
			t.Errorf("waits after %d entries, %v", n, err)
		}
		leaveAll(all)
	})
}

func leaveAll(all []*listener) {
	for _, l := range all {
		l.rd.Leave()
	}
}

func TestMajorityDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, all, run := pressure(t, 3, t.Context())
		all[0].setDeaf(true)
		all[1].setDeaf(true)
		start := time.Now()
		done := make(chan int)
		go func() {
			n, _ := run()
			done <- n
		}()
		synctest.Wait()
		select {
		case n := <-done:
			t.Fatalf("%d entries without waiting", n)
		default:
		}
		time.Sleep(10 * time.Millisecond) // of the bubble
		all[0].drain()
		n := <-done
		if took := time.Since(start); took != 10*time.Millisecond {
			t.Errorf("goes on after %v, want as soon as one has taken something", took)
		}
		if behind := n * wide; behind < limit/2 || behind > limit*3/4 {
			t.Errorf("waits at %d bytes, want half of %d", behind, limit)
		}
		// Its own readers do not count.
		own := r.Join(9, lines(""), func() bool { return true })
		other := join(r, 8, "")
		say(t, r, 8, "x")
		own.Leave()
		other.rd.Leave()
		leaveAll(all)
	})
}

// A reader that takes nothing for 200 ms does not count, so that nobody waits
// where all are like that.
func TestStalledDelayNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, all, run := pressure(t, 3, t.Context())
		for _, l := range all {
			l.setDeaf(true)
		}
		start := time.Now()
		if _, err := run(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 200*time.Millisecond || took > 260*time.Millisecond {
			t.Errorf("waits for %v", took)
		}
		if n, err := run(); n != 4*limit/wide || err != nil {
			t.Errorf("waits after %d entries, %v", n, err)
		}
		// One that takes something again counts again.
		all[0].take()
		if n, _ := run(); n == 4*limit/wide {
			t.Error("waits no more")
		}
		leaveAll(all)
	})
}

// Two in a room: the author's own reader makes no majority.
func TestAuthorDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring.New(ring.Options{Limit: limit})
		author, other := join(r, 9, ""), join(r, 8, "")
		other.setDeaf(true)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		i := 0
		for ctx.Err() == nil && i < 1000 {
			if err := r.Append(ctx, 9, []byte(body(i))); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			i++
		}
		if i == 1000 {
			t.Error("does not wait")
		}
		if n := other.rd.Behind(); n != uint64(i-1) {
			t.Errorf("behind by %d, want %d: an Append that has failed added nothing", n, i-1)
		}
		other.drain()
		if other.err != nil {
			t.Error(other.err)
		}
		leaveAll([]*listener{author, other})
	})
}

// Readers that only wait for the machine to come to them are never lapped,
// however few of them there are.
func TestMachineIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring.New(ring.Options{Limit: limit})
		var all []*listener
		for range 40 {
			all = append(all, join(r, 0, ""))
		}
		first := true
		hard := r.Join(0, lines(""), func() bool {
			if first {
				first = false
				time.Sleep(100 * time.Millisecond) // of the bubble: the whole shard waits
			}
			return false
		})
		for i := range 10 * limit / wide {
			if err := r.Append(t.Context(), 9, []byte(body(i))); err != nil {
				t.Fatal(err)
			}
		}
		for i, l := range all {
			synctest.Wait()
			if l.err != nil || l.got() != lineUp(0, 10*limit/wide) {
				t.Fatalf("reader %d: %v after %d bytes", i, l.err, len(l.got()))
			}
		}
		hard.Leave()
		leaveAll(all)
	})
}

// A pump that takes its time and then is busy has not stalled: its reader counts.
func TestLongPumpIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring.New(ring.Options{Limit: limit})
		rd := r.Join(0, lines(""), func() bool {
			time.Sleep(5 * time.Millisecond) // of the bubble
			return true
		})
		defer rd.Leave()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		n := 0
		for n < 2*limit/wide && r.Append(ctx, 9, []byte(body(n))) == nil {
			n++
		}
		if n*wide > limit*3/4 {
			t.Errorf("%d entries without waiting", n)
		}
	})
}
