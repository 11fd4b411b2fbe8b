package bulk

import (
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// shortWaitLimit is the longest wait while bulk flows.
	shortWaitLimit = 2 * time.Millisecond
	// bulkBytes within shortWaitLimit make a short wait worth while.
	bulkBytes = 64 << 10
)

// shortWaits is the number of short waits that go on.
var shortWaits atomic.Int32

// A shortWait waits on a descriptor in ppoll(2) for at most 2 ms. The poller of the runtime would park the goroutine, find no other to run,
// sleep, wake, and find the first again. While bulk flows, a wait lasts a fraction of a millisecond, and all that costs more than the
// copy. A short wait holds a thread and the descriptor, so only few may go on at once.
type shortWait struct {
	desc    *descriptor
	events  int16
	limit   time.Duration
	isReady bool
	pollFn  func(fd uintptr)
}

func newShortWait(d *descriptor, events int16) *shortWait {
	s := &shortWait{desc: d, events: events}
	s.pollFn = s.poll
	return s
}

// wait waits until the descriptor is ready or limit has passed. waited is false, and it does not wait, if too many waits go on.
func (s *shortWait) wait(limit time.Duration) (waited, ready bool, err error) {
	defer shortWaits.Add(-1)
	if int(shortWaits.Add(1)) > 2*runtime.GOMAXPROCS(0) {
		return false, false, nil
	}
	s.limit, s.isReady = limit, false
	err = s.desc.control(s.pollFn)
	return true, s.isReady, err
}

// poll polls once. A signal ends it early.
func (s *shortWait) poll(fd uintptr) {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: s.events}}
	limit := unix.NsecToTimespec(int64(s.limit))
	n, _ := unix.Ppoll(fds[:], &limit, nil)
	s.isReady = n > 0
}

// await returns when the descriptor is ready. If bulk flows, it begins with a short wait.
func (s *shortWait) await(bulk bool) error {
	if bulk {
		if _, ready, err := s.wait(shortWaitLimit); ready || err != nil {
			return err
		}
	}
	return s.desc.wait()
}
