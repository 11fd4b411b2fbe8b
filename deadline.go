package duet

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"duet.example/duet/internal/aside"
)

// readDeadline is the one owner of the connection's read deadline: a wait has the
// earliest of pause, idle, farewell and the caller's context, and whoever wants the
// waiting goroutine to look up interrupts it by a deadline in the past.
type readDeadline struct {
	mu   sync.Mutex
	set  moment
	wake bool
}

// interrupt makes a waiting Receive look up. It never loses bytes: the
// receiver goes round its loop once.
func (c *Conn) interrupt() {
	d := &c.recv.dl
	d.mu.Lock()
	defer d.mu.Unlock()
	c.wakeReceiver()
}

// wakeReceiver is interrupt with recv.dl.mu held.
func (c *Conn) wakeReceiver() {
	d := &c.recv.dl
	d.wake, d.set = true, past
	_ = c.wire.nc.SetReadDeadline(longAgo)
	c.wakeHeld()
}

// stopReceiving has whoever receives let go, and locks recv.mu. Where nobody does, that costs no deadline.
func (c *Conn) stopReceiving() {
	if c.rawTaken.Load() || !c.recv.mu.TryLock() {
		c.interrupt()
		c.recv.mu.Lock()
	}
}

// arm sets the deadline of the next wait; false: somebody interrupts instead.
func (c *Conn) arm(t moment) bool {
	d := &c.recv.dl
	change, woken := c.beginArm(t)
	if change {
		aside.Do(c.setDeadline) // it goes deep
	}
	d.mu.Unlock()
	return !woken
}

func (c *Conn) setDeadline() { _ = c.wire.nc.SetReadDeadline(c.deadline(c.recv.dl.set)) }

// beginArm locks the deadline for arm, and says whether it has to be changed, to its set, or somebody interrupts. A lazy
// one leaves an earlier deadline as it is: to wake once too often costs less than to move it for each message.
func (c *Conn) beginArm(t moment) (change, woken bool) {
	d := &c.recv.dl
	d.mu.Lock()
	woken, d.wake = d.wake, false
	if woken || t == d.set || c.recv.lazy && d.set < t && d.set > c.now() {
		return false, woken
	}
	d.set = t
	return true, false
}

// A deadline is waited for because of one of these.
type dueKind uint8

const (
	duePause dueKind = iota
	dueIdle
	dueBye
)

// nextDeadline is the earliest time at which something is due without the peer; zero if nothing is.
func (c *Conn) nextDeadline() (t moment, what dueKind) {
	r := &c.recv
	earlier := func(u moment, k dueKind) {
		if t == 0 || u < t {
			t, what = u, k
		}
	}
	if r.pending {
		quiet, age := r.codec.Patience()
		if quiet > 0 {
			earlier(r.lastIn.after(quiet), duePause)
		}
		if age > 0 {
			earlier(r.began.after(age), duePause)
		}
	}
	if c.set.idle > 0 {
		earlier(r.idle.after(c.set.idle), dueIdle)
	}
	if c.out.saidBye.Load() {
		if fin, _ := c.sent(); fin != 0 {
			earlier(fin.after(c.set.linger), dueBye)
		}
	}
	return t, what
}

// dueAside is due on a stack of its own: it reads, and the conversation may wait for long after it.
//
//go:noinline
func (c *Conn) dueAside(what dueKind) (err error) {
	aside.Do(func() { err = c.due(what) })
	return err
}

// due does what the time has come for.
func (c *Conn) due(what dueKind) error {
	r := &c.recv
	if what != dueBye {
		// A late scheduler is no pause: what came meanwhile is taken first. [C-8]
		if b, err := c.try(); len(b) > 0 || err != nil {
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
	now := c.now()
	r.queue = r.codec.Pause(r.queue, now.since(r.lastIn), now.since(r.began))
	r.pending = isPending(r.codec)
	return nil
}

// graceRead is how long a connection without a descriptor is read to see that nothing is there.
const graceRead = time.Millisecond

// try gives what has arrived, without waiting for more.
func (c *Conn) try() ([]byte, error) {
	if c.wire.rc != nil {
		_, _ = c.wire.try()
		return c.got()
	}
	c.recv.lazy = false
	if !c.arm(c.now().after(graceRead)) {
		return nil, nil
	}
	c.wire.read(chunk)
	b, err := c.got()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.wire.done()
		return nil, nil
	}
	return b, err
}
