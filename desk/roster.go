package desk

import (
	"bytes"
	"slices"
	"time"

	"duet.example/duet"
)

// An Entry is one conversation, as an operator sees it in the roster.
type Entry struct {
	Number uint64
	Peer   string
	// Name is what an operator calls it, Note what one noted.
	Name, Note string
	Since      time.Time
	// Last is the beginning of what the peer said last, in UTF-8 and untrusted, and LastTime when.
	Last     []byte
	LastTime time.Time
	// Unread is how many messages came since an operator answered; Waiting since when the first of them waits.
	Unread  int
	Waiting time.Time
	Stats   duet.Stats
	// Queued is how many bytes wait for the peer.
	Queued int
	// Framing is the framing's name, Learned what it has learned of the peer.
	Framing, Learned string
	Encoding         string
	// Farewell is the word that ends it; empty if none does.
	Farewell string
	// Ended is when it ended; zero while it goes on. Reason and Err say how.
	Ended  time.Time
	Reason duet.EndReason
	Err    error
}

// Live reports whether the conversation goes on.
func (e Entry) Live() bool { return e.Ended.IsZero() }

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

// Left gives the last conversations that have ended, a hundred at the most, in the order in which they ended.
func (d *Desk) Left() []Entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.left)
}

// Entry gives one live conversation. ErrNobody where there is none.
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
