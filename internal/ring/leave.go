package ring

import "sync/atomic"

// SetEncoding changes how the reader wants the bytes on its wire, from the next
// entry on that is appended. What it has not taken of those before comes as it
// was.
func (rd *Reader) SetEncoding(e Encoding) {
	s := rd.shard
	r := s.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	from := rd.lastRow()
	if rd.left || from.enc.Key == e.Key {
		return
	}
	to, head := r.row(e), from.view.Load().head()
	l := leg{end: head, row: to, start: to.view.Load().head().off}
	if rd.who != nil {
		l.own = rd.who.total
	}
	if x := rd.extra; x != nil && len(x.legs) > 0 {
		if last := &x.legs[len(x.legs)-1]; last.end.seq == head.seq {
			r.release(last.row)
			last.row, last.start = l.row, l.start
			return
		}
	}
	x := rd.more()
	x.legs = append(x.legs, l)
	if rd.pos == head.seq {
		r.release(rd.step())
	}
}

// lastRow is the one to which its way leads.
func (rd *Reader) lastRow() *row {
	if x := rd.extra; x != nil && len(x.legs) > 0 {
		return x.legs[len(x.legs)-1].row
	}
	return rd.row
}

// turn goes on to the next row where this leg ends. shard.mu is held, but for a
// moment.
func (rd *Reader) turn() bool {
	if x := rd.extra; len(x.legs) == 0 || rd.pos < x.legs[0].end.seq {
		return false
	}
	s := rd.shard
	left := rd.left
	old := rd.step()
	s.mu.Unlock()
	s.ring.mu.Lock()
	if left {
		s.ring.letGo(old)
	} else {
		s.ring.release(old)
	}
	s.ring.mu.Unlock()
	s.mu.Lock()
	return true
}

// step is a turn without letting go of the row, which it gives.
func (rd *Reader) step() (old *row) {
	x := rd.extra
	l := x.legs[0]
	if x.legs = x.legs[1:]; len(x.legs) == 0 {
		x.legs = nil
	}
	old = rd.row
	p := &rd.shard.ring.pace
	p.change(rd, func() {
		rd.row, rd.off = l.row, l.start
		rd.mark.bucket = rd.off / p.bucket
	})
	return old
}

// skip goes on to where a reader continues whose entries are gone, and counts
// those it has missed.
func (rd *Reader) skip() (missed uint64) {
	s := rd.shard
	r := s.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	v := rd.row.view.Load()
	stop := rd.stop(v)
	if rd.pos >= v.first() || rd.pos >= stop.seq {
		return 0
	}
	at := v.back(r.limit)
	if at.seq >= stop.seq {
		at = stop
	}
	missed = at.seq - rd.pos
	if rd.who != nil {
		own := rd.who.total
		if x := rd.extra; x != nil && len(x.legs) > 0 {
			own = x.legs[0].own
		}
		if rd.who.last.Load() > at.seq {
			own -= v.own(rd.who.number, at.seq, stop.seq)
		}
		missed -= own - rd.own
		rd.own = own
	}
	rd.pos, rd.off = at.seq, at.off
	r.pace.moved(rd)
	return missed
}

// Behind is how many entries there are that the reader has not taken, its own
// not counted.
func (rd *Reader) Behind() uint64 {
	s := rd.shard
	r := s.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	end := r.head.Load()
	if rd.left {
		end = rd.extra.until.seq
	}
	n := end - rd.pos
	if rd.who != nil {
		n -= rd.who.total - rd.own
	}
	return n
}

// Leave ends the reading: Next gives what was appended until now and what the
// reader was told, and then nothing. When Leave returns, no pump of the reader
// runs, and none will. It must not be called by a pump. The ring keeps what such
// a reader has not taken within its limit, until Next gives nothing or Drop.
func (rd *Reader) Leave() {
	s := rd.shard
	r := s.ring
	r.mu.Lock()
	s.mu.Lock()
	if !rd.left {
		rd.leave()
	}
	r.mu.Unlock()
	for rd.state == pumping {
		s.unpumped.Wait()
	}
	s.mu.Unlock()
}

// leave takes the reader out of everything. Ring.mu and shard.mu are held.
func (rd *Reader) leave() {
	r := rd.shard.ring
	rd.more().until = rd.lastRow().view.Load().head()
	rd.left = true
	rd.shard.remove(rd)
	r.size.Add(-1)
	r.pace.leave(rd)
	if a := rd.who; a != nil {
		if a.first == nil {
			delete(r.authors, a.number)
		}
		rd.who = a.until()
	}
	r.retire(rd.row)
	for _, l := range rd.extra.legs {
		r.retire(l.row)
	}
	rd.shard.addLeaver(rd)
	if x := rd.extra; rd.pos == x.until.seq && len(x.told) == 0 && x.missed == 0 || x.err != nil {
		rd.finish()
	}
}

// finish lets go of everything that a reader has not taken that has left. Ring.mu and shard.mu are held.
func (rd *Reader) finish() {
	x, s := rd.extra, rd.shard
	if x.finished {
		return
	}
	x.finished = true
	enc := rd.lastRow().enc
	s.ring.letGo(rd.row)
	for _, l := range x.legs {
		s.ring.letGo(l.row)
	}
	x.legs, x.told, x.bytes = nil, nil, 0
	s.removeLeaver(rd)
	rd.pos, rd.off = x.until.seq, 0
	rd.row, x.until.off = newRow(enc, rd.pos), 0
	if s.ring.behind.Load() > 0 {
		s.walkAgain() // which drops what this one was the last to take
	}
}

// Drop has a reader that has left take no more, and gives how many entries and
// bodies it has not taken. It must not be called while Next runs. Before Leave
// it does nothing.
func (rd *Reader) Drop() (missed uint64) {
	s := rd.shard
	r := s.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !rd.left {
		return 0
	}
	x := rd.extra
	missed = x.until.seq - rd.pos + uint64(len(x.told)) + x.missed
	if rd.who != nil {
		missed -= rd.who.total - rd.own
		rd.own = rd.who.total
	}
	x.missed = 0
	rd.finish()
	return missed
}

// Miss has the reader told, before what it takes next, that it has missed so
// many entries elsewhere.
func (rd *Reader) Miss(n uint64) {
	if n == 0 {
		return
	}
	s := rd.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	rd.more().missed += n
	rd.again = true
}

// Unread is how many bytes the reader has not taken, its own among them.
func (rd *Reader) Unread() int64 {
	s := rd.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	return rd.unread()
}

// unread is Unread. shard.mu is held.
func (rd *Reader) unread() (n int64) {
	x := rd.extra
	if x == nil {
		return int64(rd.row.view.Load().head().off - rd.off)
	}
	from, last := rd.off, rd.row
	for _, l := range x.legs {
		n += int64(l.end.off - from)
		from, last = l.start, l.row
	}
	end := x.until
	if !rd.left {
		end = last.view.Load().head()
	}
	return n + int64(end.off-from) + int64(x.bytes)
}

// Owe tells how many bytes wait for the reader elsewhere. Over is called when
// these and its own are more than the limit, by goroutines that hold no lock; it
// must not wait. A nil owed ends that.
func (rd *Reader) Owe(owed *atomic.Int64, over func()) {
	s := rd.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	if owed == nil && rd.extra == nil {
		return
	}
	x := rd.more()
	x.owed, x.over = owed, over
	rd.spare()
}

// Over reports whether the reader has not taken more than its ring's limit,
// with what waits for it elsewhere.
func (rd *Reader) Over() bool {
	s := rd.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	return rd.isOver()
}

// isOver is Over. shard.mu is held.
func (rd *Reader) isOver() bool {
	x := rd.extra
	return x != nil && x.owed != nil && rd.unread()+x.owed.Load() > int64(rd.shard.ring.limit)
}

// until is the author as it is now, for one who reads no further.
func (a *author) until() *author {
	still := &author{number: a.number, total: a.total}
	still.last.Store(a.last.Load())
	return still
}

// leave forgets a reader.
func (p *pace) leave(rd *Reader) {
	p.change(rd, func() {
		if a := rd.who; a != nil {
			at := &a.first
			for *at != rd {
				at = &(*at).sibling
			}
			*at, rd.sibling = rd.sibling, nil
		}
		rd.mark.out = true
	})
}
