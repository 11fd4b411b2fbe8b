//go:build unix

package duet

import (
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func (w *wire) initRaw() {
	sc, ok := w.nc.(syscall.Conn)
	if !ok {
		return
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return
	}
	w.rc = rc
	w.readFn = w.readReady
}

// readWithinBudget has the conversation read what the budget allows.
func (c *Conn) readWithinBudget() {
	if c.wire.rc != nil {
		c.wire.readFn = c.readWithin
	}
}

// readWithin is readReady within the budget. A conversation that is held back waits on, unless its connection has failed: then
// what had arrived is read, and the error. One that does not know yet that it is held back looks again.
func (c *Conn) readWithin(fd uintptr) bool {
	n := c.allowance()
	switch {
	case n > 0:
	case hasFailed(fd):
		n = carefulRead
	default:
		return !c.recv.held
	}
	c.wire.rn = int32(n)
	return c.wire.readReady(fd)
}

// hasFailed reports whether the next read that finds no bytes gives an error. It leaves the error where it is.
func hasFailed(fd uintptr) bool {
	fds := [1]unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(fds[:], 0)
	return err == nil && n > 0 && fds[0].Revents&unix.POLLERR != 0
}

// readReady makes one non-blocking read; false means wait.
func (w *wire) readReady(fd uintptr) bool {
	buf := chunks.Get().(*[chunk]byte)
	for {
		n, err := syscall.Read(int(fd), buf[:w.rn])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			chunks.Put(buf)
			return false
		case err != nil:
			chunks.Put(buf)
			w.rerr = err
		case n == 0:
			chunks.Put(buf)
			w.rerr = io.EOF
		default:
			w.buf, w.rn = buf, int32(n)
		}
		return true
	}
}

// awaitRead waits, without a buffer, until there is something to read, or an error or the end.
func (w *wire) awaitRead() error {
	if w.rc == nil {
		return nil
	}
	return w.rc.Read(readable)
}

// readable looks without reading: a peek would take an error that is for Read.
func readable(fd uintptr) bool {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		if n, err := unix.Poll(fds[:], 0); err != unix.EINTR {
			return n != 0 || err != nil
		}
	}
}

// unread reports whether bytes of the peer wait to be read: a close then sends a reset.
func (w *wire) unread() bool {
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

// takeRest takes what can still be read of a connection that has failed, at most so many bytes; unread says whether
// there was more. The error is what follows, nil where that is not known.
func (w *wire) takeRest(most int) (rest []byte, unread bool, err error) {
	if w.rc == nil {
		return nil, false, nil
	}
	buf := chunks.Get().(*[chunk]byte)
	defer chunks.Put(buf)
	_ = w.rc.Control(func(fd uintptr) {
		for err == nil {
			var n int
			n, err = syscall.Read(int(fd), buf[:min(chunk, most-len(rest))])
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

// socketError is the error that the system keeps for a socket, and takes it.
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
