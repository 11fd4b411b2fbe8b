//go:build unix

package bulk

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// stream returns the system's side of a stream socket; see socket.
func stream(v any) (rc syscall.RawConn, l loan) {
	d, l := socket(v, unix.POLLIN)
	if d == nil {
		return nil, loan{}
	}
	return d.raw, l
}

// take makes one read; false means wait.
func (l *Little) take(fd uintptr) bool {
	b := buffers.Get().(*[bufferSize]byte)
	for {
		n, err := unix.Read(int(fd), b[:LittleMost])
		switch {
		case err == unix.EINTR:
			continue
		case err == nil && n > 0:
			l.buf, l.n = b, int32(n)
			return true
		}
		buffers.Put(b)
		if err == unix.EAGAIN {
			return false
		}
		if err != nil {
			l.err = os.NewSyscallError("read", err)
		}
		return true
	}
}

// give makes one write, and never waits.
func (l *Little) give(fd uintptr) bool {
	for {
		n, err := unix.Write(int(fd), l.buf[:l.n])
		switch {
		case err == unix.EINTR:
			continue
		case err == nil:
			l.sent = int32(n)
		case err != unix.EAGAIN:
			l.err = os.NewSyscallError("write", err)
		}
		return true
	}
}
