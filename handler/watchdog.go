package handler

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A watchdog ends a copy whose time is up. The reads and writes of the copy have no timer and no deadline of their own. The copy reports
// when bytes move, and one timer looks at that. The timer runs only while bytes move, or a limit has to be kept.
//
// The methods that report may be called by any goroutine.
type watchdog struct {
	inspector inspector      // of the connection
	idle      time.Duration  // for how long nothing may be received; 0: no limit
	stall     time.Duration  // for how long the peer may take nothing of what waits for it; 0: no limit
	expire    func(e expiry) // ends the copy; called with mu held

	began                  time.Time
	lastReceived, lastSent atomic.Int64 // nanoseconds since began
	ticking                atomic.Bool  // the timer runs
	writing                atomic.Bool  // a Write goes on that reports nothing before its end

	// partner watches the second connection of a relay, and began at the same time. It is nil without a relay. It does not change after
	// the copy has begun.
	partner *watchdog

	mu        sync.Mutex // guards the fields below
	timer     *time.Timer
	stopped   bool
	departure departure
	silence   silence
	heard     time.Duration // when the peer was last seen not to be idle
	progress  time.Duration // when the peer was last seen to take bytes, or to have none to take
	queue     int           // bytes that the system held for the peer at the last look
	seen      int64         // lastSent at the last look
}

// An expiry is the limit that has ended a copy.
type expiry uint8

const (
	expiredIdle expiry = iota
	expiredStall
	expiredSilence
)

// A silence ends a copy when no bytes move in one direction.
type silence struct {
	limit    time.Duration // for how long; 0: there is none; below zero: it does not end the copy
	received bool          // the direction is from the peer; otherwise it is to the peer
	cause    error         // how the conversation ends
	since    time.Duration // when the limit began to run; set by the watchdog
}

// partnerLook is how soon a relay notices something that concerns both connections, while one waits for the other.
const partnerLook = time.Second

// start begins the watching. It is called once the fields are set.
func (d *watchdog) start() {
	if d.idle > 0 {
		d.tick()
	}
}

// stop ends the watching. The copy has ended.
func (d *watchdog) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	if d.timer != nil {
		d.timer.Stop()
	}
}

func (d *watchdog) now() time.Duration { return time.Since(d.began) }

// noteReceived notes that bytes came. It is called for each piece that is copied.
func (d *watchdog) noteReceived(int64) { d.lastReceived.Store(int64(d.now())) }

// noteSent notes that the peer has taken bytes. It is called for each piece that is copied.
func (d *watchdog) noteSent(int64) {
	d.lastSent.Store(int64(d.now()))
	d.watch()
}

// watch has the timer run while bytes move, or are about to.
func (d *watchdog) watch() {
	if (d.stall > 0 || d.partner != nil) && !d.ticking.Load() {
		d.tick()
	}
}

// write writes p to nc, which may take it in many pieces. The watchdog looks at the connection meanwhile.
func (d *watchdog) write(nc net.Conn, p []byte) (int, error) {
	d.writing.Store(true)
	defer d.writing.Store(false)
	d.watch()
	return nc.Write(p)
}

// setSilence sets a silence that begins now.
func (d *watchdog) setSilence(s silence) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.since = d.now()
	d.silence = s
	d.schedule()
}

func (d *watchdog) tick() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.schedule()
}

// schedule sets the timer for the next limit. mu is held.
func (d *watchdog) schedule() {
	if d.stopped {
		return
	}
	wait := d.departure.every
	sooner := func(t time.Duration) {
		if wait == 0 || t < wait {
			wait = max(t, time.Millisecond)
		}
	}
	now := d.now()
	if d.idle > 0 {
		sooner(d.lastHeard() + d.idle - now)
	}
	if d.stall > 0 {
		sooner(d.stall / 8)
	}
	if d.partner != nil {
		sooner(partnerLook)
	}
	if d.silence.limit > 0 {
		sooner(d.silentSince() + d.silence.limit - now)
	}
	if wait == 0 {
		return
	}
	d.ticking.Store(true)
	if d.timer == nil {
		d.timer = time.AfterFunc(wait, d.look)
	} else {
		d.timer.Reset(wait)
	}
}

// lastHeard returns when a peer was last not idle.
func (d *watchdog) lastHeard() time.Duration {
	heard := max(d.heard, time.Duration(d.lastReceived.Load()))
	if d.partner != nil {
		heard = max(heard, time.Duration(d.partner.lastReceived.Load()))
	}
	return heard
}

// silentSince returns when bytes last moved in the direction of the silence, or when that began.
func (d *watchdog) silentSince() time.Duration {
	moved := d.lastSent.Load()
	if d.silence.received {
		moved = d.lastReceived.Load()
	}
	return max(d.silence.since, time.Duration(moved))
}

// look ends the copy if one of its limits has passed.
func (d *watchdog) look() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return
	}
	now, s := d.now(), d.inspector.state()
	waits := s.full || d.writing.Load()
	if d.partner != nil {
		other := d.partner.inspector.state()
		waits = waits || other.full
		s.readable = s.readable || other.readable
	}
	if s.readable {
		d.heard = now
	}
	if d.silence.limit == 0 {
		if s, departed := d.departure.check(d.inspector); departed {
			d.silence, d.silence.since = s, now
		}
	}
	if !s.full || s.queue != d.queue {
		d.progress = now
	}
	d.queue = s.queue
	if s.full && !d.silence.received {
		d.silence.since = now // bytes may wait for the peer
	}
	sent := d.lastSent.Load()
	switch {
	case d.idle > 0 && now >= d.lastHeard()+d.idle:
		d.expire(expiredIdle)
	case d.stall > 0 && now >= max(d.progress, time.Duration(sent))+d.stall:
		d.expire(expiredStall)
	case d.silence.limit > 0 && !s.full && now >= d.silentSince()+d.silence.limit:
		d.expire(expiredSilence)
	case d.idle == 0 && d.departure.every == 0 && d.silence.limit == 0 && !waits && sent == d.seen:
		// Nothing moves and nobody waits. The next bytes start the timer again.
		d.ticking.Store(false)
		if d.lastSent.Load() != sent || d.writing.Load() {
			d.schedule()
		}
	default:
		d.seen = sent
		d.schedule()
	}
}
