package bulk

import (
	"context"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// A channel is a pipe of our own between two descriptors of which neither is
// one, for splice(2) wants a pipe on one side.
type channel struct {
	r, w int
	held int // bytes in it
}

func newChannel() (*channel, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	grow(p[0])
	return &channel{r: p[0], w: p[1]}, nil
}

func (c *channel) close() {
	_ = unix.Close(c.r)
	_ = unix.Close(c.w)
}

// through moves bytes from a socket to a socket or a file. The channel is empty
// whenever src is asked, so EAGAIN there means that src has nothing; and it has
// bytes whenever dst is asked, so EAGAIN there means that dst is full.
func through(ctx context.Context, w *side, src *descriptor, m *meter) (bool, error) {
	dst := w.desc
	// A conversation that has said nothing yet holds no pipe.
	if err := src.wait(); err != nil {
		return true, &SideError{"read", err}
	}
	c, err := newChannel()
	if err != nil {
		return false, nil
	}
	defer c.close()
	low := newLowWater(src)
	defer low.close()
	defer dst.push()

	var n int
	var cerr error
	corked := false
	fill := func(fd uintptr) { n, cerr = uninterrupted(spliceOnce, int(fd), c.w) }
	pour := func(fd uintptr) { n, cerr = uninterrupted(spliceOnce, c.r, int(fd)) }
	for {
		if err := ended(ctx, src); err != nil {
			return true, err
		}
		if err := src.control(fill); err != nil {
			return true, &SideError{"read", err}
		}
		switch {
		case cerr == unix.EAGAIN:
			if corked {
				corked = false
				dst.push()
			}
			if err := src.wait(); err != nil {
				return true, &SideError{"read", err}
			}
			continue
		case unsupported(cerr):
			return false, nil
		case cerr != nil:
			return true, &SideError{"read", os.NewSyscallError("splice", cerr)}
		case n == 0:
			return true, nil
		}
		c.held = n
		low.add(n)
		for c.held > 0 {
			if err := dst.control(pour); err != nil {
				return true, &SideError{"write", err}
			}
			switch {
			case cerr == unix.EAGAIN:
				if err := dst.wait(); err != nil {
					return true, &SideError{"write", err}
				}
			case unsupported(cerr):
				// Not every filesystem takes a splice. What is in the
				// channel goes out first.
				err := c.empty(w.writer, m)
				return err != nil, err
			case cerr == nil && n == 0:
				return true, &SideError{"write", io.ErrShortWrite}
			case cerr != nil:
				return true, &SideError{"write", os.NewSyscallError("splice", cerr)}
			default:
				c.held -= n
				m.add(n)
				corked = dst.tcp
			}
		}
	}
}

// empty writes what the channel holds to dst.
func (c *channel) empty(dst io.Writer, m *meter) error {
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	for c.held > 0 {
		n, err := unix.Read(c.r, buf[:min(c.held, bufferSize)])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return &SideError{"read", os.NewSyscallError("read", err)}
		}
		c.held -= n
		if err := deliver(dst, buf[:n], m); err != nil {
			return err
		}
	}
	return nil
}
