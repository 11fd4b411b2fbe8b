package duet

import (
	"context"
	"math"
	"sync/atomic"
	"unsafe"

	"duet.example/duet/framing"
	"duet.example/duet/internal/wire"
)

// An account counts the bytes that a conversation holds in memory. Most conversations hold too little to have one.
type account struct {
	held     atomic.Int64
	reported atomic.Int64 // the part of held that the budget has been told of
	received int          // the part of held that has arrived and was not returned by Receive; under recv.mu
	queued   int          // the part of held that is queued to be sent; under out.mu
}

const (
	// accountSize is the number of bytes from which on a conversation has an account. If the budget's step is smaller, it is that.
	accountSize = 1 << 10
	// largeWrite is the size in bytes from which on a message also counts while it is written.
	largeWrite = 4 << 10

	messageSize = int(unsafe.Sizeof(framing.Message{}))
	itemSize    = int(unsafe.Sizeof(item{}) + unsafe.Sizeof((*item)(nil)))
)

// Budget returns the budget of the conversation's server. It is nil if the conversation was dialled or the server has no limit.
func (c *Conn) Budget() *Budget { return c.set.budget }

// Hold counts n bytes that a handler keeps for this conversation, such as messages that a subscriber has not read. If n is below zero,
// Hold gives them back. The bytes count in the server's [Budget], also after the end of the conversation. While the budget is used up, the
// peer of a conversation that holds more than its share is not read. Any goroutine may call Hold.
func (c *Conn) Hold(n int) {
	if c.set.budget != nil && n != 0 {
		c.count(c.makeExtras(), n)
	}
}

// held returns how many bytes the conversation holds.
func (c *Conn) held() int64 {
	if x := c.extras.Load(); x != nil {
		return x.account.held.Load()
	}
	return 0
}

// countReceived counts the bytes that have arrived and were not returned by Receive. recv.mu is held.
func (c *Conn) countReceived() {
	r := &c.recv
	n := r.decoder.Held()
	for i := r.head; i < len(r.queue); i++ {
		n += len(r.queue[i].Body) + messageSize
	}
	if x := c.accountFor(n); x != nil && n != x.account.received {
		d := n - x.account.received
		x.account.received = n
		c.count(x, d)
	}
}

// countTaken is countReceived after a message was taken from the queue. It counts again only after the first message and the last.
func (c *Conn) countTaken() {
	if r := &c.recv; r.head <= 1 {
		c.countReceived()
	}
}

// countQueued counts the bytes that are queued to be sent. out.mu is held.
func (c *Conn) countQueued() {
	if c.set.budget == nil {
		return
	}
	o := &c.out
	n := o.bytes + len(o.queue)*itemSize
	if c.set.trace.Sent != nil {
		n += o.bytes // the bodies for the trace
	}
	if x := c.accountFor(n); x != nil && n != x.account.queued {
		d := n - x.account.queued
		x.account.queued = n
		c.count(x, d)
	}
}

// countWriting counts n bytes of a message that is being written. If n is below zero, they have been written.
func (c *Conn) countWriting(n int) {
	if n >= largeWrite || n <= -largeWrite {
		c.Hold(n)
	}
}

// accountFor returns the extras in whose account n bytes are counted; nil if they are too few to count.
func (c *Conn) accountFor(n int) *extras {
	if x := c.extras.Load(); x != nil || n < accountSize && int64(n) < c.set.budget.step.Load() {
		return x
	}
	return c.makeExtras()
}

// count adds d bytes to the account of x. It tells the budget in steps. While the budget is used up, and at the end of the conversation, it
// tells the budget of every byte.
func (c *Conn) count(x *extras, d int) {
	a, b := &x.account, c.set.budget
	a.held.Add(int64(d))
	for {
		reported := a.reported.Load()
		held := a.held.Load() // loaded after reported, so that it is never less
		change := held - reported
		if change == 0 || max(change, -change) < b.step.Load() && !b.isExceeded() && !c.life.isClosing() {
			return
		}
		if a.reported.CompareAndSwap(reported, held) {
			b.add(c, change)
			return
		}
	}
}

// releaseHeld gives back the conversation's own bytes at its end. Those of Hold stay. recv.mu is held, and no goroutine writes.
func (c *Conn) releaseHeld() {
	if x := c.extras.Load(); x != nil && c.set.budget != nil {
		c.recv.decoder.Rest()
		c.recv.queue, c.recv.head = nil, 0
		d := x.account.received + x.account.queued
		x.account.received, x.account.queued = 0, 0
		c.count(x, -d)
	}
}

// A budgetGate is the wire.Gate of a conversation.
type budgetGate Conn

func (g *budgetGate) Allowance() int { return (*Conn)(g).allowance() }

func (g *budgetGate) IsHeld() bool { return g.recv.heldBack }

// allowance returns how many bytes may be read now. A closing conversation throws away the bytes that it reads, so the budget does not
// matter to it.
func (c *Conn) allowance() int {
	if b := c.set.budget; b != nil && !c.life.isClosing() {
		return b.allowance(c)
	}
	return wire.ChunkSize
}

// readLimit returns how many bytes the next read may take. A read from a socket asks the gate once there are bytes to read.
func (c *Conn) readLimit() int {
	if c.wire.IsSocket() {
		return wire.ChunkSize
	}
	return c.allowance()
}

// mustWaitForBudget reports whether the peer is not read, because the budget is used up and the conversation holds more than its share. The
// conversation is not idle meanwhile.
func (c *Conn) mustWaitForBudget() bool {
	if !c.recv.heldBack && !c.set.budget.isExceeded() {
		c.countReceived()
		if !c.set.budget.isExceeded() {
			return false
		}
	}
	return c.checkShare()
}

// checkShare is mustWaitForBudget if the budget is used up, or if the conversation was held back before.
func (c *Conn) checkShare() bool {
	r := &c.recv
	if c.set.budget.wantsNoSpareRoom(c, r.decoder.Held()) {
		r.decoder.Shrink()
	}
	c.countReceived()
	if c.set.budget.allowance(c) == 0 {
		r.heldBack = true
	} else if r.heldBack {
		r.heldBack = false
		r.idleSince = c.wire.Now()
	}
	return r.heldBack
}

// awaitBudget is prepareWait for a conversation that is held back. A socket waits as for bytes, so that it sees a reset. The only deadline
// is that of the peer's time after our farewell.
func (c *Conn) awaitBudget(ctx context.Context) (ready bool, err error) {
	until := c.farewellDeadline()
	switch {
	case until != 0 && c.wire.Now() >= until:
		return false, c.handleDeadline(dueFarewell)
	case !c.wire.IsSocket():
		if until == 0 {
			until = math.MaxInt64
		}
		c.wire.Sleep(c.waitContext(ctx), until)
		return false, nil
	}
	return c.wire.Arm(until, false), nil
}

// leaveBudget lets other conversations read if this one was held back and Receive fails.
func (c *Conn) leaveBudget() {
	if c.recv.heldBack {
		c.recv.heldBack = false
		c.set.budget.forget(c)
	}
}

// recheckBudget has a conversation that is held back ask the budget again. It does nothing if c is nil.
func (c *Conn) recheckBudget() {
	if c == nil {
		return
	}
	c.wire.Interrupt()
}

// isEnding reports whether the conversation ends anyway, so that the budget need not end it. The peer of a lost conversation cannot send
// more.
func (c *Conn) isEnding() bool {
	return c.wire.IsAbandoned() || c.wire.IsLost() || c.life.phase() == phaseEnding
}

// overload ends the conversation because it holds the most of a budget that is used up. It does nothing if c is nil.
func (c *Conn) overload() {
	if c == nil {
		return
	}
	c.setEnd(EndOverload, ErrOverload)
	c.requestEnd(EndOverload, nil)
	c.wire.Abandon()
}
