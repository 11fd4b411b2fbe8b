//go:build unix

package bulk

import (
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A waker is a pipe that poll(2) watches beside a descriptor, so that a wait
// can be ended from outside. Each raise puts one byte in, which ends every wait
// until lower takes it out again; a raise that is never lowered is for good.
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

// close ends all waits, waits for them to leave, and closes the pipe.
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

func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}
