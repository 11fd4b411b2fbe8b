//go:build unix

package wire

import (
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// useSocket has the connection read and written by its descriptor.
func (w *Conn) useSocket(sc syscall.Conn, gate Gate) {
	rc, err := sc.SyscallConn()
	if err != nil {
		return
	}
	w.rc, w.kind = rc, socket
	w.readFn = w.readReady
	if gate != nil {
		w.readFn = func(fd uintptr) bool { return w.readWithin(fd, gate) }
	}
}

// readWithin is readReady for as many bytes as gate allows. If gate allows none, there are three cases. If the connection has failed,
// readWithin reads what had arrived, and then the error. If the reader knows that it may read nothing, it waits. If the reader
// does not know, it returns without bytes, so that the reader finds out.
func (w *Conn) readWithin(fd uintptr, gate Gate) bool {
	n := gate.Allowance()
	switch {
	case n > 0:
	case hasFailed(fd):
		n = 4 << 10
	default:
		return !gate.IsHeld()
	}
	w.rn = int32(n)
	return w.readReady(fd)
}

// hasFailed reports whether the next read that finds no bytes gives an error. It leaves the error where it is.
func hasFailed(fd uintptr) bool {
	fds := [1]unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(fds[:], 0)
	return err == nil && n > 0 && fds[0].Revents&unix.POLLERR != 0
}

// readReady makes one non-blocking read; false means wait.
func (w *Conn) readReady(fd uintptr) bool {
	buf := Chunk()
	for {
		n, err := syscall.Read(int(fd), buf[:w.rn])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			FreeChunk(buf)
			return false
		case err != nil:
			FreeChunk(buf)
			w.rerr = err
		case n == 0:
			FreeChunk(buf)
			w.rerr = io.EOF
		default:
			w.buf, w.rn = buf, int32(n)
		}
		return true
	}
}

// trySocket makes one read that does not wait.
func (w *Conn) trySocket() {
	if err := w.rc.Control(func(fd uintptr) { w.readReady(fd) }); err != nil {
		w.rerr = err
	}
}

// awaitSocket waits, without a buffer, until there is something to read, or an error or the end.
func (w *Conn) awaitSocket() error { return w.rc.Read(readable) }

// readable looks without reading: a peek would take an error that is for Read.
func readable(fd uintptr) bool {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		if n, err := unix.Poll(fds[:], 0); err != unix.EINTR {
			return n != 0 || err != nil
		}
	}
}

// HasUnread reports whether bytes of the peer wait to be read: a close then sends a reset. It knows that of a socket only.
func (w *Conn) HasUnread() bool {
	waiting := false
	if w.rc != nil {
		_ = w.rc.Control(func(fd uintptr) {
			var b [1]byte
			n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			waiting = err == nil && n > 0
		})
	}
	return waiting
}

// TakeRest takes what can still be read of a socket that has failed, at most most bytes. unread reports whether
// there was more. The error is what follows, nil if that is not known.
func (w *Conn) TakeRest(most int) (rest []byte, unread bool, err error) {
	if w.rc == nil {
		return nil, false, nil
	}
	buf := Chunk()
	defer FreeChunk(buf)
	_ = w.rc.Control(func(fd uintptr) {
		for err == nil {
			var n int
			n, err = syscall.Read(int(fd), buf[:min(ChunkSize, most-len(rest))])
			switch {
			case err == syscall.EINTR:
				err = nil
			case n > 0:
				rest = append(rest, buf[:n]...)
			case err == nil && len(rest) < most:
				err = io.EOF
			case err == nil:
				unread = true
				err = socketError(fd)
				return
			}
		}
	})
	if err == syscall.EAGAIN {
		err = nil
	}
	return rest, unread, err
}

// socketError returns the error that the system keeps for a socket, and takes it.
func socketError(fd uintptr) error {
	n, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil || n == 0 {
		return err
	}
	return os.NewSyscallError("read", syscall.Errno(n))
}

// writeReady writes what the socket takes; false means wait for room.
func (w *writing) writeReady(fd uintptr) bool {
	for w.n < len(w.out) {
		n, err := syscall.Write(int(fd), w.out[w.n:])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			w.err = w.await()
			return w.err != nil
		case err != nil:
			w.err = err
			return true
		}
		w.n += n
	}
	return true
}

// writeOnce writes what the socket takes now, and never waits.
func (w *writing) writeOnce(fd uintptr) {
	for {
		n, err := syscall.Write(int(fd), w.out)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
		case err != nil:
			w.err = err
		default:
			w.n = n
		}
		return
	}
}
