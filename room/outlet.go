package room

import (
	"errors"
	"fmt"
	"sync"

	"duet.example/duet"
	"duet.example/duet/internal/ring"
)

var _ duet.Source = (*outlet)(nil)

// An outlet is the source of a member's conversation. It reads the ring of the member's room and, before that, the rings of the rooms
// that the member has left.
type outlet struct {
	mu       sync.Mutex
	readers  []*ring.Reader // the last is of the room it is in
	backlog  *backlog       // nil if that is the only one
	encoding string         // the name of the wire encoding of the conversation
	joining  bool           // it is about to have another reader, of which Next knows nothing yet
}

// Next gives what is to be sent next.
func (o *outlet) Next() (wire []byte, messages int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.readers) > 0 {
		wire, messages, err = o.readers[0].Next()
		if o.backlog != nil {
			o.backlog.count(o.readers[0])
		}
		if len(wire) > 0 || err != nil || len(o.readers) == 1 {
			break
		}
		o.forgetFirst()
	}
	if errors.Is(err, ring.ErrLapped) {
		err = fmt.Errorf("%w: more waits for it than may: %w", duet.ErrSlowPeer, err)
	}
	return wire, messages, err
}

// add makes rd the place from which the outlet goes on.
func (o *outlet) add(rd *ring.Reader) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := len(o.readers); n > 0 {
		if o.backlog == nil {
			o.backlog = &backlog{}
		}
		last := o.readers[n-1]
		last.Owe(nil, nil)
		o.backlog.add(last)
		o.backlog.count(o.readers[0])
		rd.Owe(&o.backlog.owed, o.shorten)
	}
	o.readers = append(o.readers, rd)
	o.joining = false
	o.dropOldest()
}

// Detached releases everything that is not sent any more.
func (o *outlet) Detached() {
	o.leave()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, rd := range o.readers {
		rd.Drop()
	}
	o.readers, o.backlog = nil, nil
}

// last is the reader of the room that it is in; nil where it is about to join its first.
func (o *outlet) last() *ring.Reader {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := len(o.readers); n > 0 {
		return o.readers[n-1]
	}
	return nil
}

// leave leaves the room. What it still has is sent.
func (o *outlet) leave() {
	rd := o.last()
	if rd != nil {
		rd.Leave()
	}
}

// tell has bodies sent to this member alone. The reader may call Next at once, so no lock is held.
func (o *outlet) tell(bodies [][]byte) error {
	rd := o.last()
	if rd == nil {
		return ring.ErrLeft // it is about to join
	}
	return rd.Tell(bodies...)
}

// joined reports whether Next has somewhere to look, and all of where it should.
func (o *outlet) joined() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.readers) > 0 && !o.joining
}

// between reports whether a room that it was in still has something for it.
func (o *outlet) between() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.readers) > 1
}

// join returns the row in which c reads, by how it sends now. Until add, nothing is sent.
func (o *outlet) join(c *duet.Conn) ring.Encoding {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.joining = true
	w := c.WireEncoding(false)
	o.encoding = w.String()
	return rowOf(w)
}

// retune looks whether c sends in another way than it did: because somebody has set its framing, or it has learned what its peer uses.
// While it is about to join a room, that looks.
func (o *outlet) retune(c *duet.Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.joining || len(o.readers) == 0 {
		return
	}
	if w := c.WireEncoding(false); w.String() != o.encoding {
		o.encoding = w.String()
		o.readers[len(o.readers)-1].SetEncoding(rowOf(w))
	}
}
