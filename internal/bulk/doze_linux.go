package bulk

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

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
	raw    bool // the wait keeps its processor (P)
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
	n, procs := int(dozing.Add(1)), runtime.GOMAXPROCS(0)
	if n > 2*procs {
		return false, false, nil
	}
	z.raw = n < procs
	z.most, z.ready = most, false
	err = z.desc.control(z.look)
	return true, z.ready, err
}

func (z *doze) poll(fd uintptr) {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: z.events}}
	most := unix.NsecToTimespec(int64(z.most))
	// An interruption may as well end it.
	n := 0
	if z.raw {
		n = rawPoll(&fds[0], &most)
	} else {
		n, _ = unix.Ppoll(fds[:], &most, nil)
	}
	z.ready = n > 0
}

// rawPoll is ppoll(2) of one descriptor. The runtime does not learn of it: it need not find another thread for the other goroutines, and back. A
// garbage collection does not wait for the end: the signal of the runtime that asks the thread to stop ends it.
func rawPoll(fd *unix.PollFd, limit *unix.Timespec) int {
	n, _, errno := syscall.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(fd)), 1, uintptr(unsafe.Pointer(limit)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
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
