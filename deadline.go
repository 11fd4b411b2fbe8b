package duet

import (
	"io"
	"time"

	"duet.example/duet/internal/wire"
)

// stopReceiving interrupts the goroutine that receives, and locks recv.mu. If none receives, it sets no deadline.
func (c *Conn) stopReceiving() {
	if !c.recv.mu.TryLock() {
		c.wire.Interrupt()
		c.recv.mu.Lock()
	}
}

// reclaimLimit is how long the end of a conversation waits for the calls that still use what Raw returned. They have been ended, so
// that only a connection whose deadlines do nothing needs it.
const reclaimLimit = time.Second

// reclaim takes back the bytes that Raw has given away. It returns false if somebody still uses them. recv.mu is held.
func (c *Conn) reclaim() bool { return !c.rawTaken.Load() || c.wire.Reclaim(reclaimLimit) }

// A dueKind says what is due at a deadline.
type dueKind uint8

const (
	duePause dueKind = iota
	dueIdle
	dueBye
)

// nextDeadline returns the earliest time at which something is due if the peer stays silent, and what. t is zero if nothing is.
func (c *Conn) nextDeadline() (t wire.Moment, what dueKind) {
	r := &c.recv
	earlier := func(u wire.Moment, k dueKind) {
		if t == 0 || u < t {
			t, what = u, k
		}
	}
	if r.pending {
		quiet, age := r.codec.Patience()
		if quiet > 0 {
			earlier(r.lastIn.After(quiet), duePause)
		}
		if age > 0 {
			earlier(r.began.After(age), duePause)
		}
	}
	if c.set.IdleTimeout > 0 {
		earlier(r.idle.After(c.set.IdleTimeout), dueIdle)
	}
	if u := c.byeDeadline(); u != 0 {
		earlier(u, dueBye)
	}
	return t, what
}

// byeDeadline is the end of the peer's time after our farewell; zero if we have not said it. A peer that has said its own and cannot
// half-close has only to close: it may be waiting for us.
func (c *Conn) byeDeadline() wire.Moment {
	if !c.out.saidBye.Load() {
		return 0
	}
	fin, _ := c.sent()
	if fin == 0 {
		return 0
	}
	until := fin.After(c.set.CloseTimeout)
	if c.recv.saidBye && !c.wire.CanHalfClose() {
		until = min(until, max(fin, c.recv.lastIn).After(silenceLimit))
	}
	return until
}

// due does what the time has come for.
//
//go:noinline
func (c *Conn) due(what dueKind) error {
	r := &c.recv
	if what != dueBye {
		// A late scheduler is no pause: what came meanwhile is taken first. [C-8]
		c.wire.TryRead()
		if b, err := c.got(); len(b) > 0 || err != nil {
			return c.arrived(b, err)
		}
	}
	switch what {
	case dueBye:
		// The peer had its time to end too; closing does the rest.
		r.err = io.EOF
		return nil
	case dueIdle:
		r.err = ErrIdle
		return c.fail("receive", ErrIdle)
	}
	now := c.wire.Now()
	r.queue = r.codec.Pause(r.queue, now.Since(r.lastIn), now.Since(r.began))
	r.pending = isPending(r.codec)
	return nil
}
