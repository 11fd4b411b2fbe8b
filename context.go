package duet

import (
	"context"
	"errors"
	"time"
)

// Context is the conversation's own context, the one that a [Handler] gets. It ends when this side wants the conversation to end: by Kick,
// Shutdown, Abort or Close, when the peer is too slow, and when the handler returns. Its cause (context.Cause) is an
// [*Error] with the ending as its Reason. It does not end when the peer finishes, or when the connection fails; see [Conn.Lost].
//
// In [Serve] it also ends with the context given there, as that one does, and has its values.
//
// A Receive with this context costs less than with any other. A Send that waits with it goes on at its end, for at most three send
// timeouts. After Shutdown a handler may still Send with this context, but not with one derived from it.
func (c *Conn) Context() context.Context { return (*ownContext)(c) }

// An ownContext is the context of a conversation. It is the Conn itself, so that it costs nothing while nobody asks for Done.
type ownContext Conn

// An innerContext is what ends when the conversation is to end, once somebody has asked for that.
type innerContext struct {
	context.Context
	cancel context.CancelCauseFunc
	parent context.Context // that of Serve, or the background
}

func newInnerContext(parent context.Context) *innerContext {
	in := &innerContext{parent: parent}
	in.Context, in.cancel = context.WithCancelCause(parent)
	return in
}

// inner gives the inner context, and makes it if need be.
func (o *ownContext) inner() *innerContext {
	c := (*Conn)(o)
	if c.ctx.Load() == nil {
		c.ctx.CompareAndSwap(nil, newInnerContext(context.Background()))
	}
	// This must come after the store: endContext looks for the inner context after the end was noted.
	if c.life.isEnding() {
		c.endContext()
	}
	return c.ctx.Load()
}

func (o *ownContext) Deadline() (deadline time.Time, ok bool) {
	if in := o.ctx.Load(); in != nil {
		return in.Deadline()
	}
	return time.Time{}, false
}

func (o *ownContext) Done() <-chan struct{} { return o.inner().Done() }

// Err asks the context of Serve as well: that ends a moment before the inner one, and Receive may have told of it.
func (o *ownContext) Err() error {
	if o.ctx.Load() == nil {
		if o.life.isEnding() {
			return context.Canceled
		}
		return nil
	}
	in := o.inner()
	if err := in.Err(); err != nil {
		return err
	}
	return in.parent.Err()
}

// Value asks the inner context, so that context.Cause and contexts derived from this one find it.
func (o *ownContext) Value(key any) any { return o.inner().Value(key) }

// String keeps what prints a context from looking into the Conn.
func (o *ownContext) String() string { return "duet.Conn.Context" }

// endContext ends the conversation's own context. The reason is known.
func (c *Conn) endContext() {
	if in := c.ctx.Load(); in != nil && in.Err() == nil {
		in.cancel(c.endCause())
	}
}

// endCause is why the conversation is to end.
func (c *Conn) endCause() *Error {
	e := &Error{Op: "converse", Addr: addrText(c.RemoteAddr())}
	if e.Reason = c.life.request(); e.Reason != EndNone {
		e.Err = c.life.requestError()
		return e
	}
	e.Reason, e.Err = c.Result()
	var de *Error
	switch {
	case e.Err == nil:
		e.Err = ErrClosed
	case errors.As(e.Err, &de):
		e.Err = de.Err // it says again what this one does
	}
	return e
}

// endWithContext has the conversation's own context end with ctx, and whatever waits in the conversation be interrupted then, until
// release.
func (c *Conn) endWithContext(ctx context.Context) (release func()) {
	in := newInnerContext(ctx)
	if old := c.ctx.Swap(in); old != nil {
		context.AfterFunc(in, func() { old.cancel(context.Cause(in)) })
	}
	if c.life.isEnding() {
		c.endContext()
	}
	ran := make(chan struct{})
	stop := context.AfterFunc(in, func() {
		defer close(ran)
		if ctx.Err() != nil {
			c.interruptAll()
		}
	})
	return func() {
		if !stop() {
			<-ran
		}
	}
}

// watched is the context that a Send or Receive with ctx watches. The conversation's own needs no watch: stop interrupts a Receive, and a
// message that has been begun is to be sent.
func (c *Conn) waitContext(ctx context.Context) context.Context {
	switch in := c.ctx.Load(); {
	case ctx != c.Context():
		return ctx
	case in != nil:
		return in.parent
	}
	return context.Background()
}

// isWatched reports whether the end of ctx interrupts whatever waits in the conversation, so that nobody need watch it.
func (c *Conn) needsNoWatch(ctx context.Context) bool { return ctx == c.Context() || ctx.Done() == nil }

// contextError is the error of a Send whose context has ended: that of the conversation's end if the context has ended with it.
func (c *Conn) contextError(ctx context.Context) error {
	var own *Error
	if in := c.ctx.Load(); in != nil && errors.As(context.Cause(in), &own) && errors.Is(context.Cause(ctx), own) {
		return c.endError("send")
	}
	return ctx.Err()
}

// endError is the error of op in a conversation that is to end.
func (c *Conn) endError(op string) error {
	c.life.grantRequest()
	return c.error(op, c.life.requestError())
}
