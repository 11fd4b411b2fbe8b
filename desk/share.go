package desk

import "slices"

// What a queue holds beyond watchEvents and watchBytes. A peer that floods fills these two. Every other conversation still
// has its own share, so that its peer is read on while the reader of the events is slow.
const (
	// shareEvents and shareBytes are the share of a conversation: events in the queue, and bytes in them. One event has
	// room whatever its size.
	shareEvents = 4
	shareBytes  = 4 << 10
	// hardLimit is how many times watchEvents and watchBytes all shares together may take.
	hardLimit = 16
)

// A holding is what one conversation has in a queue.
type holding struct {
	events, bytes int
	saying        *Event // the unfinished message in the queue; nil: none
}

// ofPeer reports whether a peer causes such events by itself, as often as it likes.
func (k Kind) ofPeer() bool { return k == Arrived || k == Said || k == Saying }

// hasShare reports whether e fits into the share of its conversation. w.mu is held.
func (w *Watch) hasShare(e *Event) bool {
	h := w.held[e.Number]
	if e.Kind == Saying && h.saying != nil { // e replaces it
		h.events--
		h.bytes -= h.saying.size()
	}
	return w.room(hardLimit) && (h.events == 0 || h.events < shareEvents && h.bytes+e.size() <= shareBytes)
}

// hold counts e, which is about to be queued. A Saying replaces the one of its conversation that is still in the
// queue: the newer one repeats and continues it. w.mu is held.
func (w *Watch) hold(e *Event) {
	if old := w.held[e.Number].saying; old != nil && e.Kind == Saying {
		i := slices.Index(w.queue, old)
		w.queue = slices.Delete(w.queue, i, i+1)
		w.release(old)
		w.told-- // the reader takes one event less
	}
	e.hold()
	w.bytes += e.size()
	h := w.held[e.Number]
	h.events++
	h.bytes += e.size()
	switch e.Kind {
	case Saying:
		h.saying = e
	case Said:
		h.saying = nil
	}
	w.held[e.Number] = h
}

// release is hold for an event that has left the queue. w.mu is held.
func (w *Watch) release(e *Event) {
	e.release()
	w.bytes -= e.size()
	h := w.held[e.Number]
	h.events--
	h.bytes -= e.size()
	if h.saying == e {
		h.saying = nil
	}
	if h.events <= 0 {
		delete(w.held, e.Number)
		return
	}
	w.held[e.Number] = h
}

// admitWaiting queues the events that wait and have room now, in the order in which they came. w.mu is held.
func (w *Watch) admitWaiting() {
	for i := 0; i < len(w.waiting) && w.room(hardLimit); {
		x := w.waiting[i]
		if !w.room(1) && !w.hasShare(x.e) {
			i++
			continue
		}
		w.delist(i)
		w.append(x.e)
		close(x.queued)
		w.queuedBehind(x)
	}
}

// supersede deals with a Saying that still waits when e of the same conversation comes. A newer Saying takes its place,
// and supersede returns the waiter. The whole message makes it superfluous. Before the end of the conversation it is
// queued: nothing else will tell what the peer had begun to say. w.mu is held.
func (w *Watch) supersede(e *Event) *waiter {
	if e.Kind != Saying && e.Kind != Said && e.Kind != Left {
		return nil
	}
	i := slices.IndexFunc(w.waiting, func(x *waiter) bool { return x.e.Kind == Saying && x.e.Number == e.Number })
	if i < 0 {
		return nil
	}
	x := w.waiting[i]
	if e.Kind == Saying {
		x.e.release()
		e.hold()
		x.e = e
		return x
	}
	w.delist(i)
	if e.Kind == Left {
		w.append(x.e)
	}
	return nil
}
