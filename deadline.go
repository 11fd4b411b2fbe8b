package duet

import (
	"io"
	"time"

	"duet.example/duet/internal/wire"
)

// stopReceiving locks recv.mu. If a goroutine receives, it interrupts it; otherwise it sets no deadline.
func (c *Conn) stopReceiving() {
	if !c.recv.mu.TryLock() {
		c.wire.Interrupt()
		c.recv.mu.Lock()
	}
}

// reclaimLimit is how long the end of a conversation waits for calls that still use the connection that Raw returned. These calls have
// been interrupted, so the limit matters only if the connection ignores deadlines.
const reclaimLimit = time.Second

// reclaim takes back the bytes that Raw has given away. It returns false if a call still uses them. recv.mu is held.
func (c *Conn) reclaim() bool { return !c.life.has(rawTaken) || c.wire.Reclaim(reclaimLimit) }

// A dueKind is what is to be done at a deadline.
type dueKind uint8

const (
	duePause    dueKind = iota // the decoder learns of a pause
	dueIdle                    // the idle timeout is over
	dueFarewell                // the peer's time after our farewell is over
)

// nextDeadline returns the earliest deadline if the peer stays silent, and its kind. It returns zero if there is none.
func (c *Conn) nextDeadline() (deadline wire.Moment, kind dueKind) {
	r := &c.recv
	add := func(d wire.Moment, k dueKind) {
		if deadline == 0 || d < deadline {
			deadline, kind = d, k
		}
	}
	if r.unfinished {
		quiet, age := r.decoder.Patience()
		if quiet > 0 {
			add(r.lastRead.After(quiet), duePause)
		}
		if age > 0 {
			add(r.messageBegan.After(age), duePause)
		}
	}
	if c.set.IdleTimeout > 0 {
		add(r.idleSince.After(c.set.IdleTimeout), dueIdle)
	}
	if d := c.farewellDeadline(); d != 0 {
		add(d, dueFarewell)
	}
	return deadline, kind
}

// farewellDeadline returns when the peer's time to end after our farewell is over. It returns zero if our farewell has not left.
func (c *Conn) farewellDeadline() wire.Moment {
	if !c.life.has(farewellSaid) {
		return 0
	}
	fin, _ := c.sent()
	if fin == 0 {
		return 0
	}
	return fin.After(c.set.CloseTimeout)
}

// handleDeadline does what is due. It reads, so it must not be inlined where the conversation waits: its frame would count there.
//
//go:noinline
func (c *Conn) handleDeadline(kind dueKind) error {
	r := &c.recv
	if kind != dueFarewell {
		// A late scheduler is no pause: bytes that have come meanwhile are read first. [C-8]
		c.wire.TryRead()
		if b, err := c.got(); len(b) > 0 || err != nil {
			return c.handleRead(b, err)
		}
	}
	switch kind {
	case dueFarewell:
		// The peer has had its time to end. Close does the rest.
		r.err = io.EOF
		return nil
	case dueIdle:
		r.err = ErrIdle
		return c.fail("receive", ErrIdle)
	}
	now := c.wire.Now()
	r.queue = r.decoder.Pause(r.queue, now.Since(r.lastRead), now.Since(r.messageBegan))
	r.unfinished = hasUnfinished(r.decoder)
	return nil
}
