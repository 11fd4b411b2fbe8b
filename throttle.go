package duet

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"duet.example/duet/framing"
)

// A seldom is what few conversations need, so that the others do not pay for it.
type seldom struct {
	kicked   atomic.Pointer[string]   // KickWith's words
	transfer atomic.Pointer[Transfer] // the one whose turn it is; nil: none. Written under sendState.mu
	failure  atomic.Pointer[error]    // why stopBecause was called first
	panicked atomic.Bool              // a panic of a Trace func or of the source was logged

	next    framing.Codec   // set by SetFraming and not yet in use, under recv.dl.mu
	framing framing.Framing // SetFraming's, under recv.dl.mu

	encoding   framing.Encoding // SetEncoding's, under recv.dl.mu
	hasChanged bool             // encoding was set and is not yet in use, under recv.dl.mu
	account    account          // with a Server.Memory

	until moment        // nothing is read before; its owner is who reads
	woken chan struct{} // under recv.dl.mu: somebody waits for until

	remains remains // once the connection is lost
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
		c.rarely().until = c.now().after(d)
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
	until, now := x.until, c.now()
	if now >= until || c.wire.isLost() {
		x.until = 0
		c.recv.idle = now
		return false
	}
	if fin, _ := c.sent(); c.out.saidBye.Load() && fin != 0 {
		end := fin.after(c.set.linger)
		if now >= end {
			return false
		}
		if end < until {
			until = end
		}
	}
	c.waitUntil(ctx, x, until)
	return true
}

// waitUntil waits for a time, without reading, until somebody interrupts or ctx ends.
func (c *Conn) waitUntil(ctx context.Context, x *seldom, until moment) {
	d := &c.recv.dl
	d.mu.Lock()
	if d.wake {
		d.wake = false
		d.mu.Unlock()
		return
	}
	woken := make(chan struct{}, 1)
	x.woken = woken
	d.mu.Unlock()
	t := time.NewTimer(until.since(c.now()))
	defer t.Stop()
	select {
	case <-t.C:
	case <-woken:
	case <-ctx.Done():
	}
	d.mu.Lock()
	x.woken, d.wake = nil, false
	d.mu.Unlock()
}

// wakeHeld has waitUntil return. recv.dl.mu is held.
func (c *Conn) wakeHeld() {
	if x := c.seldom.Load(); x != nil && x.woken != nil {
		select {
		case x.woken <- struct{}{}:
		default:
		}
	}
}

// A heldConn is what Raw gives where there is a Throttle: it reads no faster than that allows. One goroutine reads.
type heldConn struct {
	rawConn
	refused  error
	deadline time.Time // for reading, under c.recv.dl.mu
	closed   bool      // likewise
}

// Read waits as Throttle wants it, not beyond the deadline, and reads.
func (h *heldConn) Read(p []byte) (int, error) {
	if h.refused != nil {
		return 0, h.c.error("receive", h.refused)
	}
	if len(h.ahead) > 0 {
		return h.rawConn.Read(p) // they have been asked for
	}
	if err := h.hold(); err != nil {
		return 0, err
	}
	n, err := h.rawConn.Read(p)
	if n > 0 {
		h.refused = h.c.throttle(n)
	}
	return n, err
}

// AwaitRead waits as Read would.
func (h *heldConn) AwaitRead() error {
	if h.refused != nil || len(h.ahead) > 0 {
		return nil
	}
	if err := h.hold(); err != nil {
		return err
	}
	return h.rawConn.AwaitRead()
}

// hold waits until the next Read may read, or will fail.
func (h *heldConn) hold() error {
	x := h.c.seldom.Load()
	if x == nil {
		return nil
	}
	d := &h.c.recv.dl
	for {
		d.mu.Lock()
		deadline, over := h.deadline, h.closed
		d.mu.Unlock()
		now, until := h.c.now(), x.until
		end := h.c.moment(deadline)
		switch {
		case over || h.c.Stopped() != EndNone || h.c.closing.Load() || now >= until:
			return nil
		case deadline.IsZero():
		case now >= end:
			return os.ErrDeadlineExceeded
		case end < until:
			until = end
		}
		h.c.waitUntil(context.Background(), x, until)
	}
}

// lookUp has a Read that is held look at what set has changed.
func (h *heldConn) lookUp(set func()) {
	d := &h.c.recv.dl
	d.mu.Lock()
	defer d.mu.Unlock()
	set()
	h.c.wakeHeld()
}

func (h *heldConn) SetReadDeadline(t time.Time) error {
	h.lookUp(func() { h.deadline = t })
	return h.rawConn.SetReadDeadline(t)
}

func (h *heldConn) SetDeadline(t time.Time) error {
	h.lookUp(func() { h.deadline = t })
	return h.rawConn.SetDeadline(t)
}

func (h *heldConn) Close() error {
	h.lookUp(func() { h.closed = true })
	return h.rawConn.Close()
}

var _ net.Conn = (*heldConn)(nil)
