package ring

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
	if !left { // Leave lets go of all of them
		s.mu.Unlock()
		s.ring.mu.Lock()
		s.ring.release(old)
		s.ring.mu.Unlock()
		s.mu.Lock()
	}
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
// runs, and none will. It must not be called by a pump.
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
	r.release(rd.row)
	rd.row = rd.row.still()
	for i := range rd.extra.legs {
		l := &rd.extra.legs[i]
		r.release(l.row)
		l.row = l.row.still()
	}
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
