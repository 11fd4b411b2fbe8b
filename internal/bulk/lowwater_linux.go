package bulk

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	lowWaterBulk   = 1 << 20
	lowWaterPeriod = 2 * time.Millisecond
	lowWaterMark   = 512 << 10

	paceMark  = 8 << 20
	paceBytes = 2 << 20
	paceLeast = 50 * time.Microsecond
)

// A lowWater raises SO_RCVLOWAT (socket(7)) of a TCP socket while bulk flows, that is, from 1 MiB in 2 ms on: in bulk the
// wake-ups cost more than the copies. A raised mark would strand the tail of a burst for as long as the connection
// stays open, so nobody waits for longer than 2 ms while it is up, and then it comes down.
//
// For a pipe the mark is half of what that holds: its reader has the one half while the other fills. Where what has come is passed on at once, it is
// paced: the mark is out of reach, and the reader comes back when about 2 MiB should be there. Beyond a mark in reach each segment
// would wake all who wait, among them the runtime's poller.
//
// One goroutine, which reads, uses it. Where src is no TCP socket the mark never goes up.
type lowWater struct {
	src    *descriptor
	doze   *doze
	paced  bool
	begin  time.Time // of the present period
	came   int       // in it
	raised bool
	full   bool // paced: as much came as is taken at once; there may be more
	pace   time.Duration
}

func newLowWater(src *descriptor, paced bool) *lowWater {
	return &lowWater{src: src, doze: newDoze(src, unix.POLLIN), paced: paced}
}

// add is told of each arrival.
func (l *lowWater) add(n int) {
	if !l.src.tcp || l.raised && !l.paced {
		return
	}
	if l.raised {
		l.came += n
		if l.full = n >= chunk*3/4; !l.full {
			l.measure(time.Now())
		}
		return
	}
	now := time.Now()
	if now.Sub(l.begin) > lowWaterPeriod {
		l.begin, l.came = now, 0
	}
	if l.came += n; l.came >= lowWaterBulk {
		l.raise()
		l.measure(now)
	}
}

// measure learns how long it takes until much has come.
func (l *lowWater) measure(now time.Time) {
	took := min(now.Sub(l.begin), time.Second) // the other side may have been full for hours
	l.pace = took * paceBytes / time.Duration(l.came)
	l.begin, l.came = now, 0
}

// flows reports whether bulk flows.
func (l *lowWater) flows() bool { return l.raised }

// more waits, while bulk flows, until there is much. False: it does not flow any more, and the mark is down.
func (l *lowWater) more() (bool, error) {
	switch {
	case !l.raised:
		return false, nil
	case l.full:
		l.full = false
		return true, nil
	}
	more, wait := true, lowWaterPeriod
	if l.paced {
		more = l.pace <= lowWaterPeriod*paceBytes/lowWaterBulk
		wait = min(max(l.pace, paceLeast), lowWaterPeriod)
	}
	var err error
	if more {
		var ready bool
		more, ready, err = l.doze.wait(wait)
		more = more && (ready || l.paced)
	}
	if !more {
		l.lower()
	}
	return more, err
}

// wait returns when src is ready.
func (l *lowWater) wait() error {
	if more, err := l.more(); more || err != nil {
		return err
	}
	return l.src.wait()
}

func (l *lowWater) raise() {
	mark := lowWaterMark
	if l.paced {
		mark = paceMark
	}
	l.raised = l.set(mark)
}

// lower takes the mark down, at which the kernel reports what is waiting.
func (l *lowWater) lower() {
	if l.raised {
		l.set(1)
		l.raised, l.full, l.came = false, false, 0
	}
}

func (l *lowWater) set(bytes int) bool {
	ok := false
	err := l.src.raw.Control(func(fd uintptr) {
		ok = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, bytes) == nil
	})
	return err == nil && ok
}
