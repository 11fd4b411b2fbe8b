package handler

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"duet.example/duet"
	"duet.example/duet/internal/wire"
)

// A flow is a conversation whose bytes a handler has taken over: the context in which they are
// copied, and the times that hold. No read and no write has a timer or a deadline of its own. They note
// when bytes moved, and one timer looks at that.
type flow struct {
	c      *duet.Conn
	raw    *wire.RawConn
	conn   net.Conn // what is copied from and to
	meter  meter
	ctx    context.Context
	cancel context.CancelCauseFunc // its cause is how the conversation ends; nil in a trickle

	idle, send time.Duration // 0: never
	every      time.Duration // how often it is looked at the least; 0: only while bytes move or a time runs

	// Where the conversation has a second connection, both have a flow, and these are set.
	other *flow
	fault func(op string, why duet.EndReason, err error) error // what failed in it; nil: the peer
	gone  func(err error) silence                              // nil: nobody asks whether it was cut while it is not read

	began      time.Time
	came, went atomic.Int64 // when bytes last came, and were last taken by the peer: nanoseconds since began
	armed      atomic.Bool
	writing    atomic.Bool // somebody is in a Write to it that is told of only when all has been taken

	mu       sync.Mutex
	timer    *time.Timer
	over     bool
	heard    time.Duration // when the peer was last seen to be not idle
	progress time.Duration // when the peer was last seen to take bytes, or to have no need to
	queue    int           // what the system held for the peer at the last look
	seen     int64         // went at the last look
	silence  silence
	why      error // what finish was told in a trickle
}

// A silence ends the flow when nothing is sent, or with hearing nothing comes, for limit.
type silence struct {
	limit   time.Duration // 0: there is none; below zero: it does not end
	since   time.Duration
	hearing bool
	end     error
}

// resetLook is how soon it is noticed that a connection was reset which nobody reads.
const resetLook = 250 * time.Millisecond

// otherLook is how soon something is noticed that concerns two connections, while one waits for the other.
const otherLook = time.Second

// A state is what the system knows about a connection.
type state struct {
	readable bool // bytes or the peer's end wait to be read, or were: the peer is not idle
	full     bool // somebody who writes waits, or would wait, for the peer
	queue    int  // bytes that the system still holds for the peer; -1: unknown
}

// A meter asks for the state of a connection.
type meter interface {
	state() state
	// broken gives the error that waits to be told to the next who writes. It may
	// be asked with probe only before the half-close.
	broken(probe bool) error
	// refuses gives the error with which the connection would refuse to be written to; nil also where that
	// cannot be asked now. Before the half-close only.
	refuses() error
}

// take takes over the bytes of c. The caller calls end.
func take(ctx context.Context, c *duet.Conn, idle, send time.Duration) (*flow, error) {
	f, err := newFlow(ctx, c, idle, send)
	if err != nil {
		return nil, err
	}
	f.bulk()
	f.begin()
	return f, nil
}

// newFlow is take without a context of its own, and before the watching begins.
func newFlow(ctx context.Context, c *duet.Conn, idle, send time.Duration) (*flow, error) {
	nc, err := c.Raw(ctx)
	if err != nil {
		return nil, err
	}
	raw := nc.(*wire.RawConn)
	if send == 0 {
		send = duet.DefaultSendTimeout
	}
	f := &flow{c: c, raw: raw, ctx: ctx, idle: max(idle, 0), send: max(send, 0), began: time.Now()}
	f.conn, f.meter = measure(raw, f)
	return f, nil
}

// bulk makes the context in which bulk.Copy copies.
func (f *flow) bulk() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ctx, f.cancel = context.WithCancelCause(f.ctx)
}

// begin begins the watching.
func (f *flow) begin() {
	if f.idle > 0 {
		f.arm()
	}
}

// finish ends the flow with a cause: copying ends. f.mu is held.
func (f *flow) finish(why error) {
	if f.cancel != nil {
		f.cancel(why)
		return
	}
	if f.why == nil {
		f.why = why
	}
	_ = f.raw.SetDeadline(time.Unix(1, 0))
}

// told is what finish was told while there was no context; nil: nothing.
func (f *flow) told() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.why
}

// end stops the watching. What was copied has ended.
func (f *flow) end() {
	if f.cancel != nil {
		f.cancel(nil)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	if f.timer != nil {
		f.timer.Stop()
	}
}

func (f *flow) now() time.Duration { return time.Since(f.began) }

// received and sent note that bytes moved. They are the hot path.
func (f *flow) received(int64) { f.came.Store(int64(f.now())) }

func (f *flow) sent(int64) { f.took() }

func (f *flow) took() {
	f.went.Store(int64(f.now()))
	f.attend()
}

// attend has it looked at while bytes move, or are to.
func (f *flow) attend() {
	if (f.send > 0 || f.other != nil) && !f.armed.Load() {
		f.arm()
	}
}

// write writes to nc, and is looked at meanwhile, however little nc takes.
func (f *flow) write(nc net.Conn, p []byte) (int, error) {
	f.writing.Store(true)
	defer f.writing.Store(false)
	f.attend()
	return nc.Write(p)
}

// arm has the flow looked at, soon enough for each of its times.
func (f *flow) arm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.schedule()
}

// schedule is arm with f.mu held.
func (f *flow) schedule() {
	if f.over {
		return
	}
	wait := f.every
	sooner := func(d time.Duration) {
		if wait == 0 || d < wait {
			wait = max(d, time.Millisecond)
		}
	}
	now := f.now()
	if f.idle > 0 {
		sooner(f.lastHeard() + f.idle - now)
	}
	if f.send > 0 {
		sooner(f.send / 8)
	}
	if f.other != nil {
		sooner(otherLook)
	}
	if f.silence.limit > 0 {
		sooner(f.silentSince() + f.silence.limit - now)
	}
	if wait == 0 {
		return
	}
	f.armed.Store(true)
	if f.timer == nil {
		f.timer = time.AfterFunc(wait, f.look)
	} else {
		f.timer.Reset(wait)
	}
}

func (f *flow) lastHeard() time.Duration {
	heard := max(f.heard, time.Duration(f.came.Load()))
	if f.other != nil {
		heard = max(heard, time.Duration(f.other.came.Load())) // they began together
	}
	return heard
}

func (f *flow) silentSince() time.Duration {
	moved := f.went.Load()
	if f.silence.hearing {
		moved = f.came.Load()
	}
	return max(f.silence.since, time.Duration(moved))
}

// look ends the flow when one of its times is up.
func (f *flow) look() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return
	}
	now, s := f.now(), f.meter.state()
	waits := s.full || f.writing.Load()
	if f.other != nil {
		o := f.other.meter.state()
		waits = waits || o.full
		s.readable = s.readable || o.readable
	}
	if s.readable {
		f.heard = now
	}
	if f.gone != nil && f.silence.limit == 0 {
		if err := f.meter.broken(false); err != nil {
			f.silence = f.gone(err)
			f.silence.since = now
		}
	}
	if !s.full || s.queue != f.queue {
		f.progress = now
	}
	f.queue = s.queue
	if s.full && !f.silence.hearing {
		f.silence.since = now // there may be something to send that cannot be
	}
	went := f.went.Load()
	switch {
	case f.idle > 0 && now >= f.lastHeard()+f.idle:
		f.finish(failure(f.c, "receive", duet.EndIdle, duet.ErrIdle))
	case f.send > 0 && now >= max(f.progress, time.Duration(went))+f.send:
		f.finish(f.failure("send", duet.EndSlowPeer, duet.ErrSlowPeer))
	case f.silence.limit > 0 && !s.full && now >= f.silentSince()+f.silence.limit:
		f.finish(f.silence.end)
	case f.idle == 0 && f.every == 0 && f.silence.limit == 0 && !waits && went == f.seen:
		// Nothing moves and nobody waits: what moves next arms it again.
		f.armed.Store(false)
		if f.went.Load() != went || f.writing.Load() {
			f.schedule()
		}
	default:
		f.seen = went
		f.schedule()
	}
}

// silentFrom sets the silence that ends the flow, from now on.
func (f *flow) silentFrom(s silence) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.since = f.now()
	f.silence = s
	f.schedule()
}

// cause is how the conversation ends: as the flow was told to, or else with err.
func (f *flow) cause(err error) error {
	why := f.told()
	if why == nil && f.ctx.Err() != nil {
		why = context.Cause(f.ctx)
	}
	if why == nil {
		return err
	}
	return ended(f.c, why)
}

// failure is what failed with the connection of this flow.
func (f *flow) failure(op string, why duet.EndReason, err error) error {
	if f.fault != nil {
		return f.fault(op, why, err)
	}
	return failure(f.c, op, why, err)
}

// lookForReset has it looked at whether the connection was reset, while nobody reads it; then gone is called, with f.mu held. For nil it is the
// gone that there is already.
func (f *flow) lookForReset(gone func(err error) silence) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.every = resetLook
	if gone != nil {
		f.gone = gone
	}
	f.schedule()
}

// endLookForReset undoes lookForReset.
func (f *flow) endLookForReset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.every, f.gone = 0, nil
}

// lost tells of bytes that the system took and could not get to the peer.
func (f *flow) lost(probe bool) error {
	if err := f.meter.broken(probe); err != nil {
		return f.failure("send", duet.ReasonOf(err), err)
	}
	return nil
}

// peerError gives an error of the connection its reason.
func (f *flow) peerError(err error) error {
	var de *duet.Error
	if errors.As(err, &de) {
		return err
	}
	op := "receive"
	if failedSide(err) == "write" {
		op = "send"
	}
	// The conversation's end sets the connection's deadlines, so it may be known by them first.
	if ctx := f.c.Context(); errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
		return ended(f.c, context.Cause(ctx))
	}
	return f.failure(op, duet.ReasonOf(err), err)
}

func failure(c *duet.Conn, op string, why duet.EndReason, err error) error {
	e := &duet.Error{Op: op, Reason: why, Err: err}
	if a := c.RemoteAddr(); a != nil {
		e.Addr = a.String()
	}
	return e
}
