package bulk

import (
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// dozeBulk is what makes a doze for room worth while.
const dozeBulk = 64 << 10

// dozing counts those who doze.
var dozing atomic.Int32

// A doze is a wait on a descriptor that soon ends: in ppoll(2), for at most 2 ms. The runtime's poller parks the goroutine, looks for
// another to run and finds none, sleeps, wakes, and finds the first: where bulk flows, and each wait lasts a fraction of a
// millisecond, that costs more than the copy. A thread sleeps through a doze and the descriptor is held, which is why it
// is short, and why there is room for few at once.
type doze struct {
	desc   *descriptor
	events int16
	most   time.Duration
	ready  bool
	look   func(fd uintptr)
}

func newDoze(d *descriptor, events int16) *doze {
	z := &doze{desc: d, events: events}
	z.look = z.poll
	return z
}

// wait waits until the descriptor is ready, or most has passed. It does not where there is no room to doze.
func (z *doze) wait(most time.Duration) (dozed, ready bool, err error) {
	defer dozing.Add(-1)
	if int(dozing.Add(1)) > 2*runtime.GOMAXPROCS(0) {
		return false, false, nil
	}
	z.most, z.ready = most, false
	err = z.desc.control(z.look)
	return true, z.ready, err
}

func (z *doze) poll(fd uintptr) {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: z.events}}
	most := unix.NsecToTimespec(int64(z.most))
	// An interruption may as well end it.
	n, err := unix.Ppoll(fds[:], &most, nil)
	z.ready = err == nil && n > 0
}

// room returns when the descriptor is ready. It dozes first only where much was moved since it was not: where bulk flows.
func (z *doze) room(moved int) error {
	if moved >= dozeBulk {
		if _, ready, err := z.wait(lowWaterPeriod); ready || err != nil {
			return err
		}
	}
	return z.desc.wait()
}
