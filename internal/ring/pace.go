package ring

import (
	"context"
	"sync"
	"time"
)

const (
	farBuckets  = 8              // so many make half of the limit
	nearBuckets = 2 * farBuckets // more than there are between a row's edge and its head
	stalled     = 200            // ms; busy for so long without a Next: nobody waits for that one
	stalledLong = 2000           // ms; the same with Options.Patience
	regained    = 10             // a reader gets back one part in so many of the time that passes
	lookAgain   = 50 * time.Millisecond
	ownReaders  = 16 // more than an author has
)

// A pace knows how many readers are far behind: by more than half of the limit,
// to within a sixteenth. A row's bytes are counted in buckets; a reader is in
// that of its place, and moves only once in a bucket. As the row's head goes on,
// whole buckets become far.
//
// A free reader could be written to, and is far only because the machine has
// not come to it yet. A busy one has a slow peer, or a machine that is slow as a
// whole if most are like that.
type pace struct {
	bucket   uint64 // bytes
	stalled  coarse // busy for so long without a Next: nobody waits for that one
	patience coarse // how long Append waits for one reader; zero: only for a majority

	mu      sync.Mutex
	in      int   // readers that count: those that take something
	far     tally // of these, far behind
	waiters map[*waiter]struct{}
}

// A tally is numbers of readers. Those that are awaited are busy, and Append
// has not used up its patience with them.
type tally struct{ free, busy, awaited int }

func (t *tally) add(m mark, awaited bool, n int) {
	switch {
	case !m.busy:
		t.free += n
	case awaited:
		t.awaited += n
		t.busy += n
	default:
		t.busy += n
	}
}

// A mark is what the pace knows of a reader: under both shard.mu and pace.mu
// when it changes.
type mark struct {
	bucket  uint64
	charged coarse // when waited was brought up to date
	waited  uint16 // ms of the patience that are used up
	busy    bool
	out     bool // does not count
}

// A waiter is an Append that waits.
type waiter struct {
	author *author
	free   chan struct{} // closed when it may look again
}

// advance tells how far a row has got.
func (p *pace) advance(x *row, headOff uint64) {
	head := headOff / p.bucket
	if head <= x.edge+farBuckets { // only changed here, under Ring.mu
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	edge := head - farBuckets
	for i := x.edge; i < min(edge, x.edge+nearBuckets); i++ {
		t := &x.near[i%nearBuckets]
		p.far.free += t.free
		p.far.busy += t.busy
		p.far.awaited += t.awaited
		*t = tally{}
	}
	x.edge = edge
}

// count adds n to where a reader stands. mu is held.
func (p *pace) count(rd *Reader, n int) {
	t := &p.far
	if rd.mark.bucket >= rd.row.edge {
		t = &rd.row.near[rd.mark.bucket%nearBuckets]
	}
	p.in += n
	t.add(rd.mark, p.awaits(rd), n)
}

// awaits reports whether patience with the reader is left. mu is held.
func (p *pace) awaits(rd *Reader) bool { return coarse(rd.mark.waited) < p.patience }

// charge uses up patience with a reader that is far behind, because somebody has waited for so long.
func (p *pace) charge(rd *Reader, now, waited coarse) {
	if p.patience == 0 || rd.mark.out || !rd.mark.busy {
		return
	}
	p.change(rd, func() {
		p.regain(rd, now)
		if rd.mark.bucket < rd.row.edge {
			rd.mark.waited = uint16(min(coarse(rd.mark.waited)+waited, p.patience))
		}
	})
}

// regain gives back some of the patience. It is called in a change.
func (p *pace) regain(rd *Reader, now coarse) {
	m := &rd.mark
	m.waited -= uint16(min(coarse(m.waited), (now-m.charged)/regained))
	m.charged = now
}

// change takes a reader out, changes it, and puts it back in where it belongs.
func (p *pace) change(rd *Reader, f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !rd.mark.out {
		p.count(rd, -1)
	}
	f()
	if !rd.mark.out {
		p.count(rd, 1)
	}
	p.notify()
}

func (p *pace) join(rd *Reader) {
	p.mu.Lock()
	defer p.mu.Unlock()
	rd.mark = mark{bucket: rd.off / p.bucket}
	p.count(rd, 1)
	if rd.who != nil {
		rd.sibling, rd.who.first = rd.who.first, rd
	}
}

// moved tells that the reader's place is another.
func (p *pace) moved(rd *Reader) {
	if b := rd.off / p.bucket; b != rd.mark.bucket {
		p.change(rd, func() { rd.mark.bucket = b })
	}
}

// hold gives what an author has to wait for; nil: nothing.
func (p *pace) hold(a *author) *waiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.slow(a) {
		return nil
	}
	w := &waiter{author: a, free: make(chan struct{})}
	if p.waiters == nil {
		p.waiters = map[*waiter]struct{}{}
	}
	p.waiters[w] = struct{}{}
	return w
}

// slow reports whether what an author says would come too fast. mu is held.
func (p *pace) slow(a *author) bool {
	in, far := p.in, p.far
	if a != nil {
		for rd := a.first; rd != nil; rd = rd.sibling {
			if rd.mark.out {
				continue
			}
			in--
			if rd.mark.bucket < rd.row.edge {
				far.add(rd.mark, p.awaits(rd), -1)
			}
		}
	}
	return far.free > 0 || far.awaited > 0 || 2*far.busy > in
}

// notify wakes those who need not wait any more. mu is held.
func (p *pace) notify() {
	if len(p.waiters) == 0 || p.far.free > ownReaders || p.far.awaited > ownReaders {
		return // that holds up everybody
	}
	for w := range p.waiters {
		if !p.slow(w.author) {
			delete(p.waiters, w)
			close(w.free)
		}
	}
}

// wait returns when an author should try again.
func (r *Ring) wait(ctx context.Context, w *waiter) error {
	defer func() {
		r.pace.mu.Lock()
		defer r.pace.mu.Unlock()
		delete(r.pace.waiters, w)
	}()
	r.lookForStalled()
	timer := time.NewTimer(lookAgain)
	defer timer.Stop()
	select {
	case <-w.free:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// lookForStalled takes those out of the count that have not taken anything for
// too long.
func (r *Ring) lookForStalled() {
	now, last := time.Since(r.start), r.looked.Load()
	if last != 0 && now-time.Duration(last) < lookAgain/2 || !r.looked.CompareAndSwap(last, int64(now)) {
		return // somebody has just done it
	}
	waited := coarse(min(now-time.Duration(last), 2*lookAgain).Milliseconds()) // longer: nobody waited
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for _, rd := range s.readers {
			s.ifStalled(rd, r.coarse())
			r.pace.charge(rd, r.coarse(), waited)
		}
		s.mu.Unlock()
	}
}

// ifStalled takes a reader out that is. mu is held.
func (s *shard) ifStalled(rd *Reader, now coarse) {
	if rd.state == busy && !rd.mark.out && int32(now-rd.since) >= int32(s.ring.pace.stalled) { // a walk's now may be the older
		s.ring.pace.change(rd, func() { rd.mark.out = true })
	}
}
