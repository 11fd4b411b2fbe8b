//go:build unix

package bulk

import (
	"os"

	"golang.org/x/sys/unix"
)

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
