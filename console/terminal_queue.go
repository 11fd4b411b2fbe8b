package console

import (
	"context"
	"sync"
)

const (
	// maxQueueLines and maxQueueBytes bound what waits to be printed; one call may run over them by what it brings.
	maxQueueLines = 1024
	maxQueueBytes = 4 << 20

	// takeLines is how many lines are taken off the queue at a time.
	takeLines = 64
)

// A change is what the setters of a Face ask for, several of them in one. It is a message to the editor.
type change struct {
	prompt, partial, input, title *string
	open                          *bool
	why                           string
	bell                          bool
	full                          *func() View // what it points to may be nil: back to the lines
}

// An entry of the queue: lines, and what is to change once they are printed.
type entry struct {
	lines  []string
	change *change
}

// A queue keeps lines and changes in the order in which they were asked for. Lines wait for room; changes fall into
// one after the same lines, so that they need none.
type queue struct {
	mu           sync.Mutex
	entries      []entry
	lines, bytes int
	closed       bool
	more         chan struct{} // holds one: something is there, or the queue is closed
	room         chan struct{} // closed and made anew when there is room again
}

func newQueue() *queue {
	return &queue{more: make(chan struct{}, 1), room: make(chan struct{})}
}

// put waits for room.
func (q *queue) put(ctx context.Context, lines []string) error {
	for {
		q.mu.Lock()
		if q.closed {
			q.mu.Unlock()
			return ErrClosed
		}
		if q.lines < maxQueueLines && q.bytes < maxQueueBytes {
			q.append(lines)
			q.mu.Unlock()
			return nil
		}
		room := q.room
		q.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// force appends without waiting: for what the user has sent, of which there is only as much as one can type. The
// editor's own goroutine must not wait for a queue that it empties itself.
func (q *queue) force(lines []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.append(lines)
	}
}

func (q *queue) append(lines []string) {
	if n := len(q.entries); n > 0 && q.entries[n-1].change == nil {
		q.entries[n-1].lines = append(q.entries[n-1].lines, lines...)
	} else {
		q.entries = append(q.entries, entry{lines: append([]string(nil), lines...)})
	}
	q.lines += len(lines)
	for _, l := range lines {
		q.bytes += len(l)
	}
	q.wake()
}

// amend lets edit add to what changes after the last line of the queue.
func (q *queue) amend(edit func(*change)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	if len(q.entries) == 0 {
		q.entries = append(q.entries, entry{})
	}
	last := &q.entries[len(q.entries)-1]
	if last.change == nil {
		last.change = &change{}
	}
	edit(last.change)
	q.wake()
}

// take waits for something to do; ok is false when the queue is closed and empty.
func (q *queue) take() (lines []string, c *change, ok bool) {
	for {
		q.mu.Lock()
		if len(q.entries) > 0 {
			break
		}
		closed := q.closed
		q.mu.Unlock()
		if closed {
			return nil, nil, false
		}
		<-q.more
	}
	defer q.mu.Unlock()
	e := &q.entries[0]
	n := min(len(e.lines), takeLines)
	lines = e.lines[:n:n]
	e.lines = e.lines[n:]
	q.lines -= n
	for _, l := range lines {
		q.bytes -= len(l)
	}
	if len(e.lines) == 0 {
		c = e.change
		q.entries = q.entries[1:]
	}
	close(q.room)
	q.room = make(chan struct{})
	return lines, c, true
}

// close refuses what comes from now on; what is there can still be taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.closed = true
	close(q.room)
	q.room = make(chan struct{})
	close(q.more)
}

// wake is called with mu held, and never after close.
func (q *queue) wake() {
	select {
	case q.more <- struct{}{}:
	default:
	}
}
