package duet

import (
	"context"
	"errors"
	"os"
)

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
		c.recv.idleSince = now
		return false
	}
	if end := c.farewellDeadline(); end != 0 {
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
