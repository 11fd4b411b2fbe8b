//go:build unix

package bulk

import (
	"os"

	"golang.org/x/sys/unix"
)

// readOnce makes one read that does not wait. It returns false if the poller must wait.
func (r *SmallReader) readOnce(fd uintptr) bool {
	b := buffers.Get().(*[bufferSize]byte)
	for {
		n, err := unix.Read(int(fd), b[:SmallReadSize])
		switch {
		case err == unix.EINTR:
			continue
		case err == nil && n > 0:
			r.buf, r.n = b, int32(n)
			return true
		}
		buffers.Put(b)
		if err == unix.EAGAIN {
			return false
		}
		if err != nil {
			r.err = os.NewSyscallError("read", err)
		}
		return true
	}
}

// writeOnce makes one write that does not wait. It always returns true.
func (r *SmallReader) writeOnce(fd uintptr) bool {
	for {
		n, err := unix.Write(int(fd), r.buf[:r.n])
		switch {
		case err == unix.EINTR:
			continue
		case err == nil:
			r.written = int32(n)
		case err != unix.EAGAIN:
			r.err = os.NewSyscallError("write", err)
		}
		return true
	}
}
