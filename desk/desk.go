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
	"time"

	"duet.example/duet"
	"duet.example/duet/framing"
	"duet.example/duet/internal/charset"
)

// ErrNobody: there is no such conversation, or not any more.
var ErrNobody = errors.New("no such conversation")

// A Desk answers conversations through its operators. The zero Desk works. All its
// methods may be called by several goroutines at the same time.
type Desk struct {
	// Encoding is what peers' text is in; nil is UTF-8. It must not be changed once the desk serves.
	Encoding *charset.Encoding

	mu       sync.Mutex
	seats    map[uint64]*seat
	watchers map[*Watch]struct{}
}

var _ duet.Handler = (*Desk)(nil)

// A seat is one live conversation at the desk.
type seat struct {
	conn     *duet.Conn
	encoding *charset.Encoding // under Desk.mu
	since    time.Time
	lastText []byte // under Desk.mu
	lastTime time.Time
}

// ServeConn seats a conversation at the desk until it ends. Every message goes to those who
// watch; each of them has a bounded queue, and where one is full, this peer is read no further until
// there is room: nothing is lost, and the peer feels it as any sender does.
func (d *Desk) ServeConn(ctx context.Context, c *duet.Conn) error {
	s := d.seat(c)
	d.tell(ctx, Event{Kind: Arrived, Number: c.ID(), Peer: peerText(c)})
	err := d.listen(ctx, s)
	d.unseat(c)
	reason, cause := c.End()
	if reason == duet.EndNone {
		reason = duet.ReasonOf(err)
	}
	if cause == nil && err != nil && !errors.Is(err, io.EOF) {
		cause = err
	}
	d.tell(ctx, Event{Kind: Left, Number: c.ID(), Peer: peerText(c), Reason: reason, Err: cause})
	return err
}

func (d *Desk) listen(ctx context.Context, s *seat) error {
	for {
		m, err := s.conn.ReceivePart(ctx)
		if err != nil {
			return err
		}
		e := Event{Kind: Said, Number: s.conn.ID(), Peer: peerText(s.conn), Body: m.Body, Farewell: m.Farewell}
		d.mu.Lock()
		e.Text = s.encoding.Decode(m.Body)
		if m.Partial {
			e.Kind = Saying
		} else {
			s.lastText, s.lastTime = e.Text, time.Now()
		}
		d.mu.Unlock()
		d.tell(ctx, e)
	}
}

func (d *Desk) seat(c *duet.Conn) *seat {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seats == nil {
		d.seats = make(map[uint64]*seat)
	}
	s := &seat{conn: c, encoding: d.Encoding, since: time.Now()}
	d.seats[c.ID()] = s
	return s
}

func (d *Desk) unseat(c *duet.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.seats, c.ID())
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
	all := make([]uint64, 0, len(d.seats))
	for n := range d.seats {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

// Say sends text to conversation n, in its encoding, through its bounded queue. It
// fails where a character cannot be encoded or the body cannot be framed
// (duet.ErrDelimiter); then nothing is sent.
func (d *Desk) Say(n uint64, text string) error {
	s, err := d.find(n)
	if err != nil {
		return err
	}
	body, err := d.encodingOf(s).Encode(text)
	if err != nil {
		return err
	}
	return d.post(s, body, []byte(text))
}

// SayBytes sends body to conversation n as it is.
func (d *Desk) SayBytes(n uint64, body []byte) error {
	s, err := d.find(n)
	if err != nil {
		return err
	}
	return d.post(s, body, d.encodingOf(s).Decode(body))
}

// Deliver is SayBytes for much: it waits until the system has taken the message, so that
// the queue of a peer that reads slowly does not overflow.
func (d *Desk) Deliver(ctx context.Context, n uint64, body []byte) error {
	s, err := d.find(n)
	if err != nil {
		return err
	}
	if err := s.conn.Send(ctx, body); err != nil {
		return err
	}
	d.answered(s, body, d.encodingOf(s).Decode(body), false)
	return nil
}

func (d *Desk) post(s *seat, body, text []byte) error {
	if err := s.conn.Post(body); err != nil {
		return err
	}
	d.answered(s, body, text, false)
	return nil
}

// Bye says the farewell to conversation n.
func (d *Desk) Bye(n uint64) error {
	s, err := d.find(n)
	if err != nil {
		return err
	}
	if err := s.conn.PostBye(); err != nil {
		return err
	}
	w := []byte(s.conn.Farewell())
	d.answered(s, w, w, true)
	return nil
}

// answered tells those who watch what an operator said.
func (d *Desk) answered(s *seat, body, text []byte, farewell bool) {
	d.tell(context.Background(), Event{Kind: Answered, Number: s.conn.ID(), Peer: peerText(s.conn), Body: body, Text: text, Farewell: farewell})
}

func (d *Desk) encodingOf(s *seat) *charset.Encoding {
	d.mu.Lock()
	defer d.mu.Unlock()
	return s.encoding
}

// SetEncoding changes what the text of conversation n is in.
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

// SetFraming changes how messages of conversation n are cut and sent.
func (d *Desk) SetFraming(n uint64, f framing.Framing) error {
	s, err := d.find(n)
	if err != nil {
		return err
	}
	s.conn.SetFraming(f)
	return nil
}

func peerText(c *duet.Conn) string {
	if a := c.RemoteAddr(); a != nil {
		return a.String()
	}
	return "unknown"
}
