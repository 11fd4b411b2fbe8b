package ring

import "sync/atomic"

const (
	// enough is how many bytes before an own entry are given as they are;
	// fewer are put together with what stands behind it.
	enough = 16 << 10
	// atOnce is how much a reader with a slow peer gets at once: so much that a
	// peer that is not very slow asks again soon.
	atOnce = 64 << 10
)

// What a reader's pump is doing.
const (
	idle    = iota
	pumping // it runs
	busy    // it reported busy: somebody calls Next until that gives nothing
)

// A place is an entry, and where its bytes begin in a row.
type place struct{ seq, off uint64 }

// A Reader is one who reads a Ring: a place in it. Next is for one goroutine at
// a time; its other methods may be called by several, also meanwhile.
type Reader struct {
	shard *shard
	pump  func() (busy bool)
	who   *author // nil: nobody

	// Under shard.mu.
	row     *row
	pos     uint64 // the next entry
	off     uint64 // where it begins in the row
	own     uint64 // what who had said before it
	seen    uint64 // the head when it was last pumped
	mark    mark
	extra   *extra
	sibling *Reader
	since   coarse // when a busy one last took something
	index   int32  // in the shard
	state   uint8
	again   bool // is to be pumped, whatever it has seen
	took    bool // Next gave something in this pump
	// drained: Next gave nothing in this pump, so that nobody calls it again.
	drained bool
	left    bool
}

// extra is what only few readers have.
type extra struct {
	told  []told
	bytes int // of told
	legs  []leg
	until place // where it has left
	err   error
	// missed is how many entries it has missed elsewhere, and was not told of.
	missed   uint64
	finished bool // it has left, and holds nothing any more

	owed *atomic.Int64 // bytes that wait for it elsewhere; nil: none do
	over func()        // called when these and its own are too many
}

// A leg is the way through one row that ends where another begins.
type leg struct {
	end   place // in the row of this leg
	own   uint64
	row   *row // the next
	start uint64
}

// waiting reports whether Next would give something. shard.mu is held.
func (rd *Reader) waiting() bool {
	return rd.pos < rd.shard.ring.head.Load() || rd.extra != nil && (len(rd.extra.told) > 0 || rd.extra.missed > 0)
}

// due reports whether it is to be pumped. shard.mu is held.
func (rd *Reader) due() bool {
	return rd.state == idle && !rd.left && (rd.again || rd.seen < rd.shard.ring.head.Load()) &&
		rd.waiting() && (rd.extra == nil || rd.extra.err == nil)
}

// Next gives what comes next: whole entries as they go over the wire, and how
// many. The bytes never change, and must not be changed. No bytes: there is
// nothing now. It never waits for anything but the end of an encoding.
func (rd *Reader) Next() (wire []byte, entries int, err error) {
	s := rd.shard
	s.mu.Lock()
	rd.alive()
	var missed uint64
	for {
		if rd.extra != nil {
			if rd.extra.err != nil {
				s.mu.Unlock()
				return nil, 0, rd.extra.err
			}
			if rd.turn() {
				continue
			}
			missed += rd.extra.missed
			rd.extra.missed = 0
			if missed == 0 {
				if bodies := rd.hear(); len(bodies) > 0 {
					enc := rd.row.enc
					rd.took = true
					s.mu.Unlock()
					if wire, n := encode(enc, bodies); len(wire) > 0 {
						return wire, n, nil
					}
					s.mu.Lock()
					continue
				}
			}
		}
		v := rd.row.view.Load()
		stop := rd.stop(v)
		if rd.pos < stop.seq && rd.pos < v.first() {
			s.mu.Unlock()
			missed += rd.skip()
			s.mu.Lock()
			continue
		}
		if missed > 0 {
			rd.took = true
			if rd.shard.ring.gap == nil {
				rd.fail(ErrLapped)
				continue
			}
			enc := rd.row.enc
			s.mu.Unlock()
			wire, n := encode(enc, [][]byte{s.ring.gap(missed)})
			if len(wire) > 0 {
				return wire, n, nil
			}
			missed = 0
			s.mu.Lock()
			continue
		}
		if rd.pos >= stop.seq {
			rd.rest()
			left := rd.left
			s.mu.Unlock()
			if left {
				_ = rd.Drop() // lets go of the bytes
			}
			return nil, 0, nil
		}
		wire, entries = rd.take(v, stop)
		s.ring.pace.moved(rd)
		if len(wire) > 0 {
			rd.took = true
			s.mu.Unlock()
			return wire, entries, nil
		}
	}
}

// alive notes that somebody takes something. shard.mu is held.
func (rd *Reader) alive() {
	if rd.state == busy {
		rd.since = rd.shard.ring.coarse()
	}
	if rd.mark.out && !rd.left && (rd.extra == nil || rd.extra.err == nil) {
		rd.shard.ring.pace.change(rd, func() { rd.mark.out, rd.mark.busy = false, rd.state == busy })
	}
}

// rest notes that there is nothing: whoever called Next will not again, and the
// pump is called when there is something. shard.mu is held.
func (rd *Reader) rest() {
	if rd.state == busy {
		rd.state = idle
		r := rd.shard.ring
		r.pace.change(rd, func() {
			rd.mark.busy = false
			r.pace.regain(rd, r.coarse())
		})
	}
	rd.drained = true
	if !rd.left {
		rd.spare()
	}
}

// fail ends it. shard.mu is held.
func (rd *Reader) fail(err error) {
	rd.more().err = err
	if !rd.left && !rd.mark.out {
		rd.shard.ring.pace.change(rd, func() { rd.mark.out = true })
	}
}

func (rd *Reader) more() *extra {
	if rd.extra == nil {
		rd.extra = &extra{}
	}
	return rd.extra
}

// stop is where this leg ends. shard.mu is held.
func (rd *Reader) stop(v *view) place {
	switch x := rd.extra; {
	case x != nil && len(x.legs) > 0:
		return x.legs[0].end
	case rd.left:
		return x.until
	}
	return v.head()
}

// take gives what there is in one block up to stop, its own left out, and goes
// on to behind it. shard.mu is held.
func (rd *Reader) take(v *view, stop place) (wire []byte, entries int) {
	b := v.find(rd.pos)
	end := place{b.end, b.off + uint64(len(b.data))}
	if stop.seq < end.seq {
		end = stop
	}
	if !b.left && (rd.who == nil || rd.who.last.Load() <= rd.pos) && !rd.slowly(end) {
		wire = b.data[rd.off-b.off : end.off-b.off : end.off-b.off]
		entries = int(end.seq - rd.pos)
		rd.pos, rd.off = end.seq, end.off
	} else {
		wire, entries = rd.pick(b, end)
	}
	if rd.left && rd.pos == b.end {
		rd.shard.walkAgain() // nobody may speak any more, and the block need not be kept
	}
	return wire, entries
}

// slowly reports whether it should get less than all up to end.
func (rd *Reader) slowly(end place) bool {
	return rd.state == busy && end.off-rd.off > atOnce
}

// pick does the same by looking at each run.
func (rd *Reader) pick(b *block, end place) (wire []byte, entries int) {
	var room [16]piece
	pieces, total := room[:0], 0
	for i := b.from(rd.pos); i < b.runs(); i++ {
		x := b.run(i)
		if x.seq >= end.seq {
			break
		}
		next := place{x.end(), b.off + uint64(b.runEnd(i))}
		if next.seq > end.seq {
			next = end
		}
		count := next.seq - rd.pos
		switch {
		case rd.who != nil && x.author == rd.who.number:
			rd.own += count
		case x.n > 0:
			p := piece{int(rd.off - b.off), int(next.off - b.off)}
			last := len(pieces) - 1
			switch {
			case last < 0:
				pieces = append(pieces, p)
			case total+p.to-p.from > atOnce && rd.state == busy:
				return b.join(pieces, total), entries
			case pieces[last].to == p.from:
				pieces[last].to = p.to
			case total >= enough:
				return b.join(pieces, total), entries
			default:
				pieces = append(pieces, p)
			}
			total += p.to - p.from
			entries += int(count)
		}
		rd.pos, rd.off = next.seq, next.off
	}
	return b.join(pieces, total), entries
}
