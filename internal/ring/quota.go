package ring

import (
	"sync"
	"sync/atomic"
)

// quotaStep is how many bytes the total changes before Quota tells it.
const quotaStep = 64 << 10

// A Quota is one limit for what several rings hold. When they hold more, the
// largest drops its oldest blocks, whether or not all have read them: a reader
// that has not is lapped. Nobody waits. All methods may be called by several
// goroutines at once; a nil Quota limits nothing.
type Quota struct {
	limit   int64
	changed func(difference int64)
	total   atomic.Int64
	told    atomic.Int64 // of total; changed under mu

	mu    sync.Mutex
	rings map[*Ring]struct{} // those that hold something
}

// NewQuota makes a Quota of so many bytes. It is kept to within what is
// appended at a time. Changed, if not nil, gets each change of the total, in
// steps of 64 KiB or more, and the rest when the total is zero: the sum of all
// differences is the total to within a step. It is called by several goroutines
// at once, which hold locks: it must not wait, and must not call a ring.
func NewQuota(limit int64, changed func(difference int64)) *Quota {
	return &Quota{limit: limit, changed: changed, rings: map[*Ring]struct{}{}}
}

// Total is how many bytes the rings hold.
func (q *Quota) Total() int64 { return q.total.Load() }

// held notes that r, whose mu is held, holds so many bytes more.
func (q *Quota) held(r *Ring, difference int64) {
	if q == nil || difference == 0 {
		return
	}
	switch now := r.bytes.Add(difference); now {
	case 0, difference:
		q.mu.Lock()
		if now == 0 {
			delete(q.rings, r)
		} else {
			q.rings[r] = struct{}{}
		}
		q.mu.Unlock()
	}
	if total, told := q.total.Add(difference), q.told.Load(); total == 0 || max(total-told, told-total) >= quotaStep {
		q.tell()
	}
}

// tell tells how the total has changed.
func (q *Quota) tell() {
	q.mu.Lock()
	total := q.total.Load()
	difference := total - q.told.Swap(total)
	q.mu.Unlock()
	if q.changed != nil && difference != 0 {
		q.changed(difference)
	}
}

// shed has the largest ring drop what is oldest while there is too much. No
// lock is held.
func (q *Quota) shed() {
	for q != nil && q.total.Load() > q.limit {
		if r := q.largest(); r == nil || !r.shed() {
			return
		}
	}
}

func (q *Quota) largest() (largest *Ring) {
	q.mu.Lock()
	defer q.mu.Unlock()
	most := int64(0)
	for r := range q.rings {
		if n := r.bytes.Load(); n > most {
			largest, most = r, n
		}
	}
	return largest
}

// shed drops the older half of the largest row's full blocks, or the last block
// if there are no others. It reports whether that made the ring smaller.
func (r *Ring) shed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	var largest *row
	for _, x := range r.held {
		if largest == nil || x.bytes() > largest.bytes() {
			largest = x
		}
	}
	if largest == nil || largest.bytes() == 0 {
		return false
	}
	v := *largest.view.Load()
	if n := len(v.old); n > 0 {
		v.old = append([]*block(nil), v.old[(n+1)/2:]...)
	} else {
		head := v.head()
		v.tail = block{seq: head.seq, end: head.seq, off: head.off}
	}
	before := largest.bytes()
	r.publish(largest, &v)
	r.countFull()
	return largest.bytes() < before
}

// publish makes v what the row holds. mu is held.
func (r *Ring) publish(x *row, v *view) {
	before := x.bytes()
	was := x.view.Load()
	x.view.Store(v)
	if n := len(v.old); n != len(was.old) || n > 0 && (v.old[0] != was.old[0] || v.old[n-1] != was.old[n-1]) {
		x.full = 0
		for _, b := range v.old {
			x.full += b.bytes()
		}
	}
	r.quota.held(r, x.bytes()-before)
}

// countFull counts the full blocks. mu is held.
func (r *Ring) countFull() {
	full := 0
	for _, x := range r.held {
		full += len(x.view.Load().old)
	}
	r.behind.Store(int64(full))
}

// bytes is how much memory the row holds. Ring.mu is held.
func (x *row) bytes() int64 { return x.full + x.view.Load().tail.bytes() }

func (b *block) bytes() int64 { return int64(cap(b.data) + runSize*cap(b.done)) }
