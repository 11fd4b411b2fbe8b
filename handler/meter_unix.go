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

// measure gives the connection to copy from and to, and its meter.
func measure(raw *wire.RawConn, f *flow) (net.Conn, meter) {
	if rc := raw.Descriptor(); rc != nil {
		return raw, descriptor{rc}
	}
	g := &gauge{Conn: raw, f: f}
	return g, g
}

// A descriptor is a connection of the system, which knows all by itself.
type descriptor struct{ rc syscall.RawConn }

func (d descriptor) state() (s state) {
	s.queue = -1
	_ = d.rc.Control(func(fd uintptr) {
		ready, err := bulk.Poll(fd, unix.POLLIN|unix.POLLOUT)
		if err != nil {
			return
		}
		s.readable = ready&unix.POLLIN != 0
		s.full = ready&(unix.POLLOUT|unix.POLLERR|unix.POLLHUP) == 0
		// Room is reported only when a third of the buffer is free, which takes a slow peer long;
		// what it has acknowledged shows earlier that it reads (TIOCOUTQ, tcp(7)).
		if n, err := unix.IoctlGetInt(int(fd), unix.TIOCOUTQ); err == nil {
			s.queue = n
		}
	})
	return s
}

func (d descriptor) broken(bool) error {
	var err error
	cerr := d.rc.Control(func(fd uintptr) {
		var n int
		if n, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR); err == nil && n != 0 {
			err = os.NewSyscallError("send", syscall.Errno(n))
		}
	})
	return errors.Join(cerr, err)
}

func (d descriptor) refuses() error {
	var err error
	cerr := d.rc.Control(func(fd uintptr) {
		// Nothing is sent, but it is asked whether something could be.
		if _, err = unix.Write(int(fd), nil); err == unix.EAGAIN || err == unix.EINTR {
			err = nil
		}
	})
	return errors.Join(cerr, os.NewSyscallError("write", err))
}
