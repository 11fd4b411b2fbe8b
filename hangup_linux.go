package duet

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// hangups notices connections that fail while nobody reads or writes them: an epoll instance that is asked for
// errors only, and one goroutine for a whole server, parked in the runtime's poller. A conversation costs it one
// system call when it begins, and nothing while it is silent.
type hangups struct {
	file  *os.File
	epoll syscall.RawConn
	over  chan struct{} // closed when the goroutine has ended
}

// newHangups calls lost with the number of each connection that has failed, in one goroutine, until close.
func newHangups(lost func(id uint64)) (*hangups, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	h := &hangups{file: os.NewFile(uintptr(fd), "epoll"), over: make(chan struct{})}
	if h.epoll, err = h.file.SyscallConn(); err != nil {
		_ = h.file.Close()
		return nil, err
	}
	go h.run(lost)
	return h, nil
}

// add begins to watch a connection. It ends when the descriptor is closed.
func (h *hangups) add(rc syscall.RawConn, id uint64) {
	e := unix.EpollEvent{Events: unix.EPOLLET} // errors are always told of
	e.Fd, e.Pad = int32(uint32(id)), int32(uint32(id>>32))
	_ = rc.Control(func(fd uintptr) {
		_ = h.epoll.Control(func(epoll uintptr) {
			_ = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_ADD, int(fd), &e)
		})
	})
}

func (h *hangups) run(lost func(id uint64)) {
	defer close(h.over)
	var events [64]unix.EpollEvent
	for {
		n := 0
		err := h.epoll.Read(func(fd uintptr) bool {
			var err error
			for {
				if n, err = unix.EpollWait(int(fd), events[:], 0); err != unix.EINTR {
					return n != 0
				}
			}
		})
		if err != nil || n < 0 {
			return
		}
		for _, e := range events[:n] {
			// EPOLLHUP alone: both sides have finished.
			if e.Events&unix.EPOLLERR != 0 {
				lost(uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32)
			}
		}
	}
}

// close ends the watch and waits for its goroutine.
func (h *hangups) close() {
	_ = h.file.Close()
	<-h.over
}
