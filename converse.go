package duet

import (
	"context"
	"errors"
	"io"
)

// Serve has h answer a conversation that was dialled, as a [Server] has its
// Handler answer those that it accepted: when ServeConn returns, or panics, the conversation is
// drained and closed. The handler gets the conversation's own context, see [Conn.Context]; it ends with ctx, too, and then
// Receive and Send return ctx.Err(). The error is ServeConn's; how the conversation ended is in [Conn.Result]. A
// panic comes back as a [*PanicError].
func Serve(ctx context.Context, c *Conn, h Handler) error {
	release := c.converseUnder(ctx)
	err := guard(c, h)
	release()
	reason, _ := EndingOf(c, err)
	_ = c.finish(reason, err)
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

// EndingOf returns how c ends if its handler returns err now, and why. The cause is nil if there is none beyond the reason. It is for
// a handler that tells of the end before it returns, as a desk does.
//
// If c is ending already, the reason is that of [Conn.Result], or the one that Kick or Shutdown has given. Otherwise nil is EndClosed, and
// io.EOF is EndPeerClosed. An [*Error] has its Reason. Any other error is EndHandlerFailed.
func EndingOf(c *Conn, err error) (reason EndReason, cause error) {
	reason, cause = c.Result()
	if why := c.stopReason(); why != EndNone && reason.givesWayTo(why) {
		return why, c.endCause()
	}
	if returned := handlerReason(err); reason.givesWayTo(returned) {
		reason, cause = returned, nil
	}
	if cause == nil && !errors.Is(err, io.EOF) {
		cause = err
	}
	return reason, cause
}

// handlerReason returns the reason that err stands for, if a handler has returned it and nothing else has ended the conversation.
func handlerReason(err error) EndReason {
	var de *Error
	if err == nil || errors.Is(err, io.EOF) || errors.As(err, &de) && de.Reason != EndNone {
		return ReasonOf(err)
	}
	return EndHandlerFailed
}

// Abort closes the conversation at once, without a word: what is queued is lost. Whoever
// receives or sends fails with ErrClosed. The conversation's owner still ends it with Close, or by returning from its handler.
func (c *Conn) Abort() error {
	c.setEnd(EndClosed, nil)
	c.stop(EndClosed)
	c.wire.Abandon()
	defer c.tellLost()
	return c.wire.Close()
}
