package bulk

import (
	"context"
	"io"
	"os"
	"sync"

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

// maxSpare is how many empty channels are kept for the copies that go on.
const maxSpare = 8

// spares are empty channels. A copy holds one only while bytes are on their way: a
// thousand idle echoes would hold two thousand descriptors otherwise. When no copy goes on, none is kept.
var spares struct {
	mu     sync.Mutex
	free   []*channel
	copies int
}

func beginThrough() {
	spares.mu.Lock()
	defer spares.mu.Unlock()
	spares.copies++
}

func endThrough() {
	spares.mu.Lock()
	defer spares.mu.Unlock()
	if spares.copies--; spares.copies > 0 {
		return
	}
	for _, c := range spares.free {
		c.close()
	}
	spares.free = nil
}

func takeChannel() (*channel, error) {
	spares.mu.Lock()
	if n := len(spares.free); n > 0 {
		c := spares.free[n-1]
		spares.free = spares.free[:n-1]
		spares.mu.Unlock()
		return c, nil
	}
	spares.mu.Unlock()
	return newChannel()
}

// giveBack takes c, if it is not nil, for the next; one with bytes in it is of no use to others.
func giveBack(c *channel) {
	if c == nil {
		return
	}
	spares.mu.Lock()
	defer spares.mu.Unlock()
	if c.held > 0 || len(spares.free) == maxSpare {
		c.close()
		return
	}
	spares.free = append(spares.free, c)
}

// through moves bytes from a socket to a socket or a file. The channel is empty
// whenever src is asked, so EAGAIN there means that src has nothing; and it has
// bytes whenever dst is asked, so EAGAIN there means that dst is full.
func through(ctx context.Context, w *side, src *descriptor, m *meter) (bool, error) {
	dst := w.desc
	// One who says nothing holds no pipe.
	if err := src.wait(); err != nil {
		return true, &SideError{"read", err}
	}
	beginThrough()
	defer endThrough()
	c, err := takeChannel()
	if err != nil {
		return false, nil
	}
	defer func() { giveBack(c) }()
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
			giveBack(c)
			c = nil
			if err := src.wait(); err != nil {
				return true, &SideError{"read", err}
			}
			if c, err = takeChannel(); err != nil {
				return false, nil
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
