package room

import (
	"sync/atomic"

	"duet.example/duet/internal/ring"
)

// leftRoomCost is how many bytes a room counts for that a member has left and not read to the end, beside what is unread: its ring is kept.
const leftRoomCost = 2 << 10

// A backlog counts what the rooms that a member was in still have for it. All of it is under outlet.mu, except for owed.
type backlog struct {
	sizes []int64      // of each room, when the member left it
	total int64        // of sizes
	owed  atomic.Int64 // what they have now
}

// add adds a room that the member has left.
func (b *backlog) add(rd *ring.Reader) {
	size := rd.Unread() + leftRoomCost
	b.sizes = append(b.sizes, size)
	b.total += size
}

// count says how much there is, now that first has been read on, the reader of the oldest.
func (b *backlog) count(first *ring.Reader) {
	b.owed.Store(b.total - b.sizes[0] + min(first.Unread()+leftRoomCost, b.sizes[0]))
}

// forgetFirst goes on to the next room. o.mu is held.
func (o *outlet) forgetFirst() {
	o.readers[0] = nil
	o.readers = o.readers[1:]
	b := o.backlog
	b.total -= b.sizes[0]
	if b.sizes = b.sizes[1:]; len(b.sizes) > 0 {
		b.count(o.readers[0])
		return
	}
	o.readers[0].Owe(nil, nil)
	o.backlog = nil
}

// shorten is called when the member has more to read than it may.
func (o *outlet) shorten() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dropOldest()
}

// dropOldest leaves out what the oldest rooms have while that is too much. The next room tells how much was missed. o.mu is held.
func (o *outlet) dropOldest() {
	for o.backlog != nil && o.readers[len(o.readers)-1].Over() {
		missed := o.readers[0].Drop()
		o.forgetFirst()
		o.readers[0].Miss(missed)
	}
}
