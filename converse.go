package duet

import (
	"context"
	"errors"
)

// Serve calls h for a conversation that was dialled, as a [Server] calls its Handler for those that it accepts. When ServeConn
// returns or panics, the conversation is drained and closed.
//
// The handler gets the conversation's own context, see [Conn.Context]. That also ends with ctx; then
// Receive and Send return ctx.Err(). Serve returns the error of ServeConn, or a [*PanicError] if that panicked. [Conn.Result]
// says how the conversation ended.
func Serve(ctx context.Context, c *Conn, h Handler) error {
	release := c.endWithContext(ctx)
	err := guard(c, h)
	release()
	_ = c.finish(outcome(err), err)
	return err
}

// errGoexit is the cause of an ending by a handler that called runtime.Goexit, as testing.T.FailNow does.
var errGoexit = errors.New("handler left its goroutine")

// guard calls h. A panic becomes an error. After runtime.Goexit the conversation ends as well.
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

// Abort closes the connection at once. The queue is lost, and the peer gets no farewell. Calls of Receive and Send
// fail with ErrClosed. The owner of the conversation still ends it with Close, or by returning from its handler.
func (c *Conn) Abort() error {
	return c.cut(EndClosed)
}
