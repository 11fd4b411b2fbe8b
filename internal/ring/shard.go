package ring

import (
	"sync"
	"sync/atomic"
)

const (
	// smallRoom is how many readers whoever appends pumps by itself: starting a
	// goroutine costs more.
	smallRoom = 16
	// stride is how many readers are looked at while the lock is held.
	stride = 64
)

// A shard is some of the readers, and who pumps them: one walk at a time, in
// which each that has something to take is pumped once. What is appended
// during a walk is taken together in the next.
type shard struct {
	ring *Ring

	mu       sync.Mutex
	readers  []*Reader
	leavers  []*Reader // have left, and not taken all
	walking  bool
	more     bool          // walk again
	mixed    bool          // the walk may not have seen all
	least    atomic.Uint64 // no reader is before that entry
	unpumped sync.Cond     // a pump of a reader that leaves has returned
}

// shardForNext fills one shard after the other while there are few readers, and
// then all evenly. Ring.mu is held.
func (r *Ring) shardForNext() *shard {
	least := &r.shards[0]
	for i := range r.shards {
		s := &r.shards[i]
		if s.size() < smallRoom {
			return s
		}
		if s.size() < least.size() {
			least = s
		}
	}
	return least
}

func (s *shard) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.readers)
}

// holds gives the first entry that a reader of the shard may still take.
func (s *shard) holds(head uint64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.readers)+len(s.leavers) == 0 {
		return head
	}
	return min(head, s.least.Load())
}

// add places a reader. mu is held.
func (s *shard) add(rd *Reader) { s.readers = insert(s.readers, rd) }

// remove takes a reader out. mu is held.
func (s *shard) remove(rd *Reader) {
	s.readers = remove(s.readers, rd)
	// A walk may have passed the place to which the last one has moved.
	s.more, s.mixed = true, true
}

// addLeaver places a reader that has left. mu is held.
func (s *shard) addLeaver(rd *Reader) { s.leavers = insert(s.leavers, rd) }

// removeLeaver takes such a reader out. mu is held.
func (s *shard) removeLeaver(rd *Reader) { s.leavers = remove(s.leavers, rd) }

// insert places a reader at the end of a list. A reader is in one list at a time.
func insert(list []*Reader, rd *Reader) []*Reader {
	rd.index = int32(len(list))
	return append(list, rd)
}

// remove takes a reader out of its list. The last one of the list takes its place.
func remove(list []*Reader, rd *Reader) []*Reader {
	last := len(list) - 1
	moved := list[last]
	list[rd.index] = moved
	moved.index = rd.index
	list[last] = nil
	return list[:last]
}

// wake has all readers pumped that are behind; here, and before it returns, if
// they are few and nobody else is at it.
func (r *Ring) wake() (here bool) {
	small := r.size.Load() <= smallRoom
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		switch {
		case len(s.readers) == 0:
		case small && !s.walking:
			s.walking, s.more = true, false
			s.walk()
			s.next()
			here = true
		default:
			s.walkAgain()
		}
		s.mu.Unlock()
	}
	return here
}

// walkAgain sees to it that a walk begins after now. mu is held.
func (s *shard) walkAgain() {
	s.more = true
	if !s.walking {
		s.walking = true
		go s.run()
	}
}

// next ends a walk, or leaves the following ones to a goroutine. mu is held.
func (s *shard) next() {
	if s.walking = s.more; s.walking {
		go s.run()
	}
}

// run walks until there is nothing more to do.
func (s *shard) run() {
	s.mu.Lock()
	for s.more {
		s.more = false
		s.walk()
	}
	s.walking = false
	s.mu.Unlock()
	s.ring.trim()
}

// walk pumps each reader that is due, once. mu is held, but not while pumping.
func (s *shard) walk() {
	s.mixed = false
	now, least := s.ring.coarse(), s.ring.head.Load()
	for i := 0; i < len(s.readers); i++ {
		rd := s.readers[i]
		switch {
		case rd.due():
			s.pump(rd)
			if rd.due() {
				s.more = true
			}
		case i%stride == stride-1:
			s.mu.Unlock()
			s.mu.Lock()
		}
		s.ifOver(rd)
		s.ifStalled(rd, now)
		least = min(least, rd.pos)
	}
	for _, rd := range s.leavers {
		least = min(least, rd.pos)
	}
	if !s.mixed {
		s.least.Store(least)
	}
}

// ifOver has something done about a reader for which too much waits. mu is held, but not then.
func (s *shard) ifOver(rd *Reader) {
	if rd.left || !rd.isOver() {
		return
	}
	over := rd.extra.over
	s.mu.Unlock()
	over()
	s.mu.Lock()
	if rd.due() {
		s.more = true
	}
}

// pump calls a reader's pump. mu is held, but not then.
func (s *shard) pump(rd *Reader) {
	rd.state, rd.seen = pumping, s.ring.head.Load()
	rd.again, rd.took, rd.drained = false, false, false
	s.mu.Unlock()
	slow := rd.pump()
	s.mu.Lock()
	if rd.left {
		rd.state = idle
		s.unpumped.Broadcast()
		return
	}
	p := &s.ring.pace
	// Whoever goes on with it may have been done with it already.
	if slow && !rd.drained {
		rd.state, rd.since = busy, s.ring.coarse()
		if !rd.mark.out {
			p.change(rd, func() { rd.mark.busy = true })
		}
		return
	}
	rd.state = idle
	rd.again = rd.again || rd.took
	if !rd.took && rd.waiting() && !rd.mark.out {
		p.change(rd, func() { rd.mark.out = true }) // takes nothing: nobody waits for it
	}
}
