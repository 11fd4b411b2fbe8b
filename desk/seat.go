package desk

import (
	"time"

	"duet.example/duet"
	"duet.example/duet/internal/charset"
)

// lastSize is how much of a peer's last message the roster keeps: a look at it, and no buffer.
const lastSize = 256

// A seat is one live conversation at the desk.
type seat struct {
	conn   *duet.Conn
	number uint64
	peer   string
	since  time.Time
	// speaking holds one token while an operator's words are sent and told, so that both happen in one order.
	speaking chan struct{}
	saidBye  bool // an operator has said the farewell; under speaking

	// Under Desk.mu:
	encoding *charset.Encoding
	lastText []byte
	lastTime time.Time
}

// event begins an event of this conversation.
func (s *seat) event(k Kind) Event {
	return Event{Kind: k, Time: time.Now(), Number: s.number, Peer: s.peer}
}

// heard keeps a look at what the peer said last. Desk.mu is held.
func (s *seat) heard(text []byte) {
	s.lastText = append(s.lastText[:0], text[:min(len(text), lastSize)]...)
	s.lastTime = time.Now()
}

// seat takes c in. Its number is the conversation's own; where that one is taken, as it may be
// where a desk serves several servers or dials several times, the next that is free. Those who watch
// from here on learn of it by Watch.
func (d *Desk) seat(c *duet.Conn) (*seat, []*Watch) {
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
		conn: c, number: n, peer: peerText(c), since: time.Now(),
		encoding: d.Encoding, speaking: make(chan struct{}, 1),
	}
	d.seats[n] = s
	return s, d.watchersNow()
}

// unseat takes s out, and gives those who have been told that it was there.
func (d *Desk) unseat(s *seat) []*Watch {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.seats, s.number)
	return d.watchersNow()
}

func peerText(c *duet.Conn) string {
	if a := c.RemoteAddr(); a != nil && a.String() != "" {
		return a.String()
	}
	return "unknown"
}
