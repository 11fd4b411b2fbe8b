package desk

import "slices"

// A peer that has vanished is not waited for: what is still to be told of it stays with the watch, within these bounds,
// and its conversation ends. What does not fit is left out, and counted. An arrival that was left out has no ending.
const (
	vanishedEvents    = 256 // of one conversation, and bytes of what was said in them
	vanishedBytes     = 256 << 10
	vanishedEventsAll = 8 * watchEvents // of all conversations
	vanishedBytesAll  = watchBytes
)

// A backlog is what a watch keeps of one conversation whose peer has vanished. Its first event is among those that
// wait for room; the others follow one at a time, so that they keep nobody out for longer than a peer that is there.
type backlog struct {
	events []*Event
	count  int // of events that are kept, with the one that waits
	bytes  int
	unseen bool // its arrival was left out
}

// backlogs are those of a watch, by the conversation's number, and what they hold.
type backlogs struct {
	of     map[uint64]*backlog
	events int
	bytes  int
}

// leaveBehind has the watch keep what waits, because its conversation waits no more.
func (w *Watch) leaveBehind(x *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.waiting, x)
	if i < 0 {
		return // it was queued
	}
	b := &backlog{} // its conversation has waited with one event after the other: there is none yet
	if b.fits(&w.behind, x.e) {
		b.keep(&w.behind, x.e)
		x.behind = b
		w.setBacklog(x.e, b)
		return
	}
	w.delist(i)
	w.missed++
	if x.e.Kind == Arrived {
		b.unseen = true
		w.setBacklog(x.e, b)
	}
}

// setBacklog makes b the backlog of e's conversation. w.mu is held.
func (w *Watch) setBacklog(e *Event, b *backlog) {
	if w.behind.of == nil {
		w.behind.of = make(map[uint64]*backlog)
	}
	w.behind.of[e.Number] = b
}

// keepBehind takes e, if an event of its conversation waits that nobody waits for, or was left out. w.mu is held.
func (w *Watch) keepBehind(e *Event) bool {
	b := w.behind.of[e.Number]
	switch {
	case b == nil || e.Number == 0:
		return false
	case b.unseen:
		w.missed++
		if e.Kind == Left {
			delete(w.behind.of, e.Number)
		}
	case e.Kind == Left || b.fits(&w.behind, e): // one ending for each arrival
		b.keep(&w.behind, e)
		b.events = append(b.events, e)
	default:
		w.missed++
	}
	return true
}

// fits reports whether e is within the bounds.
func (b *backlog) fits(all *backlogs, e *Event) bool {
	return b.count < vanishedEvents && b.bytes+e.size() <= vanishedBytes &&
		all.events < vanishedEventsAll && all.bytes+e.size() <= vanishedBytesAll
}

func (b *backlog) keep(all *backlogs, e *Event) {
	b.count++
	b.bytes += e.size()
	all.events++
	all.bytes += e.size()
}

// queuedBehind has the next of x's conversation wait, after x was queued. w.mu is held.
func (w *Watch) queuedBehind(x *waiter) {
	b := x.behind
	if b == nil {
		return
	}
	b.count--
	b.bytes -= x.e.size()
	w.behind.events--
	w.behind.bytes -= x.e.size()
	if len(b.events) > 0 {
		next := b.events[0]
		b.events[0] = nil
		b.events = b.events[1:]
		w.enlist(&waiter{e: next, queued: make(chan struct{}), behind: b})
		return
	}
	delete(w.behind.of, x.e.Number)
}
