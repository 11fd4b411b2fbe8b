package duet

import (
	"context"
	"math"
	"sync/atomic"
	"unsafe"

	"duet.example/duet/framing"
	"duet.example/duet/internal/wire"
)

// An account is what a conversation holds in memory. Few hold anything for long.
type account struct {
	held   atomic.Int64
	told   atomic.Int64 // what the budget knows of
	recv   int          // of held, received and not taken; under recv.mu
	queued int          // of held, waiting to be sent; under out.mu
}

const (
	// trifle is the number of bytes from which on a conversation has an account. It is the budget's step if that is smaller.
	trifle = 1 << 10
	// largeWrite is the size from which on a message also counts while it is written.
	largeWrite = 4 << 10

	messageSize  = int(unsafe.Sizeof(framing.Message{}))
	outgoingSize = int(unsafe.Sizeof(outgoing{}) + unsafe.Sizeof((*outgoing)(nil)))
)

// Budget returns the budget of the conversation's server. It is nil if the conversation was dialled or the server has no limit.
func (c *Conn) Budget() *Budget { return c.set.budget }

// Hold counts n bytes that a handler keeps because of this conversation, such as messages that a subscriber has not read. Below
// zero, it gives them back. They count in the server's [Budget], also after the conversation's end, and as the conversation's own: while
// the budget is used up, a conversation that holds more than its share is read no further. Any goroutine may call it.
func (c *Conn) Hold(n int) {
	if c.set.budget != nil && n != 0 {
		c.count(c.rarely(), n)
	}
}

// held returns how many bytes the conversation holds.
func (c *Conn) held() int64 {
	if x := c.seldom.Load(); x != nil {
		return x.account.held.Load()
	}
	return 0
}

// countReceived counts what has arrived and was not taken. recv.mu is held.
func (c *Conn) countReceived() {
	r := &c.recv
	n := r.codec.Held()
	for i := r.head; i < len(r.queue); i++ {
		n += len(r.queue[i].Body) + messageSize
	}
	if x := c.accountFor(n); x != nil && n != x.account.recv {
		d := n - x.account.recv
		x.account.recv = n
		c.count(x, d)
	}
}

// countTaken is countReceived after a message was taken. What is left of a burst counts as long as any of it is left.
func (c *Conn) countTaken() {
	if r := &c.recv; r.head <= 1 {
		c.countReceived()
	}
}

// countQueued counts what waits to be sent. out.mu is held.
func (c *Conn) countQueued() {
	if c.set.budget == nil {
		return
	}
	o := &c.out
	n := o.bytes + len(o.queue)*outgoingSize
	if c.set.trace.Sent != nil {
		n += o.bytes // the bodies, too
	}
	if x := c.accountFor(n); x != nil && n != x.account.queued {
		d := n - x.account.queued
		x.account.queued = n
		c.count(x, d)
	}
}

// countWriting counts n bytes while they are written; below zero, they are.
func (c *Conn) countWriting(n int) {
	if n >= largeWrite || n <= -largeWrite {
		c.Hold(n)
	}
}

// accountFor returns where n bytes are counted; nil if they are too few to count.
func (c *Conn) accountFor(n int) *seldom {
	if x := c.seldom.Load(); x != nil || n < trifle && int64(n) < c.set.budget.step.Load() {
		return x
	}
	return c.rarely()
}

// count counts d bytes more. It tells the budget in steps. While the budget is used up, and when the conversation ends, it tells
// each byte.
func (c *Conn) count(x *seldom, d int) {
	a, b := &x.account, c.set.budget
	a.held.Add(int64(d))
	for {
		told := a.told.Load()
		held := a.held.Load() // after told, so that nobody else has told more
		change := held - told
		if change == 0 || max(change, -change) < b.step.Load() && !b.over() && !c.closing.Load() {
			return
		}
		if a.told.CompareAndSwap(told, held) {
			b.add(c, change)
			return
		}
	}
}

// letGo gives back at the end what the conversation held itself. recv.mu is held, and nobody writes.
func (c *Conn) letGo() {
	if x := c.seldom.Load(); x != nil && c.set.budget != nil {
		c.recv.codec.Rest()
		c.recv.queue, c.recv.head = nil, 0
		d := x.account.recv + x.account.queued
		x.account.recv, x.account.queued = 0, 0
		c.count(x, -d)
	}
}

// A budgetGate is the wire.Gate of a conversation.
type budgetGate Conn

func (g *budgetGate) Allowance() int { return (*Conn)(g).allowance() }

func (g *budgetGate) IsHeld() bool { return g.recv.held }

// allowance returns how many bytes may be read now. The budget does not matter once the conversation is closing: it holds nothing of
// what it reads then.
func (c *Conn) allowance() int {
	if b := c.set.budget; b != nil && !c.closing.Load() {
		return b.allowance(c)
	}
	return wire.ChunkSize
}

// mostAtOnce returns how many bytes the next read may take. A read from a socket asks the gate when there is something to read.
func (c *Conn) mostAtOnce() int {
	if c.wire.IsSocket() {
		return wire.ChunkSize
	}
	return c.allowance()
}

// heldBack reports whether the conversation is read no further, because all conversations together hold too much. It is not idle
// meanwhile.
func (c *Conn) heldBack() bool {
	if !c.recv.held && !c.set.budget.over() {
		c.countReceived()
		if !c.set.budget.over() {
			return false
		}
	}
	return c.waitsForBudget()
}

// waitsForBudget is heldBack while the budget is used up, or if the conversation was held back before.
func (c *Conn) waitsForBudget() bool {
	r := &c.recv
	if c.set.budget.wantsNoSpareRoom(c, r.codec.Held()) {
		r.codec.Shrink()
	}
	c.countReceived()
	if c.set.budget.allowance(c) == 0 {
		r.held = true
	} else if r.held {
		r.held = false
		r.idle = c.wire.Now()
	}
	return r.held
}

// awaitBudget prepares the wait of a conversation that is held back. If ready is false, the caller looks again first. A socket
// waits as for bytes, so that it sees a reset. Only the end of the peer's time after our farewell is due meanwhile.
func (c *Conn) awaitBudget(ctx context.Context) (ready bool, err error) {
	until := c.byeDeadline()
	switch {
	case until != 0 && c.wire.Now() >= until:
		return false, c.due(dueBye)
	case !c.wire.IsSocket():
		if until == 0 {
			until = math.MaxInt64
		}
		c.wire.Sleep(c.watched(ctx), until)
		return false, nil
	}
	return c.wire.Arm(until, false), nil
}

// leaveBudget lets others go on in place of a receiver that was held back and gives up.
func (c *Conn) leaveBudget() {
	if c.recv.held {
		c.recv.held = false
		c.set.budget.leave(c)
	}
}

// nudge has a conversation that is held back look whether it may be read again. It does nothing if c is nil.
func (c *Conn) nudge() {
	if c == nil {
		return
	}
	c.wire.Interrupt()
}

// isEnding reports whether the conversation ends anyhow, so that the budget need not end it. A lost one has no peer that could send
// more.
func (c *Conn) isEnding() bool {
	return c.wire.IsAbandoned() || c.wire.IsLost() || c.stopReason() != EndNone && !c.closing.Load()
}

// overload ends the conversation, because all conversations together hold too much and this one the most. It does nothing if c
// is nil.
func (c *Conn) overload() {
	if c == nil {
		return
	}
	c.setEnd(EndOverload, ErrOverload)
	c.stop(EndOverload)
	c.wire.Abandon()
}
