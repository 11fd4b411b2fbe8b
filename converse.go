package duet

import (
	"context"
	"errors"
)

// Serve has h answer a conversation that was dialled, as a [Server] has its
// Handler answer those that it accepted: when ServeConn returns, or panics, the conversation is
// drained and closed. The handler gets the conversation's own context, see [Conn.Context]; it ends with ctx, too, and then
// Receive and Send return ctx.Err(). The error is ServeConn's; how the conversation ended is in [Conn.Result]. A
// panic comes back as a [*PanicError].
func Serve(ctx context.Context, c *Conn, h Handler) error {
	release := c.endWithContext(ctx)
	err := guard(c, h)
	release()
	_ = c.finish(outcome(err), err)
	return err
}

// errGoexit: the handler called runtime.Goexit, as testing.T.FailNow does.
var errGoexit = errors.New("handler left its goroutine")

// guard calls h. A panic becomes an error; with runtime.Goexit the conversation ends as well.
func guard(c *Conn, h Handler) (err error) {
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
	err = h.ServeConn(c.Context(), c)
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
	return c.cut(EndClosed)
}
