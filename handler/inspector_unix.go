//go:build linux || darwin

package handler

import (
	"errors"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"duet.example/duet/internal/bulk"
	"duet.example/duet/internal/wire"
)

// inspect returns the connection to copy from and to, and its inspector.
func inspect(raw *wire.RawConn, f *flow) (net.Conn, inspector) {
	if rc := raw.Descriptor(); rc != nil {
		return raw, descriptor{rc}
	}
	g := &gauge{Conn: raw, d: &f.watchdog}
	return g, g
}

// A descriptor inspects a socket of the system, which knows its state.
type descriptor struct{ rc syscall.RawConn }

func (d descriptor) state() (s connState) {
	s.queue = -1
	_ = d.rc.Control(func(fd uintptr) {
		ready, err := bulk.Poll(fd, unix.POLLIN|unix.POLLOUT)
		if err != nil {
			return
		}
		s.readable = ready&unix.POLLIN != 0
		s.full = ready&(unix.POLLOUT|unix.POLLERR|unix.POLLHUP) == 0
		// The system reports room only when a third of the buffer is free. A slow peer takes long for that. The bytes that it has
		// acknowledged show earlier that it reads (TIOCOUTQ, tcp(7)).
		if n, err := unix.IoctlGetInt(int(fd), unix.TIOCOUTQ); err == nil {
			s.queue = n
		}
	})
	return s
}

func (d descriptor) pendingError(bool) error {
	var err error
	cerr := d.rc.Control(func(fd uintptr) {
		var n int
		if n, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR); err == nil && n != 0 {
			err = os.NewSyscallError("send", syscall.Errno(n))
		}
	})
	return errors.Join(cerr, err)
}

func (d descriptor) writeError() error {
	var err error
	cerr := d.rc.Control(func(fd uintptr) {
		// This sends nothing, but fails if nothing could be sent.
		if _, err = unix.Write(int(fd), nil); err == unix.EAGAIN || err == unix.EINTR {
			err = nil
		}
	})
	return errors.Join(cerr, os.NewSyscallError("write", err))
}
