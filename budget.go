package duet

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"duet.example/duet/framing"
	"duet.example/duet/internal/memory"
	"duet.example/duet/internal/wire"
)

const (
	// maxDefaultLimit is the highest limit in bytes if Server.Memory is zero.
	maxDefaultLimit = 1 << 30
	// maxStep is how many bytes a conversation may hold more, or less, than it has told the budget of.
	maxStep = 64 << 10
	// overloadTimeout is how long the budget may be used up, while no conversation above its share gives a byte back, until the largest
	// conversation ends. Bytes that the others give back are their everyday messages, and do not count.
	overloadTimeout = 10 * time.Second
	// minRead is the smallest read, in bytes, of a conversation within its share.
	minRead = 512
	// concurrentReads is how many conversations may read at the same time and stay within the budget together. Bytes count only after the
	// read.
	concurrentReads = 64
	// smallRead is the largest read, in bytes, while the budget is used up, and the smallest while it is not.
	smallRead = 4 << 10
)

// A Budget counts the memory that all conversations of one [Server] hold together. Its limit is Server.Memory. [Conn.Budget] returns it.
// A conversation counts messages that have arrived and were not received, whole or in part, and messages that are queued to be sent.
// A handler counts everything else that it keeps, with [Conn.Hold] for one conversation or with [Budget.Hold] for all.
//
// Several goroutines may call the methods at the same time. A nil Budget counts nothing and has no limit.
type Budget struct {
	srv   *Server
	limit int64
	used  atomic.Int64 // bytes that conversations and handlers have told it of
	convs atomic.Int64
	step  atomic.Int64

	mu          sync.Mutex
	preferred   *Conn              // the oldest conversation above its share, which is still read; nil until one above its share asks
	waiting     map[*Conn]struct{} // conversations that are not read
	timer       *time.Timer        // runs while used is above limit; nil otherwise
	lastRelease time.Time          // when a conversation above its share gave bytes back last, or used went above limit
}

// defaultMemory returns the limit in bytes if Server.Memory is zero: a quarter of the memory there is, at most 1 GiB.
var defaultMemory = sync.OnceValue(func() int64 {
	if n := memory.Available(); n > 0 {
		return min(n/4, maxDefaultLimit)
	}
	return maxDefaultLimit
})

// newBudget returns a server's budget; nil if the server has no limit.
func newBudget(s *Server) *Budget {
	b := &Budget{srv: s, limit: s.Memory}
	switch {
	case s.Memory < 0:
		return nil
	case s.Memory == 0:
		b.limit = defaultMemory()
	}
	b.resize(0)
	return b
}

// Limit returns the limit in bytes. Zero: there is none.
func (b *Budget) Limit() int64 {
	if b == nil {
		return 0
	}
	return b.limit
}

// Used returns how many bytes are held. For each conversation, the figure may be wrong by 64 KiB or a quarter of its share, whichever is
// less.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}

// Hold counts n bytes that belong to no single conversation, such as the lines of a room. If n is below zero, Hold gives them back. A call
// may lock a mutex, so callers should count in steps of some kilobytes.
func (b *Budget) Hold(n int64) {
	if b != nil && n != 0 {
		b.add(nil, n)
	}
}

// isExceeded reports whether more than the limit is held.
func (b *Budget) isExceeded() bool { return b.used.Load() > b.limit }

// share returns how many bytes each conversation may hold while the budget is used up.
func (b *Budget) share() int64 { return b.limit / max(b.convs.Load(), 1) }

// resize sets the number of conversations.
func (b *Budget) resize(n int) {
	if b == nil {
		return
	}
	b.convs.Store(int64(n))
	b.step.Store(max(min(maxStep, b.share()/4), 1))
}

// add counts d bytes of c, or of no single conversation if c is nil.
func (b *Budget) add(c *Conn, d int64) {
	used := b.used.Add(d)
	if used <= b.limit {
		if used-d > b.limit {
			b.resumeAll()
		}
		return
	}
	b.mu.Lock()
	var next *Conn
	if b.isExceeded() {
		if b.timer == nil {
			b.startTimer()
		} else if c != nil && d < 0 && c.held()-d > b.share() {
			b.lastRelease = time.Now()
		}
		next = b.nextAfter(c)
	}
	b.mu.Unlock()
	next.recheckBudget()
}

// startTimer starts the overload timeout. mu is held.
func (b *Budget) startTimer() {
	b.lastRelease = time.Now()
	b.timer = time.AfterFunc(overloadTimeout, b.endLargest)
}

// resumeAll has all conversations read again, if the budget is not used up.
func (b *Budget) resumeAll() {
	b.mu.Lock()
	if b.isExceeded() {
		b.mu.Unlock()
		return
	}
	waiting := b.waiting
	b.waiting, b.preferred = nil, nil
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
	b.mu.Unlock()
	for c := range waiting {
		c.recheckBudget()
	}
}

// wantsNoSpareRoom reports whether a buffer of n bytes must have no spare room. The preferred conversation may have some, because each of
// its reads would copy the buffer otherwise.
func (b *Budget) wantsNoSpareRoom(c *Conn, n int) bool {
	if !b.isExceeded() || int64(n) <= b.share() {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.preferred != c
}

// allowance returns how many bytes may be read from c now. If it returns zero, recheckBudget is called when c may be read again.
func (b *Budget) allowance(c *Conn) int {
	if left := b.limit - b.used.Load(); left >= 0 {
		return int(min(max(left/concurrentReads, smallRead), wire.ChunkSize))
	}
	if spare := b.share() - c.held(); spare >= 0 {
		return int(min(max(spare, minRead), smallRead))
	}
	b.mu.Lock()
	may, next := b.mayRead(c)
	b.mu.Unlock()
	next.recheckBudget()
	if may {
		return smallRead
	}
	return 0
}

// mayRead reports whether c, which holds more than its share, is still read. If not, c waits from now on. next is another conversation
// that need not wait any more, or nil. mu is held.
func (b *Budget) mayRead(c *Conn) (may bool, next *Conn) {
	if !b.isExceeded() {
		return true, nil
	}
	if g := b.preferred; g == nil || g.held() <= b.share() || g.isEnding() {
		next = b.choosePreferred()
	}
	if b.preferred == nil || c.id <= b.preferred.id {
		b.preferred = c
		delete(b.waiting, c)
		return true, next
	}
	if b.waiting == nil {
		b.waiting = make(map[*Conn]struct{})
	}
	b.waiting[c] = struct{}{}
	return false, next
}

// nextAfter returns the conversation that may be read because c holds less now, or nil. mu is held.
func (b *Budget) nextAfter(c *Conn) (next *Conn) {
	if c == nil || c.held() > b.share() {
		return nil
	}
	if _, isWaiting := b.waiting[c]; isWaiting {
		delete(b.waiting, c)
		return c
	}
	if b.preferred == c {
		return b.choosePreferred()
	}
	return nil
}

// choosePreferred makes the oldest conversation above its share the preferred one, and returns it if it waits. mu is held.
func (b *Budget) choosePreferred() (waits *Conn) {
	b.preferred = b.firstAboveShare(func(c, than *Conn) bool { return c.id < than.id })
	if _, isWaiting := b.waiting[b.preferred]; !isWaiting {
		return nil
	}
	delete(b.waiting, b.preferred)
	return b.preferred
}

// firstAboveShare returns the first, by the order before, of the conversations that hold more than their share and are not ending; nil if
// there is none.
func (b *Budget) firstAboveShare(before func(c, than *Conn) bool) (first *Conn) {
	share := b.share()
	b.srv.mu.Lock()
	defer b.srv.mu.Unlock()
	for _, c := range b.srv.conns {
		if c.held() > share && !c.isEnding() && (first == nil || before(c, first)) {
			first = c
		}
	}
	return first
}

// forget removes c, which is not read any more. Others may be within their share now, because there are fewer conversations.
func (b *Budget) forget(c *Conn) {
	if b == nil || !b.isExceeded() {
		return
	}
	b.mu.Lock()
	delete(b.waiting, c)
	var wake []*Conn
	for w := range b.waiting {
		if w.held() <= b.share() {
			delete(b.waiting, w)
			wake = append(wake, w)
		}
	}
	if g := b.preferred; g == c || g != nil && g.held() <= b.share() {
		wake = append(wake, b.choosePreferred())
	}
	b.mu.Unlock()
	for _, w := range wake {
		w.recheckBudget()
	}
}

// endLargest ends the largest conversation if no bytes were given back for overloadTimeout.
func (b *Budget) endLargest() {
	b.mu.Lock()
	if b.timer == nil || !b.isExceeded() {
		b.mu.Unlock()
		return
	}
	if wait := overloadTimeout - time.Since(b.lastRelease); wait > 0 {
		b.timer.Reset(wait)
		b.mu.Unlock()
		return
	}
	// If no conversation is above its share, the next add starts the timer again.
	c := b.firstAboveShare(holdsMore)
	if b.timer = nil; c != nil {
		b.startTimer()
	}
	b.mu.Unlock()
	c.overload()
}

// holdsMore reports whether c holds more than the other conversation, or as much and is younger.
func holdsMore(c, than *Conn) bool {
	n, m := c.held(), than.held()
	return n > m || n == m && c.id > than.id
}

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
