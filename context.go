package duet

import (
	"context"
	"errors"
	"time"
)

// Context returns the conversation's own context, which its [Handler] gets. It ends when this side wants the conversation to end: after
// Kick, Shutdown, Abort or Close, when the peer is too slow, and when the handler returns. Its cause (context.Cause) is an
// [*Error] whose Reason is the ending. It does not end when the peer finishes or the connection fails; see [Conn.Lost].
//
// In [Serve], it also ends with the context that Serve was given, and has its values.
//
// A Receive with this context costs less than with any other. A Send that waits with it goes on after its end, for at most three send
// timeouts. After Shutdown a handler may still call Send with this context, but not with one derived from it.
func (c *Conn) Context() context.Context { return (*ownContext)(c) }

// An ownContext is the context of a conversation. It is the Conn itself, so that it costs nothing until Done is called.
type ownContext Conn

// An innerContext is a real context that ends when the conversation is to end. It is made on first use.
type innerContext struct {
	context.Context
	cancel context.CancelCauseFunc
	parent context.Context // that of Serve, or context.Background
}

func newInnerContext(parent context.Context) *innerContext {
	in := &innerContext{parent: parent}
	in.Context, in.cancel = context.WithCancelCause(parent)
	return in
}

// inner returns the inner context, and makes it on first use.
func (o *ownContext) inner() *innerContext {
	c := (*Conn)(o)
	if c.ctx.Load() == nil {
		c.ctx.CompareAndSwap(nil, newInnerContext(context.Background()))
	}
	// This must come after the store: requestEnd and finish note the end first, and look for the inner context then.
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

// Err also asks the context of Serve. That ends a moment before the inner one, and Receive may have returned its error.
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

// Value asks the inner context, so that context.Cause and derived contexts find it.
func (o *ownContext) Value(key any) any { return o.inner().Value(key) }

// String keeps code that prints a context from looking into the Conn.
func (o *ownContext) String() string { return "duet.Conn.Context" }

// endContext ends the conversation's own context. The reason of the end must be known.
func (c *Conn) endContext() {
	if in := c.ctx.Load(); in != nil && in.Err() == nil {
		in.cancel(c.endCause())
	}
}

// endCause returns the cause of the conversation's own context: why the conversation is to end.
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
		e.Err = de.Err // it has the same operation and address
	}
	return e
}

// endWithContext makes ctx the parent of the conversation's own context until release. When ctx ends, calls that wait in the
// conversation are interrupted.
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

// waitContext returns the context that ends a wait of a Send or Receive with ctx. For the conversation's own context, that is its
// parent: requestEnd interrupts a Receive itself, and a Send that has begun goes on.
func (c *Conn) waitContext(ctx context.Context) context.Context {
	switch in := c.ctx.Load(); {
	case ctx != c.Context():
		return ctx
	case in != nil:
		return in.parent
	}
	return context.Background()
}

// needsNoWatch reports whether ctx never ends, or its end interrupts the calls that wait in the conversation anyhow.
func (c *Conn) needsNoWatch(ctx context.Context) bool { return ctx == c.Context() || ctx.Done() == nil }

// contextError returns the error of a Send whose context has ended. It is that of the conversation's end if ctx has ended with the
// conversation, and ctx.Err() otherwise.
func (c *Conn) contextError(ctx context.Context) error {
	var own *Error
	if in := c.ctx.Load(); in != nil && errors.As(context.Cause(in), &own) && errors.Is(context.Cause(ctx), own) {
		return c.endError("send")
	}
	return ctx.Err()
}

// endError returns the error of op in a conversation that is to end.
func (c *Conn) endError(op string) error {
	c.life.grantRequest()
	return c.error(op, c.life.requestError())
}
