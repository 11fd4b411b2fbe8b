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

// extras hold state that few conversations need. They are allocated on first use.
type extras struct {
	transfer atomic.Pointer[Transfer] // the transfer that has its turn, nil if none has; written under sendState.mu
	panicked atomic.Bool              // a panic of a Trace func or of the source was logged

	mu         sync.Mutex       // guards the four below
	next       framing.Codec    // set by SetFraming and not yet in use
	framing    framing.Framing  // set by SetFraming
	encoding   framing.Encoding // set by SetEncoding
	hasChanged bool             // encoding was set and is not yet in use

	account account     // with a Server.Memory
	until   wire.Moment // when Throttle allows the next read; used by the goroutine that reads
	refused error       // of Throttle, after Raw; used by the goroutine that reads

	remains remains     // once the connection is lost
	rawEOF  atomic.Bool // the connection that Raw returned was read to the peer's end
}

// makeExtras returns the extras, and allocates them on first use.
func (c *Conn) makeExtras() *extras {
	if x := c.extras.Load(); x != nil {
		return x
	}
	c.extras.CompareAndSwap(nil, new(extras))
	return c.extras.Load()
}

// throttle reports n bytes that were read to Server.Throttle. Its error ends the conversation.
func (c *Conn) throttle(n int) error {
	d, err := c.set.throttle(c, n)
	if err != nil {
		var de *Error
		if errors.As(err, &de) {
			err = de.Err // c.error adds the same operation and address
		}
		c.setEnd(EndRefused, err)
		return err
	}
	if d > 0 {
		c.makeExtras().until = c.wire.Now().After(d)
	}
	return nil
}

// awaitThrottle waits until Throttle allows the next read, or until the peer's time to end after our farewell has passed. It
// reports whether it has waited; the caller then looks again at what there is to do. The peer is not idle meanwhile.
func (c *Conn) awaitThrottle(ctx context.Context) bool {
	x := c.extras.Load()
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
	c.wire.Sleep(c.waitContext(ctx), until)
	return true
}

// awaitRawThrottle waits until Throttle allows the next read of the connection that Raw has returned, or until that read would fail.
func (c *Conn) awaitRawThrottle() error {
	x := c.makeExtras()
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
