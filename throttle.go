package duet

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"

	"duet.example/duet/framing"
	"duet.example/duet/internal/wire"
)

// A seldom is what few conversations need, so that the others do not pay for it.
type seldom struct {
	transfer atomic.Pointer[Transfer] // the one whose turn it is; nil: none. Written under sendState.mu
	panicked atomic.Bool              // a panic of a Trace func or of the source was logged

	mu         sync.Mutex       // guards the four below
	next       framing.Codec    // set by SetFraming and not yet in use
	framing    framing.Framing  // SetFraming's
	encoding   framing.Encoding // SetEncoding's
	hasChanged bool             // encoding was set and is not yet in use

	account account     // with a Server.Memory
	until   wire.Moment // nothing is read before; the reader's
	refused error       // Throttle's, after Raw; the reader's

	remains remains     // once the connection is lost
	rawEOF  atomic.Bool // what Raw returned was read to the peer's end
}

// rarely gives the conversation's seldom, and makes it if need be.
func (c *Conn) rarely() *seldom {
	if x := c.seldom.Load(); x != nil {
		return x
	}
	c.seldom.CompareAndSwap(nil, new(seldom))
	return c.seldom.Load()
}

// throttle asks Server.Throttle about n bytes that were read. The error ends the conversation.
func (c *Conn) throttle(n int) error {
	d, err := c.set.throttle(c, n)
	if err != nil {
		var de *Error
		if errors.As(err, &de) {
			err = de.Err // it says again what c.error will
		}
		c.setEnd(EndRefused, err)
		return err
	}
	if d > 0 {
		c.rarely().until = c.wire.Now().After(d)
	}
	return nil
}

// hold waits while nothing may be read from the peer; true where it did, or somebody wants the receiver to look up. It ends with the peer's
// time to end after our farewell. The peer is not idle meanwhile.
func (c *Conn) hold(ctx context.Context) bool {
	x := c.seldom.Load()
	if x == nil || x.until == 0 {
		return false
	}
	until, now := x.until, c.wire.Now()
	if now >= until || c.wire.IsLost() {
		x.until = 0
		c.recv.idle = now
		return false
	}
	if end := c.byeDeadline(); end != 0 {
		if now >= end {
			return false
		}
		until = min(until, end)
	}
	c.wire.Sleep(c.watched(ctx), until)
	return true
}

// holdRaw waits until Throttle allows the next read of the connection that Raw has returned, or until that will fail.
func (c *Conn) holdRaw() error {
	x := c.rarely()
	for {
		now, until := c.wire.Now(), x.until
		end, over := c.wire.RawDeadline()
		switch {
		case now >= until || over:
			return nil
		case end == 0:
		case now >= end:
			return os.ErrDeadlineExceeded
		case end < until:
			until = end
		}
		c.wire.Sleep(context.Background(), until)
	}
}
