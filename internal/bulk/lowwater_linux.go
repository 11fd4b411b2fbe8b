package bulk

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	raiseAt = 1 << 20 // bytes within shortWaitLimit that raise the mark

	pipeMark  = 512 << 10 // half of what a pipe holds
	pacedMark = 8 << 20   // out of reach

	paceBytes = 2 << 20 // a paced reader comes back for about as many bytes
	minPace   = 50 * time.Microsecond
)

// A lowWaterMark raises SO_RCVLOWAT (socket(7)) of a TCP socket while bulk flows: from 1 MiB within 2 ms on. In bulk, wake-ups cost more
// than copies. A raised mark would hold back the last bytes of a burst for as long as the connection stays open. So nobody waits longer
// than 2 ms while it is up. Then it comes down.
//
// Before a pipe the mark is half of what the pipe holds: its reader has one half while the other fills. Before a file or /dev/null the
// reader is paced: the mark is out of reach, and the reader comes back when about 2 MiB should have arrived. Above a mark in reach,
// each segment would wake all that wait, also the poller of the runtime.
//
// The goroutine that reads uses it. The mark of a socket that is not TCP never goes up.
type lowWaterMark struct {
	src      *descriptor
	readable *shortWait
	paced    bool
	began    time.Time // the present period
	arrived  int       // bytes in the present period
	raised   bool
	hasMore  bool          // paced: the last read took as much as it could, so more may be there
	pace     time.Duration // the time in which paceBytes arrive
}

func newLowWaterMark(src *descriptor, paced bool) *lowWaterMark {
	return &lowWaterMark{src: src, readable: newShortWait(src, unix.POLLIN), paced: paced}
}

// add counts n bytes that have arrived.
func (l *lowWaterMark) add(n int) {
	if !l.src.isTCP || l.raised && !l.paced {
		return
	}
	if l.raised {
		l.arrived += n
		if l.hasMore = n >= chunk*3/4; !l.hasMore {
			l.measurePace(time.Now())
		}
		return
	}
	now := time.Now()
	if now.Sub(l.began) > shortWaitLimit {
		l.began, l.arrived = now, 0
	}
	if l.arrived += n; l.arrived >= raiseAt {
		l.raise()
		l.measurePace(now)
	}
}

// measurePace ends the present period and learns the pace from it.
func (l *lowWaterMark) measurePace(now time.Time) {
	took := min(now.Sub(l.began), time.Second) // the destination may have been full for hours
	l.pace = took * paceBytes / time.Duration(l.arrived)
	l.began, l.arrived = now, 0
}

// awaitMore waits while the mark is up: until it is reached, or, for a paced reader, until about 2 MiB should have arrived. It returns
// false without a wait if the mark is down. It returns false and takes the mark down if bulk does not flow any more.
func (l *lowWaterMark) awaitMore() (bool, error) {
	switch {
	case !l.raised:
		return false, nil
	case l.hasMore:
		l.hasMore = false
		return true, nil
	}
	more, limit := true, shortWaitLimit
	if l.paced {
		more = l.pace <= shortWaitLimit*paceBytes/raiseAt
		limit = min(max(l.pace, minPace), shortWaitLimit)
	}
	var err error
	if more {
		var ready bool
		more, ready, err = l.readable.wait(limit)
		more = more && (ready || l.paced)
	}
	if !more {
		l.lower()
	}
	return more, err
}

// await returns when src is ready.
func (l *lowWaterMark) await() error {
	if more, err := l.awaitMore(); more || err != nil {
		return err
	}
	return l.src.wait()
}

func (l *lowWaterMark) raise() {
	mark := pipeMark
	if l.paced {
		mark = pacedMark
	}
	l.raised = l.set(mark)
}

// lower takes the mark down. The kernel then reports the bytes that have arrived.
func (l *lowWaterMark) lower() {
	if l.raised {
		l.set(1)
		l.raised, l.hasMore, l.arrived = false, false, 0
	}
}

func (l *lowWaterMark) set(bytes int) bool {
	ok := false
	err := l.src.raw.Control(func(fd uintptr) {
		ok = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, bytes) == nil
	})
	return err == nil && ok
}
