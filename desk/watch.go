package desk

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"duet.example/duet"
)

// How much may wait for one who watches: events, and bytes of what was said in
// them. One event may run over by what it brings. What operators say has as much again for itself: an
// operator whose screen is stuck must not be stuck too.
const (
	watchEvents = 256
	watchBytes  = 2 << 20
)

// Errors of Next.
var (
	// ErrStopped: Stop was called.
	ErrStopped = errors.New("watch stopped")
	// ErrSlow: more events came than this subscriber took, and the desk does not wait for it. The watch has ended.
	ErrSlow = errors.New("did not take the events in time")
)

// A Watch is a subscriber to the events of a desk. Next returns them in order, until Stop.
type Watch struct {
	desk  *Desk
	far   bool          // nobody waits for it: it is ended when its queue is full
	spare int           // how many times the limits hold for events that no peer waits for
	more  chan struct{} // holds one: something is there
	gone  chan struct{}
	once  sync.Once

	mu      sync.Mutex
	queue   []*Event
	bytes   int
	held    map[uint64]holding // what each conversation has in queue; none: it has nothing
	told    uint64
	slow    bool      // ended because its queue was full
	missed  int       // events left out since the last that was queued
	behind  backlogs  // of peers that have vanished
	waiting []*waiter // in the order in which they came, so that one who says much does not keep others out
}

// A waiter is an event that waits for room.
type waiter struct {
	e      *Event
	queued chan struct{} // closed when it has got it
	behind *backlog      // of its conversation, if nobody waits for it any more
}

// watchFar is Watch for one at the other end of a socket: when it does not take the
// events in time, Next returns ErrSlow, and nobody has waited.
func (d *Desk) watchFar() *Watch {
	return d.newWatch(&Watch{far: true, spare: hardLimit})
}

// watchLines is Watch for a program that reads lines. Peers wait for it, as they do for a console. What operators and
// handlers do has much more room: a program that is slow for a moment must miss nothing of it.
func (d *Desk) watchLines() *Watch {
	return d.newWatch(&Watch{spare: hardLimit})
}

// Watch subscribes to the events of the desk: first an Arrived for each live conversation, then all that happens. The
// desk waits for a subscriber that does not call Next. So call Next, or Stop.
func (d *Desk) Watch() *Watch { return d.newWatch(&Watch{spare: 2}) }

// newWatch has w watch.
func (d *Desk) newWatch(w *Watch) *Watch {
	d.mu.Lock()
	defer d.mu.Unlock()
	w.desk, w.more, w.gone, w.held = d, make(chan struct{}, 1), make(chan struct{}), make(map[uint64]holding)
	for _, n := range d.numbers() {
		e := d.seats[n].event(Arrived)
		e.Time = d.seats[n].since
		w.append(e)
	}
	d.watchers = append(slices.Clip(d.watchers), w)
	return w
}

// Next waits for the next event. If ctx has ended, it first returns the events that are queued, and then the error of
// ctx. After Stop, it returns ErrStopped. One goroutine at a time may call it.
func (w *Watch) Next(ctx context.Context) (Event, error) {
	for {
		if e, ok := w.take(); ok {
			return e, nil
		}
		select {
		case <-w.more:
		case <-w.gone:
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.slow {
				return Event{}, ErrSlow
			}
			return Event{}, ErrStopped
		case <-ctx.Done():
			if e, ok := w.take(); ok { // queued before, while this began to wait
				return e, nil
			}
			return Event{}, ctx.Err()
		}
	}
}

// Told returns the number of events that have been queued so far. A subscriber that has taken as many has all that
// happened before.
func (w *Watch) Told() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.told
}

// Stop ends the watch. Its queued events are dropped, and the desk no longer waits for it. It may be called more than
// once.
func (w *Watch) Stop() {
	w.once.Do(func() {
		w.desk.mu.Lock()
		all := slices.Clone(w.desk.watchers)
		w.desk.watchers = slices.DeleteFunc(all, func(o *Watch) bool { return o == w })
		w.desk.mu.Unlock()
		close(w.gone)
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, e := range w.queue {
			e.release()
		}
		for len(w.waiting) > 0 {
			w.delist(0)
		}
		w.queue, w.bytes = nil, 0
		clear(w.held)
	})
}

func (w *Watch) take() (Event, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return Event{}, false
	}
	e := w.queue[0]
	w.queue[0] = nil
	if w.queue = w.queue[1:]; len(w.queue) == 0 {
		w.queue = nil
	}
	w.release(e)
	w.admitWaiting()
	if len(w.queue) == 0 {
		w.tellMissed(time.Now()) // something else may not happen for long
	}
	out := *e
	out.conn = nil
	return out, true
}

// await waits until x is queued, the watch stops, or over is closed, which leaves x out.
func (w *Watch) await(over <-chan struct{}, x *waiter) {
	select {
	case <-x.queued:
	case <-w.gone:
	case <-over:
		w.mu.Lock()
		defer w.mu.Unlock()
		if i := slices.Index(w.waiting, x); i >= 0 {
			w.delist(i)
		}
	}
}

// awaitFor is await for a conversation. It waits no more once it is kicked, or its connection is lost, and the watch keeps x. After Shutdown
// it waits for as long as the server has time.
func (w *Watch) awaitFor(s *seat, x *waiter) {
	ended, lost := s.ctx.Done(), s.conn.Lost()
	for {
		select {
		case <-x.queued:
			return
		case <-w.gone:
			return
		case <-ended:
			if stopped := s.stopped(); stopped != nil && stopped.Reason == duet.EndShutdown {
				ended = nil
				continue
			}
		case <-lost:
		}
		w.leaveBehind(x)
		return
	}
}

// offer queues e if there is room, or lines it up. For a Saying the caller need not wait: a newer event of the
// conversation takes its place.
func (w *Watch) offer(e *Event) *waiter {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.gone:
		return nil
	default:
	}
	if !w.far && w.keepBehind(e) {
		return nil
	}
	if x := w.supersede(e); x != nil {
		return x
	}
	switch {
	case w.far && !w.room(hardLimit):
		w.slow = true
		go w.Stop() // the caller may hold what Stop wants
		return nil
	case w.far, e.Kind == Left, // one for each conversation, and its last: there is always room
		!e.Kind.ofPeer() && w.room(w.spare),
		len(w.waiting) == 0 && w.room(1), w.hasShare(e):
		w.append(e)
		return nil
	}
	waits := &waiter{e: e, queued: make(chan struct{})}
	w.enlist(waits)
	return waits
}

// enlist has x wait for room. w.mu is held.
func (w *Watch) enlist(x *waiter) {
	x.e.hold()
	w.waiting = append(w.waiting, x)
}

// delist takes the waiter at i out of those that wait. w.mu is held.
func (w *Watch) delist(i int) {
	w.waiting[i].e.release()
	w.waiting = slices.Delete(w.waiting, i, i+1)
}

// room reports whether there is room within so many times the limits. w.mu is held.
func (w *Watch) room(times int) bool {
	return len(w.queue) < times*watchEvents && w.bytes < times*watchBytes
}

// append queues e. w.mu is held, or w is not known to others yet.
func (w *Watch) append(e *Event) {
	w.tellMissed(e.Time)
	w.hold(e)
	w.queue = append(w.queue, e)
	w.told++
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// tellMissed queues how many events were left out, if some were. w.mu is held.
func (w *Watch) tellMissed(at time.Time) {
	if w.missed == 0 {
		return
	}
	w.queue = append(w.queue, &Event{Kind: Missed, Time: at, Note: strconv.Itoa(w.missed)})
	w.told++
	w.missed = 0
}

func (d *Desk) watching() []*Watch {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.watchers
}

// tell gives e to all of watchers, and waits where a queue is full: until there is
// room, or the watch stops. Those that have room do not wait for the others. At a Hall it waits for nobody, and
// a Saying never waits. s is the conversation that waits, see awaitFor; nil: an operator waits, until ctx ends.
func (d *Desk) tell(ctx context.Context, s *seat, watchers []*Watch, e *Event) {
	if d.hall() != nil {
		offerNow(watchers, e)
		return
	}
	var full []*Watch
	var waits []*waiter
	for _, w := range watchers {
		if x := w.offer(e); x != nil && e.Kind != Saying {
			full, waits = append(full, w), append(waits, x)
		}
	}
	for i, w := range full {
		if s != nil {
			w.awaitFor(s, waits[i])
		} else {
			w.await(ctx.Done(), waits[i])
		}
	}
}

// tellNow gives e to all who watch and waits for nobody: where there is no room, it is left out, and counted.
func (d *Desk) tellNow(e *Event) { offerNow(d.watching(), e) }

// offerNow is tellNow for those who watch. There is more room for a conversation's end.
func offerNow(watchers []*Watch, e *Event) {
	for _, w := range watchers {
		w.mu.Lock()
		if w.room(w.spare) || e.Kind == Left && w.room(hardLimit) {
			w.append(e)
		} else {
			w.missed++
		}
		w.mu.Unlock()
	}
}
