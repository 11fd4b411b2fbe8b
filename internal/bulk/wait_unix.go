//go:build unix

package bulk

import (
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Poll returns which of events (unix.POLLIN, unix.POLLOUT), an error or an end fd is ready for now (poll(2)). It does not wait. It takes
// neither bytes nor an error that is for the call which follows. A signal does not make it fail.
func Poll(fd uintptr, events int16) (revents int16, err error) {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: events}}
	for {
		if _, err = unix.Poll(fds[:], 0); err != unix.EINTR {
			return fds[0].Revents, err
		}
	}
}

// Ready reports whether a call that needs events of fd would not wait. It is also true after an end or an error, which the call will return.
func Ready(fd uintptr, events int16) bool {
	revents, err := Poll(fd, events)
	return revents != 0 || err != nil
}

// waitEither waits until fd is ready for events, or wake is readable. If wake is readable, it returns errInterrupted.
func waitEither(fd int, events int16, wake int) error {
	// poll(2) of darwin does not know terminals, and select(2) knows no large descriptors.
	if runtime.GOOS == "darwin" && max(fd, wake) < unix.FD_SETSIZE {
		return selectEither(fd, events, wake)
	}
	fds := [2]unix.PollFd{{Fd: int32(fd), Events: events}, {Fd: int32(wake), Events: unix.POLLIN}}
	if err := retry(func() error { _, err := unix.Poll(fds[:], -1); return err }); err != nil {
		return os.NewSyscallError("poll", err)
	}
	if fds[1].Revents != 0 {
		return errInterrupted
	}
	return nil
}

func selectEither(fd int, events int16, wake int) error {
	var r, w unix.FdSet
	err := retry(func() error {
		r.Zero()
		w.Zero()
		r.Set(wake)
		if events == unix.POLLOUT {
			w.Set(fd)
		} else {
			r.Set(fd)
		}
		_, err := unix.Select(max(fd, wake)+1, &r, &w, nil, nil)
		return err
	})
	if err != nil {
		return os.NewSyscallError("select", err)
	}
	if r.IsSet(wake) {
		return errInterrupted
	}
	return nil
}

// retry calls f again for as long as a signal interrupts it.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// A waker is a pipe that is polled beside a descriptor, so that a wait can be ended. Each raise puts one byte in, which ends all waits until
// lower takes it out. A raise without a lower ends all waits for good. Any goroutine may call its methods.
type waker struct {
	mu     sync.RWMutex // held for reading while the pipe is in use, for writing to close it
	r, w   int
	closed bool
}

func newWaker() (*waker, error) {
	p := make([]int, 2)
	// Not pipe2: darwin has none.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := syscall.Pipe(p); err != nil {
		return nil, os.NewSyscallError("pipe", err)
	}
	for _, fd := range p {
		unix.CloseOnExec(fd)
		if err := unix.SetNonblock(fd, true); err != nil {
			_ = unix.Close(p[0])
			_ = unix.Close(p[1])
			return nil, os.NewSyscallError("fcntl", err)
		}
	}
	return &waker{r: p[0], w: p[1]}, nil
}

func (k *waker) raise() {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if !k.closed {
		_ = retry(func() error { _, err := unix.Write(k.w, []byte{0}); return err })
	}
}

func (k *waker) lower() {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if !k.closed {
		_ = retry(func() error { _, err := unix.Read(k.r, make([]byte, 1)); return err })
	}
}

// close ends all waits, waits until they have returned, and closes the pipe.
func (k *waker) close() {
	k.raise()
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.closed {
		k.closed = true
		_ = unix.Close(k.r)
		_ = unix.Close(k.w)
	}
}
