package duet

import (
	"context"
	"errors"
)

// Converse has h answer a conversation that was dialled, as a [Server] has its
// Handler answer those that it accepted: when ServeConn returns, or panics, the conversation is
// drained and closed. The error is ServeConn's; how the conversation ended is in [Conn.End]. A
// panic comes back as a [*PanicError].
func Converse(ctx context.Context, c *Conn, h Handler) error {
	err := guard(ctx, c, h)
	_ = c.finish(outcome(err), err)
	return err
}

// errGoexit: the handler called runtime.Goexit, as testing.T.FailNow does.
var errGoexit = errors.New("handler left its goroutine")

// guard calls h. A panic becomes an error; with runtime.Goexit the conversation ends as well.
func guard(ctx context.Context, c *Conn, h Handler) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if p := recover(); p != nil {
			err = newPanicError("", p)
			return
		}
		_ = c.finish(EndHandlerFailed, errGoexit)
	}()
	err = h.ServeConn(ctx, c)
	returned = true
	return err
}

// outcome is the ending that what a handler returned stands for.
func outcome(err error) EndReason {
	var de *Error
	switch reason := ReasonOf(err); {
	case err == nil, reason == EndPeerClosed:
		return reason
	case errors.As(err, &de) && de.Reason != EndNone:
		return reason
	}
	return EndHandlerFailed
}

// Abort closes the conversation at once, without a word: what is queued is lost. Whoever
// receives or sends fails with ErrClosed. The conversation's owner still ends it with Close, or by returning from its handler.
func (c *Conn) Abort() error {
	c.setEnd(EndClosed, nil)
	c.stop(EndClosed)
	c.wire.Abandon()
	return c.wire.Close()
}

// Interrupts reports whether the end of ctx interrupts whatever waits in the conversation, so that nobody need watch it: the
// context that its server gives to the Handler, or one that has no end. A handler that has the bytes from Raw finds its deadlines in the past.
func (c *Conn) Interrupts(ctx context.Context) bool {
	return ctx.Done() == nil || c.set.server != nil && ctx == c.set.server.ctx
}
