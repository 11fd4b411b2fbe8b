package duet

import (
	"sync"
	"sync/atomic"
	"time"

	"duet.example/duet/internal/memory"
	"duet.example/duet/internal/wire"
)

const (
	// highestDefault is the highest limit where Server.Memory is zero.
	highestDefault = 1 << 30
	// highestStep is how much a conversation may hold more, or less, than it has told, at most.
	highestStep = 64 << 10
	// overTime is how long conversations wait over the budget, without a byte given back by one above its share, until the largest
	// ends. What others give back is their everyday talk.
	overTime = 10 * time.Second
	// leastRead is the least that a conversation within its share may read at once.
	leastRead = 512
	// atOnce is how many may read at the same time without going over the budget together: what is read counts only after that.
	atOnce = 64
	// carefulRead is the most that is read at once over the budget, and the least within it.
	carefulRead = 4 << 10
)

// A Budget counts the memory that all conversations of one [Server] hold together; Server.Memory is its limit. [Conn.Budget]
// gives it. A conversation counts by itself what it has received and nobody has taken, whole or in part, and what waits to be sent.
// A handler counts what else it keeps: [Conn.Hold] for one conversation, Hold for all.
//
// Methods may be called by several goroutines at the same time. A nil Budget counts nothing and has no limit.
type Budget struct {
	srv   *Server
	limit int64
	used  atomic.Int64 // what was told
	convs atomic.Int64
	step  atomic.Int64

	mu      sync.Mutex
	going   *Conn              // the oldest of those above their share, which is read on; nil until somebody asks
	waiting map[*Conn]struct{} // those that are read no further
	timer   *time.Timer        // runs while used is above limit
	gave    time.Time          // when one above its share gave bytes back, or used has gone above limit
}

// defaultMemory is the limit where none is given.
var defaultMemory = sync.OnceValue(func() int64 {
	if n := memory.Available(); n > 0 {
		return min(n/4, highestDefault)
	}
	return highestDefault
})

// newBudget makes a server's budget; nil if it has none.
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

// Limit is the limit in bytes. Zero: there is none.
func (b *Budget) Limit() int64 {
	if b == nil {
		return 0
	}
	return b.limit
}

// Used is how many bytes are held. Each conversation may hold a little more or less than it has told: 64 KiB or a quarter of
// its share, whichever is less.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}

// Hold counts n bytes that belong to no one conversation, such as the lines of a room. Below zero, it gives them back.
// It costs more than addition: count in steps of some kilobytes.
func (b *Budget) Hold(n int64) {
	if b != nil && n != 0 {
		b.add(nil, n)
	}
}

func (b *Budget) over() bool { return b.used.Load() > b.limit }

// share is how much each conversation may hold while the budget is used up.
func (b *Budget) share() int64 { return b.limit / max(b.convs.Load(), 1) }

// resize notes that there are n conversations.
func (b *Budget) resize(n int) {
	if b == nil {
		return
	}
	b.convs.Store(int64(n))
	b.step.Store(max(min(highestStep, b.share()/4), 1))
}

// add counts d bytes more: of c, or of no conversation, if c is nil.
func (b *Budget) add(c *Conn, d int64) {
	used := b.used.Add(d)
	if used <= b.limit {
		if used-d > b.limit {
			b.relax()
		}
		return
	}
	b.mu.Lock()
	var next *Conn
	if b.over() {
		if b.timer == nil {
			b.watch()
		} else if c != nil && d < 0 && c.held()-d > b.share() {
			b.gave = time.Now()
		}
		next = b.reconsider(c)
	}
	b.mu.Unlock()
	next.nudge()
}

// watch begins to wait for progress. mu is held.
func (b *Budget) watch() {
	b.gave = time.Now()
	b.timer = time.AfterFunc(overTime, b.tick)
}

// relax has all be read again.
func (b *Budget) relax() {
	b.mu.Lock()
	if b.over() {
		b.mu.Unlock()
		return
	}
	waiting := b.waiting
	b.waiting, b.going = nil, nil
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
	b.mu.Unlock()
	for c := range waiting {
		c.nudge()
	}
}

// wantsNoSpareRoom reports whether a buffer of n bytes must be no larger than its content. The buffer of the conversation that goes
// on may be larger: otherwise each read would copy it.
func (b *Budget) wantsNoSpareRoom(c *Conn, n int) bool {
	if !b.over() || int64(n) <= b.share() {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.going != c
}

// allowance is how many bytes may be read from c now. Zero: it is read no further, and nudged when it is.
func (b *Budget) allowance(c *Conn) int {
	if left := b.limit - b.used.Load(); left >= 0 {
		return int(min(max(left/atOnce, carefulRead), wire.ChunkSize))
	}
	if spare := b.share() - c.held(); spare >= 0 {
		return int(min(max(spare, leastRead), carefulRead))
	}
	b.mu.Lock()
	may, next := b.mayGoOn(c)
	b.mu.Unlock()
	next.nudge()
	if may {
		return carefulRead
	}
	return 0
}

// mayGoOn reports whether c, which holds more than its share, is read on; otherwise it waits from now on. next is another that need not
// wait any more. mu is held.
func (b *Budget) mayGoOn(c *Conn) (may bool, next *Conn) {
	if !b.over() {
		return true, nil
	}
	if g := b.going; g == nil || g.held() <= b.share() || g.isEnding() {
		next = b.elect()
	}
	if b.going == nil || c.id <= b.going.id {
		b.going = c
		delete(b.waiting, c)
		return true, next
	}
	if b.waiting == nil {
		b.waiting = make(map[*Conn]struct{})
	}
	b.waiting[c] = struct{}{}
	return false, next
}

// reconsider gives the conversation that may be read on because c holds less now. mu is held.
func (b *Budget) reconsider(c *Conn) (next *Conn) {
	if c == nil || c.held() > b.share() {
		return nil
	}
	if _, waits := b.waiting[c]; waits {
		delete(b.waiting, c)
		return c
	}
	if b.going == c {
		return b.elect()
	}
	return nil
}

// elect makes the oldest of those above their share the one that goes on, and returns it if it waits. mu is held.
func (b *Budget) elect() (waits *Conn) {
	b.going = b.first(func(c, than *Conn) bool { return c.id < than.id })
	if _, yes := b.waiting[b.going]; !yes {
		return nil
	}
	delete(b.waiting, b.going)
	return b.going
}

// first is the first, by the order before, of the conversations that hold more than their share; nil if there is none. Those that are being
// ended are left out.
func (b *Budget) first(before func(c, than *Conn) bool) (first *Conn) {
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

// leave forgets c, which wants to be read no more. Others may be within their share now, because there are fewer.
func (b *Budget) leave(c *Conn) {
	if b == nil || !b.over() {
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
	if g := b.going; g == c || g != nil && g.held() <= b.share() {
		wake = append(wake, b.elect())
	}
	b.mu.Unlock()
	for _, w := range wake {
		w.nudge()
	}
}

// tick ends the largest conversation if nothing was given back for overTime.
func (b *Budget) tick() {
	b.mu.Lock()
	if b.timer == nil || !b.over() {
		b.mu.Unlock()
		return
	}
	if wait := overTime - time.Since(b.gave); wait > 0 {
		b.timer.Reset(wait)
		b.mu.Unlock()
		return
	}
	// If nobody holds more than its share, the next who counts begins to wait again.
	c := b.first(holdsMore)
	if b.timer = nil; c != nil {
		b.watch()
	}
	b.mu.Unlock()
	c.overload()
}

// holdsMore reports whether c holds more than another, or as much and is younger.
func holdsMore(c, than *Conn) bool {
	n, m := c.held(), than.held()
	return n > m || n == m && c.id > than.id
}
