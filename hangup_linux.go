package duet

import (
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// hangups notices connections that fail while no goroutine reads or writes them. It is an epoll instance that looks for errors only
// and never waits. A conversation costs one system call when it is added, and nothing while it is silent. Any goroutine may use it.
type hangups struct {
	mu sync.Mutex
	fd int // below zero: closed
}

func newHangups() (*hangups, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &hangups{fd: fd}, nil
}

// add begins to watch the connection of the conversation id. If that has failed already, the next call of failed returns it. The watch
// ends when the descriptor is closed.
func (h *hangups) add(rc syscall.RawConn, id uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fd < 0 {
		return
	}
	e := unix.EpollEvent{Events: unix.EPOLLET} // errors are always reported
	e.Fd, e.Pad = int32(uint32(id)), int32(uint32(id>>32))
	_ = rc.Control(func(fd uintptr) {
		_ = unix.EpollCtl(h.fd, unix.EPOLL_CTL_ADD, int(fd), &e)
	})
}

// failed returns conversations whose connections have failed since the last call. A second call may return more.
func (h *hangups) failed() (ids []uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fd < 0 {
		return nil
	}
	var events [128]unix.EpollEvent
	n, err := unix.EpollWait(h.fd, events[:], 0)
	if err != nil {
		return nil
	}
	for _, e := range events[:n] {
		// EPOLLHUP alone means that both sides have finished.
		if e.Events&unix.EPOLLERR != 0 {
			ids = append(ids, uint64(uint32(e.Fd))|uint64(uint32(e.Pad))<<32)
		}
	}
	return ids
}

func (h *hangups) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = unix.Close(h.fd)
	h.fd = -1
}
