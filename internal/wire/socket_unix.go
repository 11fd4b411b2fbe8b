//go:build unix

package wire

import (
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// useSocket lets the connection be read and written by its descriptor.
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
// readWithin reads the bytes that had arrived, and then the error. If the reader knows that it may read nothing, it waits. Otherwise it
// returns without bytes, so that the reader finds out.
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

// hasFailed reports whether the next read without bytes returns an error. The error stays for that read.
func hasFailed(fd uintptr) bool {
	fds := [1]unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(fds[:], 0)
	return err == nil && n > 0 && fds[0].Revents&unix.POLLERR != 0
}

// readReady makes one non-blocking read. It returns false if the poller must wait.
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

// awaitSocket waits without a buffer for bytes, an error or the end.
func (w *Conn) awaitSocket() error { return w.rc.Read(readable) }

// readable reports whether a read would not wait. It does not peek, because a peek would take an error that is for Read.
func readable(fd uintptr) bool {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		if n, err := unix.Poll(fds[:], 0); err != unix.EINTR {
			return n != 0 || err != nil
		}
	}
}

// HasUnread reports whether bytes of the peer wait to be read, so that a close sends a reset. It returns false if the connection is no socket.
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

// ReadRest reads at most limit bytes that can still be read from a socket that has failed. unread reports whether there were more. err is the error
// that follows them, nil if it is not known.
func (w *Conn) ReadRest(limit int) (rest []byte, unread bool, err error) {
	if w.rc == nil {
		return nil, false, nil
	}
	buf := Chunk()
	defer FreeChunk(buf)
	_ = w.rc.Control(func(fd uintptr) {
		for err == nil {
			var n int
			n, err = syscall.Read(int(fd), buf[:min(ChunkSize, limit-len(rest))])
			switch {
			case err == syscall.EINTR:
				err = nil
			case n > 0:
				rest = append(rest, buf[:n]...)
			case err == nil && len(rest) < limit:
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

// socketError returns the error that the system keeps for a socket, and clears it there.
func socketError(fd uintptr) error {
	n, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil || n == 0 {
		return err
	}
	return os.NewSyscallError("read", syscall.Errno(n))
}

// writeReady writes as much as the socket takes. It returns false if the poller must wait for room.
func (w *writeOp) writeReady(fd uintptr) bool {
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

// writeOnce makes one write that does not wait.
func (w *writeOp) writeOnce(fd uintptr) {
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
