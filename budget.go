package duet

import (
	"sync"
	"sync/atomic"
	"time"

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
