package room

import (
	"context"
	"sync"
	"time"
)

const (
	// maxEntering is how many members enter at the same time. Each needs a deep stack for it. If thousands enter at once, these stacks
	// would lie between the small things that stay, and their memory would not be used again.
	maxEntering = 16
	// endLook is how often members that wait to enter look whether their contexts have ended.
	endLook = 100 * time.Millisecond
)

// An entrance limits how many members enter a hall at the same time. The zero entrance is ready.
//
// It does not wait for ctx.Done. That would make a context of the standard library for each member of a crowd, which keeps it for as long as
// it stays.
type entrance struct {
	mu       sync.Mutex
	change   *sync.Cond  // on mu; nil until a member has to wait
	entering int         // members that enter now
	look     *time.Timer // wakes those that wait; nil if it has done that
}

// begin waits until the member may enter. Then it must call end. The error is the cause of the end of ctx.
func (e *entrance) begin(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if e.entering < maxEntering {
			e.entering++
			return nil
		}
		e.wait()
	}
}

// wait returns when a member has entered, or after endLook. mu is held.
func (e *entrance) wait() {
	if e.change == nil {
		e.change = sync.NewCond(&e.mu)
	}
	if e.look == nil {
		e.look = time.AfterFunc(endLook, func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.look = nil
			e.change.Broadcast()
		})
	}
	e.change.Wait()
}

// end lets the next member enter.
func (e *entrance) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.entering--
	if e.change != nil {
		e.change.Signal()
	}
}
