// Package desk holds conversations with their operators. A Desk is a handler: it keeps the roster of live
// conversations, gives the events of all conversations to its subscribers, and sends what operators write. Read
// [Desk] and [Table] first. The package knows no screen; package console is the terminal face of a desk.
package desk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"duet.example/duet"
	"duet.example/duet/framing"
)

// ErrNobody means that there is no live conversation with this number.
var ErrNobody = errors.New("no such conversation")

// A Desk is the handler of conversations that operators answer, or watch. The zero Desk works. Several goroutines may
// call its methods at the same time. Do not change its fields once it serves.
type Desk struct {
	// Next, if set, answers the conversations. Operators then watch them, may also send messages, and may end them.
	// The Trace of the server must then include that of [Desk.Trace]. If Next is a Hall, operators also speak in its
	// rooms. Nil: only operators answer. They then see a peer's farewell if Options.ShowFarewell of the server is set.
	Next duet.Handler
	// Encoding is the text encoding of the peers. Nil: UTF-8.
	Encoding *Encoding
	// Gate keeps addresses out, for Ban and Reload; for example an *admission.Gate. Nil: both fail with ErrNoGate.
	Gate Gate

	mu       sync.Mutex
	seats    map[uint64]*seat
	byConn   map[*duet.Conn]*seat // where Next answers
	left     []Entry              // the last that ended
	highest  uint64               // number given so far
	watchers []*Watch             // never changed in place
}

// keepLeft is how many conversations that ended the roster remembers.
const keepLeft = 100

var _ duet.Handler = (*Desk)(nil)

// ServeConn keeps a conversation at the desk until it ends. Each of its messages becomes an event for all
// subscribers. Each subscriber has a bounded queue. While one queue is full, this peer is not read, so that no event
// is lost; TCP then makes the peer wait.
//
// When ctx ends, the conversation is closed, and it waits for no subscriber. Its last events are kept for them,
// within bounds. After Shutdown of the server, it waits for them as long as the server waits.
func (d *Desk) ServeConn(ctx context.Context, c *duet.Conn) error {
	s := d.arrive(ctx, c)
	if d.Next != nil {
		return d.watchNext(s)
	}
	err := d.listen(ctx, s)
	if d.hasTransfers(s, err) {
		d.awaitTransfers(s)
	}
	s.awaitFarewell(err)
	return d.leave(ctx, s, err)
}

// errNoReturn: a handler panicked, or left its goroutine. The server has the stack.
var errNoReturn = errors.New("the handler did not return")

// watchNext has Next answer. Its conversation leaves the desk also where it panics.
//
//go:noinline
func (d *Desk) watchNext(s *seat) error {
	defer d.leaveAnyway(s)
	err := d.Next.ServeConn(s.ctx, s.conn)
	s.returned = true
	if err == nil || d.hasTransfers(s, err) {
		d.awaitTransfers(s)
	}
	s.awaitFarewell(err)
	return d.leave(s.ctx, s, err)
}

func (d *Desk) leaveAnyway(s *seat) {
	if !s.returned {
		_ = d.leave(s.ctx, s, errNoReturn)
	}
}

// awaitFarewell waits until this side's farewell, or its answer to the peer's, has left: it is told and counted before the end. err is
// what the handler returned.
func (s *seat) awaitFarewell(err error) {
	if reason, _ := s.conn.Result(); reason == duet.EndFarewell && (err == nil || errors.Is(err, io.EOF)) {
		_ = s.conn.CloseWrite(context.WithoutCancel(s.ctx)) // if it fails, the reason of the ending stays
	}
}

// arrive seats c and tells of it.
//
//go:noinline
func (d *Desk) arrive(ctx context.Context, c *duet.Conn) (s *seat) {
	onOwnStack(func() {
		var watchers []*Watch
		s, watchers = d.seat(ctx, c)
		d.tell(ctx, s, watchers, d.event(s, Arrived))
	})
	return s
}

// leave tells how the conversation ended that the handler has left with err.
func (d *Desk) leave(ctx context.Context, s *seat, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil // this side closes the conversation
	}
	reason, cause := duet.EndingOf(s.conn, err)
	d.finished(s, true)
	e := d.event(s, Left)
	e.Reason, e.Err = reason, cause
	left := d.entry(s)
	e.Stats = left.Stats
	if reason == duet.EndKicked {
		d.mu.Lock()
		e.Operator = s.endedBy
		d.mu.Unlock()
	}
	left.Ended, left.Reason, left.Err = e.Time, reason, cause
	d.tell(ctx, s, d.unseat(s, left), e)
	return err
}

func (d *Desk) listen(ctx context.Context, s *seat) error {
	for {
		m, err := s.conn.ReceivePartial(ctx)
		if err != nil {
			return err
		}
		d.said(ctx, s, m)
	}
}

// said tells what the peer said.
func (d *Desk) said(ctx context.Context, s *seat, m duet.Message) {
	onOwnStack(func() { d.tellSaid(ctx, s, m) })
}

func (d *Desk) tellSaid(ctx context.Context, s *seat, m duet.Message) {
	if m.Partial {
		d.saying(s, m.Body)
		return
	}
	d.finished(s, false)
	d.mu.Lock()
	e := s.event(Said)
	e.Body, e.Farewell, e.Mark = m.Body, m.Farewell, m.Mark.String()
	e.Text = s.encoding.Decode(m.Body)
	s.heard(e.Text)
	d.mu.Unlock()
	d.tell(ctx, s, d.watching(), e)
}

// Trace returns the trace through which the desk learns of messages that Next sends and of peers that are refused.
// The server's Trace must include it (duet.JoinTraces) if Next is set.
func (d *Desk) Trace() *duet.Trace {
	t := &duet.Trace{Refused: func(addr net.Addr, err error) {
		e := &Event{Kind: Refused, Time: time.Now(), Peer: "unknown", Err: err}
		if addr != nil && addr.String() != "" {
			e.Peer = addr.String()
		}
		d.tellNow(e)
	}}
	if d.Next == nil {
		return t
	}
	if d.hall() == nil {
		t.Received = func(c *duet.Conn, m duet.Message) {
			if s := d.of(c); s != nil {
				d.said(s.ctx, s, m)
			}
		}
	}
	t.Sent = func(c *duet.Conn, body []byte) {
		if s := d.of(c); s != nil {
			d.sent(s, body)
		}
	}
	return t
}

// Notice gives the subscribers a notice for operators. It does not wait.
func (d *Desk) Notice(text string) {
	d.tellNow(&Event{Kind: Notice, Time: time.Now(), Note: text})
}

func (d *Desk) of(c *duet.Conn) *seat {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.byConn[c]
}

// sent tells what was said to the peer, and by whom. It does not wait: the conversation's writer must not wait for a screen.
// What a hall hands on was told before.
func (d *Desk) sent(s *seat, body []byte) {
	onOwnStack(func() { d.tellSent(s, body) })
}

func (d *Desk) tellSent(s *seat, body []byte) {
	d.mu.Lock()
	e := s.event(Answered)
	e.Body, e.Text = body, s.encoding.Decode(body)
	if len(s.spoken) > 0 && bytes.Equal(s.spoken[0].body, body) {
		e.Operator, e.Farewell, e.Raw = s.spoken[0].operator, s.spoken[0].farewell, s.spoken[0].raw
		s.spoken = s.spoken[1:]
	} else if d.hall() != nil {
		d.mu.Unlock()
		return
	}
	if !e.Raw {
		e.Mark = s.conn.WireEncoding(e.Farewell).String()
	}
	d.mu.Unlock()
	d.tellNow(e)
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

// Numbers returns the numbers of the live conversations, in ascending order.
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
func (d *Desk) SetEncoding(n uint64, e *Encoding) error {
	s, err := d.find(n)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s.encoding = e
	s.conn.SetEncoding(e)
	return nil
}

// SetFraming changes how messages of conversation n are cut and sent. ErrNobody where there is none.
func (d *Desk) SetFraming(n uint64, f framing.Framing) error {
	s, err := d.find(n)
	if err != nil {
		return err
	}
	s.conn.SetFraming(f)
	if h, ok := d.Next.(Reframer); ok {
		h.Reframed(s.conn)
	}
	return nil
}

func (d *Desk) encodingOf(s *seat) *Encoding {
	d.mu.Lock()
	defer d.mu.Unlock()
	return s.encoding
}
