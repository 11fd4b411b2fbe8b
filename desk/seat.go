package desk

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"duet.example/duet"
)

// lastSize is how much of a peer's last message the roster keeps: a look at it, and no buffer.
const lastSize = 256

// A seat is one live conversation at the desk.
type seat struct {
	ctx    context.Context // ServeConn's
	conn   *duet.Conn
	number uint64
	peer   string
	since  time.Time
	// speaking holds one token while an operator's words are sent and told, so that both happen in one order. The first
	// operator who speaks makes it.
	speaking atomic.Pointer[chan struct{}]
	saidBye  bool // an operator has said the farewell; under speaking
	returned bool // the handler has, and its goroutine owns this
	// unfinished is made when the peer has begun a message without ending it.
	unfinished atomic.Pointer[unfinished]

	// Under Desk.mu:
	encoding *Encoding
	name     string
	note     string
	endedBy  string // the operator who kicked it
	namedBy  string // the operator who has the hall give it a name
	lastText []byte
	lastTime time.Time
	unread   int       // messages since an operator spoke last
	waiting  time.Time // when the first of them came
	spoken   []spoken  // words of operators on their way, where a handler speaks too

	transfers   int           // that are under way
	transferred chan struct{} // closed when none is any more; nil: nobody waits for that
	told        chan struct{} // closed when the last of them, and all before, were told; nil: there was none
}

// A spoken is what an operator said, until the conversation tells that it was sent.
type spoken struct {
	operator string
	body     []byte
	farewell bool
	raw      bool
}

// stopped is why somebody wants the conversation to end; nil if nobody does.
func (s *seat) stopped() *duet.Error {
	var e *duet.Error
	if s.ctx.Err() == nil || !errors.As(context.Cause(s.ctx), &e) {
		return nil
	}
	return e
}

// event begins an event of this conversation. It is handed on by reference: a copy in each function that it comes through
// would make the stack of the conversation grow, for as long as that waits. Desk.mu is held.
func (s *seat) event(k Kind) *Event {
	return &Event{Kind: k, Time: time.Now(), Number: s.number, Peer: s.peer, Name: s.name, conn: s.conn}
}

// event is seat.event for those who do not hold d.mu.
func (d *Desk) event(s *seat, k Kind) *Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return s.event(k)
}

// answered: an operator has spoken; nothing waits any more. Desk.mu is held.
func (s *seat) answered() { s.unread, s.waiting = 0, time.Time{} }

// look keeps a look at what the peer said last. Desk.mu is held.
func (s *seat) look(text []byte) {
	s.lastText = append(s.lastText[:0], text[:min(len(text), lastSize)]...)
	s.lastTime = time.Now()
}

// heard is look for what waits for an answer.
func (s *seat) heard(text []byte) {
	s.look(text)
	if s.unread++; s.unread == 1 {
		s.waiting = s.lastTime
	}
}

// seat takes c in. Its number is the conversation's own; where that one is taken, as it may be
// where a desk serves several servers or dials several times, the next that is free. Those who watch
// from here on learn of it by Watch.
func (d *Desk) seat(ctx context.Context, c *duet.Conn) (*seat, []*Watch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seats == nil {
		d.seats = make(map[uint64]*seat)
	}
	n := c.ID()
	if _, taken := d.seats[n]; taken {
		n = d.highest + 1
	}
	d.highest = max(d.highest, n)
	s := &seat{
		ctx: ctx, conn: c, number: n, peer: peerText(c), since: time.Now(),
		encoding: d.Encoding,
	}
	d.seats[n] = s
	if !d.Encoding.IsUTF8() {
		c.SetEncoding(d.Encoding)
	}
	if d.Next != nil {
		if d.byConn == nil {
			d.byConn = make(map[*duet.Conn]*seat)
		}
		d.byConn[c] = s
	}
	return s, d.watchers
}

// unseat takes s out, into the list of those who have left, and gives those who have been told that it was there.
func (d *Desk) unseat(s *seat, left Entry) []*Watch {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.seats, s.number)
	delete(d.byConn, s.conn)
	if len(d.left) == keepLeft {
		d.left = slices.Delete(d.left, 0, 1)
	}
	d.left = append(d.left, left)
	return d.watchers
}

func peerText(c *duet.Conn) string {
	if a := c.RemoteAddr(); a != nil && a.String() != "" {
		return a.String()
	}
	return "unknown"
}
