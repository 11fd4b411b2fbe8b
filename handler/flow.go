package handler

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"duet.example/duet"
	"duet.example/duet/internal/bulk"
	"duet.example/duet/internal/wire"
)

// A flow is a conversation whose bytes a handler copies. Its watchdog ends the copy in time.
type flow struct {
	watchdog

	c    *duet.Conn
	raw  *wire.RawConn
	conn net.Conn // what is copied from and to

	// ctx is the context in which bulk.Copy copies. The cause of its end is how the conversation ends.
	ctx    context.Context
	cancel context.CancelCauseFunc // nil until makeContext
	// end is how the conversation ends, if the flow was ended before makeContext. watchdog.mu guards it.
	end error

	// fault makes the error for a failure of the target of a relay. It is nil for the peer.
	fault func(why duet.EndReason, err error) error
}

// takeOver takes over the bytes of c. The caller calls stop.
func takeOver(ctx context.Context, c *duet.Conn, idle, send time.Duration) (*flow, error) {
	raw, err := takeRaw(ctx, c)
	if err != nil {
		return nil, err
	}
	f := newFlow(ctx, c, raw, idle, send)
	f.makeContext()
	f.start()
	return f, nil
}

func takeRaw(ctx context.Context, c *duet.Conn) (*wire.RawConn, error) {
	nc, err := c.Raw(ctx)
	if err != nil {
		return nil, err
	}
	return nc.(*wire.RawConn), nil
}

// newFlow makes a flow whose bytes were taken over, without a context of its own. Its watchdog has not started.
func newFlow(ctx context.Context, c *duet.Conn, raw *wire.RawConn, idle, send time.Duration) *flow {
	if send == 0 {
		send = duet.DefaultSendTimeout
	}
	f := &flow{
		c: c, raw: raw, ctx: ctx,
		watchdog: watchdog{idle: max(idle, 0), stall: max(send, 0), began: time.Now()},
	}
	f.expire = f.expired
	f.conn, f.inspector = inspect(raw, f)
	return f
}

// makeContext makes the context in which bulk.Copy copies.
func (f *flow) makeContext() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ctx, f.cancel = context.WithCancelCause(f.ctx)
}

// stop ends the watching, and frees the context. The copy has ended.
func (f *flow) stop() {
	if f.cancel != nil {
		f.cancel(nil)
	}
	f.watchdog.stop()
}

// expired ends the copy because a limit of the watchdog has passed. watchdog.mu is held.
func (f *flow) expired(e expiry) {
	var why error
	switch e {
	case expiredIdle:
		why = failure(f.c, "receive", duet.EndIdle, duet.ErrIdle)
	case expiredStall:
		why = f.failure("send", duet.EndSlowPeer, duet.ErrSlowPeer)
	case expiredSilence:
		why = f.silence.cause
	}
	if f.cancel != nil {
		f.cancel(why)
		return
	}
	if f.end == nil {
		f.end = why
	}
	_ = f.raw.SetDeadline(time.Unix(1, 0))
}

// endBefore returns how the flow was ended before makeContext; nil if it was not.
func (f *flow) endBefore() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.end
}

// cause returns how the conversation ends: as the flow was ended, and otherwise with err.
func (f *flow) cause(err error) error {
	why := f.endBefore()
	if why == nil && f.ctx.Err() != nil {
		why = context.Cause(f.ctx)
	}
	if why == nil {
		return err
	}
	return ended(f.c, why)
}

// failure makes an error of the connection of this flow.
func (f *flow) failure(op string, why duet.EndReason, err error) error {
	if f.fault != nil {
		return f.fault(why, err)
	}
	return failure(f.c, op, why, err)
}

// lost returns the error that says that bytes which the system had taken did not reach the peer; nil if none does. It may be called with
// probe only before the half-close.
func (f *flow) lost(probe bool) error {
	if err := f.inspector.pendingError(probe); err != nil {
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
	// The conversation's end sets the connection's deadlines, so they may pass before its context ends.
	if ctx := f.c.Context(); errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
		return ended(f.c, context.Cause(ctx))
	}
	return f.failure(op, duet.ReasonOf(err), err)
}

// failedSide returns the side of a copy that has failed, "read" or "write"; empty if err is another error.
func failedSide(err error) string {
	var side *bulk.SideError
	if errors.As(err, &side) {
		return side.Op
	}
	return ""
}

// failure makes an error of the conversation c.
func failure(c *duet.Conn, op string, why duet.EndReason, err error) error {
	e := &duet.Error{Op: op, Reason: why, Err: err}
	if a := c.RemoteAddr(); a != nil {
		e.Addr = a.String()
	}
	return e
}

// ended gives the end of a context its reason. All other errors of a Conn have one.
func ended(c *duet.Conn, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return failure(c, "converse", duet.EndClosed, err)
	}
	return err
}
