package duet

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// readDeadline is the one owner of the connection's read deadline: a wait has the
// earliest of pause, idle, farewell and the caller's context, and whoever wants the
// waiting goroutine to look up interrupts it by a deadline in the past.
type readDeadline struct {
	mu   sync.Mutex
	set  time.Time
	wake bool
}

// interrupt makes a waiting Receive look up. It never loses bytes: the
// receiver goes round its loop once.
func (c *Conn) interrupt() {
	d := &c.recv.dl
	d.mu.Lock()
	d.wake, d.set = true, longAgo
	_ = c.nc.SetReadDeadline(longAgo)
	c.wakeHeld()
	d.mu.Unlock()
}

// arm sets the deadline of the next wait; false: somebody interrupts instead.
func (c *Conn) arm(t time.Time) bool {
	d := &c.recv.dl
	change, woken := d.begin(t, c.recv.lazy)
	if change {
		_ = c.nc.SetReadDeadline(d.set) // from a small frame: it goes deep
	}
	d.mu.Unlock()
	return !woken
}

// begin locks d for arm, and says whether the deadline has to be changed, to d.set, or somebody interrupts. A lazy
// one leaves an earlier deadline as it is: to wake once too often costs less than to move it for each message.
func (d *readDeadline) begin(t time.Time, lazy bool) (change, woken bool) {
	d.mu.Lock()
	woken, d.wake = d.wake, false
	if woken || t.Equal(d.set) || lazy && d.set.Before(t) && d.set.After(time.Now()) {
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
func (c *Conn) nextDeadline() (t time.Time, what dueKind) {
	r := &c.recv
	earlier := func(u time.Time, k dueKind) {
		if t.IsZero() || u.Before(t) {
			t, what = u, k
		}
	}
	if r.pending {
		quiet, age := r.codec.Patience()
		if quiet > 0 {
			earlier(r.lastIn.Add(quiet), duePause)
		}
		if age > 0 {
			earlier(r.began.Add(age), duePause)
		}
	}
	if c.set.idle > 0 {
		earlier(r.idle.Add(c.set.idle), dueIdle)
	}
	if c.out.saidBye.Load() {
		if fin, _ := c.sent(); !fin.IsZero() {
			earlier(fin.Add(c.set.linger), dueBye)
		}
	}
	return t, what
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
	now := time.Now()
	r.queue = r.codec.Pause(r.queue, now.Sub(r.lastIn), now.Sub(r.began))
	r.pending = isPending(r.codec)
	return nil
}

// graceRead is how long a connection without a descriptor is read to see that nothing is there.
const graceRead = time.Millisecond

// try gives what has arrived, without waiting for more.
func (c *Conn) try() ([]byte, error) {
	if c.wire.rc != nil {
		return c.wire.try()
	}
	c.recv.lazy = false
	if !c.arm(time.Now().Add(graceRead)) {
		return nil, nil
	}
	c.wire.read()
	b, err := c.wire.got()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.wire.done()
		return nil, nil
	}
	return b, err
}
