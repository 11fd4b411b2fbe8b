package desk

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// watchQueue is how many events may wait for one who watches.
const watchQueue = 256

// A Watch is one who watches a desk. Events come on C in order, until Stop.
type Watch struct {
	// C has the events. It is never closed: a desk can always be watched on.
	C <-chan Event

	c    chan Event
	desk *Desk
	gone chan struct{}
	once sync.Once
}

// Watch begins to watch what happens from now on. The desk waits for one who
// watches and does not take events, so take them, or Stop.
func (d *Desk) Watch() *Watch {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := make(chan Event, watchQueue)
	w := &Watch{C: c, c: c, desk: d, gone: make(chan struct{})}
	if d.watchers == nil {
		d.watchers = make(map[*Watch]struct{})
	}
	d.watchers[w] = struct{}{}
	return w
}

// Stop ends the watch. It may be called more than once.
func (w *Watch) Stop() {
	w.once.Do(func() {
		w.desk.mu.Lock()
		delete(w.desk.watchers, w)
		w.desk.mu.Unlock()
		close(w.gone)
	})
}

// tell gives e to all who watch, and waits where a queue is full: until there is
// room, the watch stops, or ctx ends.
func (d *Desk) tell(ctx context.Context, e Event) {
	e.Time = time.Now()
	d.mu.Lock()
	watchers := slices.Collect(maps.Keys(d.watchers))
	d.mu.Unlock()
	for _, w := range watchers {
		select {
		case w.c <- e:
			continue
		default:
		}
		select {
		case w.c <- e:
		case <-w.gone:
		case <-ctx.Done():
		}
	}
}
