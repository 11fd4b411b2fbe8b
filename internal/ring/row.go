package ring

import (
	"slices"
	"sort"
	"sync/atomic"
)

const (
	firstBlock = 4 << 10   // bytes of a row's first block; each is twice the one before,
	maxBlock   = 256 << 10 // up to this, or an eighth of the limit
	mergedRun  = 4 << 10   // bytes up to which a run takes in what its author says next
	runSize    = 24        // bytes of a run
)

// A row is all entries in one encoding.
type row struct {
	enc     Encoding
	users   int   // readers in it, or on their way through it; under Ring.mu
	leavers int   // the same of those that have left
	full    int64 // bytes of the full blocks
	view    atomic.Pointer[view]

	edge uint64 // under pace.mu, as is near
	near [nearBuckets]tally
}

// A view is what a row holds at one time. It never changes; the bytes and runs
// behind it are appended to.
type view struct {
	old  []*block
	tail block
}

// A block is entries side by side. Those of a row follow one another without a
// hole: where one ends the next begins.
type block struct {
	seq, end uint64 // entries: the first, and the one after the last
	off      uint64 // of the first byte, in the row
	data     []byte
	done     []run
	open     run  // the last one, which may still grow
	left     bool // some entries are left out
}

// A run is entries of one author, one after the other.
type run struct {
	author uint64
	seq    uint64
	off    uint32 // in the block
	n      int32  // below zero: so many that are left out here
}

func (x run) count() uint64 {
	if x.n < 0 {
		return uint64(-x.n)
	}
	return uint64(x.n)
}

func (x run) end() uint64 { return x.seq + x.count() }

func newRow(e Encoding, head uint64) *row {
	x := &row{enc: e}
	x.view.Store(&view{tail: block{seq: head, end: head}})
	return x
}

func (v *view) first() uint64 {
	if len(v.old) > 0 {
		return v.old[0].seq
	}
	return v.tail.seq
}

// head is where the view ends.
func (v *view) head() place {
	return place{v.tail.end, v.tail.off + uint64(len(v.tail.data))}
}

// find gives the block in which the entry seq is.
func (v *view) find(seq uint64) *block {
	if seq >= v.tail.seq {
		return &v.tail
	}
	i := sort.Search(len(v.old), func(i int) bool { return v.old[i].end > seq })
	return v.old[i]
}

// blocks calls f for the block with the entry seq, and those after it.
func (v *view) blocks(seq uint64, f func(*block)) {
	for _, b := range v.old {
		if b.end > seq {
			f(b)
		}
	}
	f(&v.tail)
}

// without is the view without the full blocks before the entry seq.
func (v *view) without(seq uint64) *view {
	i := sort.Search(len(v.old), func(i int) bool { return v.old[i].end > seq })
	return &view{old: slices.Clone(v.old[i:]), tail: v.tail}
}

// back is where one goes on who has missed something: at a run's start, half of
// the limit behind, and at least at the last run.
func (v *view) back(limit int) place {
	head := v.head()
	if head.off <= uint64(limit/2) {
		return place{v.first(), v.find(v.first()).off}
	}
	at, found := head, false
	v.blocks(v.first(), func(b *block) {
		if found || b.off+uint64(len(b.data)) <= head.off-uint64(limit/2) {
			return
		}
		for i := range b.runs() {
			x := b.run(i)
			at = place{x.seq, b.off + uint64(x.off)}
			if found = at.off >= head.off-uint64(limit/2); found {
				return
			}
		}
	})
	return at
}

// own counts the entries of an author from one place to another.
func (v *view) own(author, from, to uint64) (n uint64) {
	v.blocks(from, func(b *block) {
		for i := b.from(from); i < b.runs(); i++ {
			if x := b.run(i); x.author == author && x.seq < to {
				n += min(x.end(), to) - max(x.seq, from)
			}
		}
	})
	return n
}

func (b *block) runs() int {
	if b.open.n == 0 {
		return 0
	}
	return len(b.done) + 1
}

func (b *block) run(i int) run {
	if i < len(b.done) {
		return b.done[i]
	}
	return b.open
}

// from gives the run in which the entry seq is.
func (b *block) from(seq uint64) int {
	return sort.Search(b.runs(), func(i int) bool { return b.run(i).end() > seq })
}

// runEnd is where the bytes of run i end.
func (b *block) runEnd(i int) int {
	if i+1 < b.runs() {
		return int(b.run(i + 1).off)
	}
	return len(b.data)
}

// weight is what a block counts for: its bytes, or its runs where entries are
// tiny or empty.
func (b *block) weight() int { return max(len(b.data), runSize*b.runs()) }

// extend gives the row's view with the bodies added. What is published already
// is not touched, so that a panic in the encoding leaves the row as it was.
func (x *row) extend(limit int, seq, author uint64, bodies [][]byte) *view {
	v := *x.view.Load()
	for i, body := range bodies {
		v.add(x.enc, limit, seq+uint64(i), author, body)
	}
	return &v
}

func (v *view) add(e Encoding, limit int, seq, author uint64, body []byte) {
	if v.tail.weight() >= blockSize(limit) {
		v.turn(limit, 0)
	}
	b := &v.tail
	free := b.data[len(b.data):cap(b.data)]
	wire, err := e.Append(free[:0], body)
	if err != nil {
		b.left = true
		b.note(run{author: author, seq: seq, off: uint32(len(b.data)), n: -1})
		return
	}
	if len(wire) > len(free) {
		v.turn(limit, len(wire))
		free = b.data[:cap(b.data)]
	}
	start := len(b.data)
	if len(wire) > 0 && &wire[0] != &free[0] {
		copy(free[:len(wire)], wire)
	}
	b.data = b.data[:start+len(wire)]
	b.note(run{author: author, seq: seq, off: uint32(start), n: 1})
}

// note adds an entry, to the last run or as a new one.
func (b *block) note(x run) {
	b.end = x.end()
	last := &b.open
	switch {
	case last.n == 0:
		*last = x
	case last.author == x.author && last.n > 0 && x.n > 0 && last.n < 1<<20 && len(b.data)-int(last.off) <= mergedRun:
		last.n++
	default:
		b.done = append(b.done, *last)
		*last = x
	}
}

// A piece is bytes of a block.
type piece struct{ from, to int }

// join gives pieces as one: a copy where there are several.
func (b *block) join(pieces []piece, total int) []byte {
	if len(pieces) == 0 {
		return nil
	}
	if len(pieces) == 1 {
		return b.data[pieces[0].from:pieces[0].to:pieces[0].to]
	}
	all := make([]byte, 0, total)
	for _, p := range pieces {
		all = append(all, b.data[p.from:p.to]...)
	}
	return all
}

func blockSize(limit int) int { return min(maxBlock, max(1<<10, limit/8)) }

// turn begins a new block, for at least so many bytes, and drops those that
// are further back than the limit.
func (v *view) turn(limit, atLeast int) {
	full, head := v.tail, v.head()
	size := min(blockSize(limit), max(firstBlock, 2*cap(full.data)))
	v.tail = block{seq: head.seq, end: head.seq, off: head.off, data: make([]byte, 0, max(size, atLeast))}
	if full.seq == full.end {
		return
	}
	kept := full.weight()
	for _, b := range v.old {
		kept += b.weight()
	}
	old := v.old
	for len(old) > 0 && kept-old[0].weight() >= limit {
		kept -= old[0].weight()
		old = old[1:]
	}
	// A copy: what is dropped must not hang on by the array.
	v.old = append(slices.Clone(old), &full)
}
