// Package desk is where operators answer conversations: it keeps what is going
// on, tells those who watch, and says what they want to be said. It knows no
// screen; package console is its terminal face.
package desk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"duet.example/duet"
	"duet.example/duet/framing"
	"duet.example/duet/internal/charset"
)

// ErrNobody says that there is no such conversation, or not any more.
var ErrNobody = errors.New("no such conversation")

// A Desk answers conversations through its operators. The zero Desk works. All its
// methods may be called by several goroutines at the same time.
type Desk struct {
	// Encoding is what peers' text is in; nil is UTF-8. It must not be changed once the desk serves.
	Encoding *charset.Encoding

	mu       sync.Mutex
	seats    map[uint64]*seat
	highest  uint64 // number given so far
	watchers map[*Watch]struct{}
}

var _ duet.Handler = (*Desk)(nil)

// ServeConn seats a conversation at the desk until it ends. Every message goes to those who
// watch; each of them has a bounded queue, and where one is full, this peer is read no further until
// there is room: nothing is lost, and the peer feels it as any sender does.
//
// When ctx ends, nobody who watches is waited for any more, and this side closes the conversation.
func (d *Desk) ServeConn(ctx context.Context, c *duet.Conn) error {
	s, watchers := d.seat(c)
	tell(ctx, watchers, s.event(Arrived))
	err := d.listen(ctx, s)
	watchers = d.unseat(s)
	reason, cause := c.End()
	switch {
	case reason == duet.EndNone && ctx.Err() != nil && errors.Is(err, ctx.Err()):
		err, reason = nil, duet.EndClosed
	case reason == duet.EndNone:
		reason = duet.ReasonOf(err)
	}
	if cause == nil && err != nil && !errors.Is(err, io.EOF) {
		cause = err
	}
	e := s.event(Left)
	e.Reason, e.Err = reason, cause
	tell(ctx, watchers, e)
	return err
}

func (d *Desk) listen(ctx context.Context, s *seat) error {
	for {
		m, err := s.conn.ReceivePart(ctx)
		if err != nil {
			return err
		}
		e := s.event(Said)
		e.Body, e.Farewell = m.Body, m.Farewell
		d.mu.Lock()
		e.Text = s.encoding.Decode(m.Body)
		if m.Partial {
			e.Kind = Saying
		} else {
			s.heard(e.Text)
		}
		d.mu.Unlock()
		tell(ctx, d.watching(), e)
	}
}

func (d *Desk) find(n uint64) (*seat, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.seats[n]
	if !ok {
		return nil, fmt.Errorf("%d: %w", n, ErrNobody)
	}
	return s, nil
}

// Numbers are those of the live conversations, in order.
func (d *Desk) Numbers() []uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.numbers()
}

// numbers is Numbers with d.mu held.
func (d *Desk) numbers() []uint64 {
	all := make([]uint64, 0, len(d.seats))
	for n := range d.seats {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

// SetEncoding changes what the text of conversation n is in. ErrNobody where there is none.
func (d *Desk) SetEncoding(n uint64, e *charset.Encoding) error {
	s, err := d.find(n)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s.encoding = e
	return nil
}

// SetFraming changes how messages of conversation n are cut and sent. ErrNobody where there is none.
func (d *Desk) SetFraming(n uint64, f framing.Framing) error {
	s, err := d.find(n)
	if err != nil {
		return err
	}
	s.conn.SetFraming(f)
	return nil
}

func (d *Desk) encodingOf(s *seat) *charset.Encoding {
	d.mu.Lock()
	defer d.mu.Unlock()
	return s.encoding
}
