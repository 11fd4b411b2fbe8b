package desk

import (
	"bytes"
	"time"

	"duet.example/duet"
)

// An Entry is one live conversation, as an operator sees it in the roster.
type Entry struct {
	Number uint64
	Peer   string
	Since  time.Time
	// Last is the beginning of what the peer said last, in UTF-8 and untrusted, and LastTime when.
	Last     []byte
	LastTime time.Time
	Stats    duet.Stats
	// Queued is how many bytes wait for the peer.
	Queued int
	// Framing is the framing's name, Learned what it has learned of the peer.
	Framing, Learned string
	Encoding         string
	// Farewell is the word that ends it; empty if none does.
	Farewell string
}

// Roster gives the live conversations in the order of their numbers.
func (d *Desk) Roster() []Entry {
	var all []Entry
	for _, n := range d.Numbers() {
		if e, err := d.Entry(n); err == nil {
			all = append(all, e)
		}
	}
	return all
}

// Entry gives one live conversation. ErrNobody where there is none.
func (d *Desk) Entry(n uint64) (Entry, error) {
	s, err := d.find(n)
	if err != nil {
		return Entry{}, err
	}
	d.mu.Lock()
	e := Entry{
		Number: n, Peer: s.peer, Since: s.since,
		Last: bytes.Clone(s.lastText), LastTime: s.lastTime, Encoding: s.encoding.Name(),
	}
	d.mu.Unlock()
	e.Stats, e.Queued, e.Farewell = s.conn.Stats(), s.conn.Queued(), s.conn.Farewell()
	f, learned := s.conn.Framing()
	e.Framing, e.Learned = f.String(), learned
	return e, nil
}
