package desk

import (
	"bytes"
	"slices"
	"time"

	"duet.example/duet"
)

// An Entry is one conversation in the roster.
type Entry struct {
	Number uint64
	Peer   string
	// Name is the name that an operator gave it, Note the note that one wrote.
	Name, Note string
	Since      time.Time
	// Last is the beginning of the last message of the peer, in UTF-8 and untrusted. LastTime is when it came.
	Last     []byte
	LastTime time.Time
	// Unread is the number of messages since the last answer of an operator. Waiting is when the first of them came.
	Unread  int
	Waiting time.Time
	Stats   duet.Stats
	// Queued is the number of bytes that are queued for the peer.
	Queued int
	// Framing is the name of the framing. Learned is what it has learned of the peer, in words.
	Framing, Learned string
	Encoding         string
	// Farewell is the word that ends the conversation. Empty: no word does.
	Farewell string
	// Ended is when the conversation ended. Zero: it goes on. Reason and Err say how it ended.
	Ended  time.Time
	Reason duet.EndReason
	Err    error
}

// Live reports whether the conversation goes on.
func (e Entry) Live() bool { return e.Ended.IsZero() }

// Roster returns the live conversations in the order of their numbers.
func (d *Desk) Roster() []Entry {
	var all []Entry
	for _, n := range d.Numbers() {
		if e, err := d.Entry(n); err == nil {
			all = append(all, e)
		}
	}
	return all
}

// Left returns the last conversations that have ended, at most 100, in the order in which they ended.
func (d *Desk) Left() []Entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.left)
}

// Entry returns one live conversation. ErrNobody: there is none with this number.
func (d *Desk) Entry(n uint64) (Entry, error) {
	s, err := d.find(n)
	if err != nil {
		return Entry{}, err
	}
	return d.entry(s), nil
}

func (d *Desk) entry(s *seat) Entry {
	d.mu.Lock()
	e := Entry{
		Number: s.number, Peer: s.peer, Name: s.name, Note: s.note, Since: s.since,
		Last: bytes.Clone(s.lastText), LastTime: s.lastTime, Unread: s.unread, Waiting: s.waiting, Encoding: s.encoding.Name(),
	}
	d.mu.Unlock()
	e.Stats, e.Queued, e.Farewell = s.conn.Stats(), s.conn.Queued(), s.conn.Farewell()
	f, learned := s.conn.Framing()
	e.Framing, e.Learned = f.String(), learned
	return e
}
