package ring_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"duet.example/duet/internal/ring"
)

// A ledger adds up what a quota tells.
type ledger struct {
	mu       sync.Mutex
	total    int64
	calls    int
	smallest int64 // difference, except those that make the total zero
}

func (l *ledger) changed(difference int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	l.total += difference
	if n := max(difference, -difference); l.total != 0 && (l.smallest == 0 || n < l.smallest) {
		l.smallest = n
	}
}

const quotaStep = 64 << 10

// The total is what the rings hold, told in coarse steps, and zero when nobody reads them.
func TestQuotaIsTold(t *testing.T) {
	var told ledger
	q := ring.NewQuota(1<<40, told.changed)
	var all []*listener
	var rings []*ring.Ring
	for range 3 {
		r := ring.New(ring.Options{Limit: 1 << 20, Gap: missed, Quota: q})
		rings = append(rings, r)
		for i := range 2 {
			l := join(r, 0, fmt.Sprint(i))
			l.setDeaf(true)
			all = append(all, l)
		}
		keeper := join(r, 0, "0")
		all = append(all, keeper)
	}
	before := heap()
	for range 200 {
		for _, r := range rings {
			say(t, r, 1, strings.Repeat("x", 2<<10))
		}
	}
	grown, total := heap()-before, q.Total()
	for _, l := range all { // what the test itself has kept
		l.mu.Lock()
		grown -= int64(l.heard.Cap())
		l.mu.Unlock()
	}
	if total < 2*3*200*2<<10 || total > grown*5/4+quotaStep || total < grown*3/4 {
		t.Errorf("the total is %d KiB, and %d KiB are in use", total>>10, grown>>10)
	}
	if told.total > total || told.total < total-quotaStep {
		t.Errorf("told of %d bytes, of %d", told.total, total)
	}
	if told.calls > int(total/quotaStep) || told.smallest < quotaStep {
		t.Errorf("told %d times, by %d bytes at least", told.calls, told.smallest)
	}
	for _, l := range all {
		l.rd.Leave()
	}
	if q.Total() < total/2 {
		t.Errorf("%d bytes are kept of %d for those that have not taken them", q.Total(), total)
	}
	for i, l := range all {
		if i%2 == 0 {
			l.rd.Drop()
		} else {
			l.drain()
		}
	}
	if q.Total() != 0 || told.total != 0 {
		t.Errorf("all have left and taken everything, and the total is %d, told %d", q.Total(), told.total)
	}
}

// Over the limit the largest ring drops its oldest blocks. Readers that have not taken them learn it; all others miss nothing.
func TestQuotaIsALimit(t *testing.T) {
	const most = 1 << 20
	q := ring.NewQuota(most, nil)
	small := ring.New(ring.Options{Gap: missed, Quota: q})
	patient := join(small, 0, "")
	patient.setDeaf(true)
	fill(t, small, 9, 0, 100)
	var all []*listener
	var large []*ring.Ring
	for range 4 {
		r := ring.New(ring.Options{Gap: missed, Quota: q})
		l := join(r, 0, "")
		l.setDeaf(true)
		all, large = append(all, l), append(large, r)
	}
	const lines = 10_000 // 4 MB in all
	for i := range lines {
		for _, r := range large {
			say(t, r, 9, body(i))
		}
		if total := q.Total(); total > most+512<<10 {
			t.Fatalf("after %d lines each the rings hold %d KiB of %d", i, total>>10, most>>10)
		}
	}
	patient.drain()
	patient.want(t, lineUp(0, 100))
	for _, l := range all {
		l.drain()
		gap, rest, _ := strings.Cut(l.got(), "\n")
		var n int
		if _, err := fmt.Sscanf(gap, "missed %d", &n); err != nil || rest != lineUp(n, lines) {
			t.Errorf("begins with %q, and goes on with %d bytes", gap, len(rest))
		}
	}
	leaveAll(append(all, patient))
}

// Many rings that hold little are bounded, too.
func TestQuotaOfManyRings(t *testing.T) {
	const most = 256 << 10
	q := ring.NewQuota(most, nil)
	var all []*listener
	for range 200 {
		r := ring.New(ring.Options{Gap: missed, Quota: q})
		l := join(r, 0, "")
		l.setDeaf(true)
		all = append(all, l)
		fill(t, r, 9, 0, 50)
		if total := q.Total(); total > most+64<<10 {
			t.Fatalf("%d rings hold %d KiB of %d", len(all), total>>10, most>>10)
		}
	}
	lost := 0
	for i, l := range all {
		l.drain()
		n, rest := 0, l.got()
		if gap, after, _ := strings.Cut(rest, "\n"); strings.HasPrefix(gap, "missed ") {
			_, _ = fmt.Sscanf(gap, "missed %d", &n)
			rest = after
			lost++
		}
		if rest != lineUp(n, 50) {
			t.Errorf("reader %d: after a gap of %d come %d bytes", i, n, len(rest))
		}
	}
	if lost == 0 {
		t.Error("nobody has lost anything: the test is too small")
	}
	leaveAll(all)
}
