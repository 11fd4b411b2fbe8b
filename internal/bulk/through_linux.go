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

// through moves bytes from a socket to a socket or a file: what comes a little at a time by reading and writing, what
// comes in bulk through a channel. See Little for why.
func through(ctx context.Context, w *side, src *descriptor, m *meter) (bool, error) {
	t := newThrough(w, src, m)
	defer t.end()
	for {
		if err := ended(ctx, src); err != nil {
			return true, err
		}
		if !t.low.flows() {
			t.little.Wait()
			if much, err := t.passOn(); err != nil {
				return true, err
			} else if !much {
				if t.over {
					return true, nil
				}
				continue
			}
		}
		if handled, err := t.splice(ctx); !handled || err != nil || t.over {
			return handled, err
		}
	}
}

// A throughput is one copy that goes through a channel at times.
type throughput struct {
	w      *side
	src    *descriptor
	m      *meter
	low    *lowWater
	full   *doze // for dst
	little *Little
	over   bool // src has ended
	spares bool // it has begun to use channels

	c    *channel
	n    int
	err  error
	fill func(fd uintptr) // from src into c
	pour func(fd uintptr) // from c to dst
}

func newThrough(w *side, src *descriptor, m *meter) *throughput {
	paced := w.desc.kind != sock
	t := &throughput{w: w, src: src, m: m, low: newLowWater(src, paced), full: newDoze(w.desc, unix.POLLOUT), little: newLittle(src.raw)}
	t.fill = func(fd uintptr) { t.n, t.err = retried(spliceOnce, int(fd), t.c.w, chunk) }
	t.pour = func(fd uintptr) { t.n, t.err = retried(spliceOnce, t.c.r, int(fd), t.c.held) }
	return t
}

// pause is for when nothing flows: it holds no channel.
func (t *throughput) pause() {
	giveBack(t.c)
	t.c = nil
}

func (t *throughput) end() {
	t.low.lower()
	if t.spares {
		endThrough()
	}
}

// passOn writes what was read; much: more of it may be there.
func (t *throughput) passOn() (much bool, err error) {
	defer t.little.Done()
	b, err := t.little.Got()
	switch {
	case err != nil:
		return false, &SideError{"read", t.src.closed(err)}
	case len(b) == 0:
		t.over = true
		return false, nil
	}
	t.low.add(len(b))
	return len(b) == LittleMost, deliver(t.w.writer, b, t.m)
}

// splice moves bytes through a channel until src has none for now. The channel is empty
// whenever src is asked, so EAGAIN there means that src has nothing; and it has
// bytes whenever dst is asked, so EAGAIN there means that dst is full.
func (t *throughput) splice(ctx context.Context) (handled bool, err error) {
	dst := t.w.desc
	if !t.spares {
		t.spares = true
		beginThrough()
	}
	if t.c, err = takeChannel(); err != nil {
		return false, nil
	}
	defer t.pause()
	moved := 0 // since dst was full
	for {
		if err := ended(ctx, t.src); err != nil {
			return true, err
		}
		if err := t.src.control(t.fill); err != nil {
			return true, &SideError{"read", err}
		}
		switch {
		case t.err == unix.EAGAIN:
			t.low.lower()
			return true, nil
		case unsupported(t.err):
			return false, nil
		case t.err != nil:
			return true, &SideError{"read", os.NewSyscallError("splice", t.err)}
		case t.n == 0:
			t.over = true
			return true, nil
		}
		t.c.held = t.n
		t.low.add(t.n)
		for t.c.held > 0 {
			if err := dst.control(t.pour); err != nil {
				return true, &SideError{"write", err}
			}
			switch {
			case t.err == unix.EAGAIN:
				if err := t.full.room(moved); err != nil {
					return true, &SideError{"write", err}
				}
				moved = 0
			case unsupported(t.err):
				// Not every filesystem takes a splice. What is in the
				// channel goes out first.
				err := t.c.empty(t.w.writer, t.m)
				return err != nil, err
			case t.err == nil && t.n == 0:
				return true, &SideError{"write", io.ErrShortWrite}
			case t.err != nil:
				return true, &SideError{"write", os.NewSyscallError("splice", t.err)}
			default:
				moved += t.n
				t.c.held -= t.n
				t.m.add(t.n)
			}
		}
		// To ask again at once would take what has come meanwhile, a little at a time.
		if _, err := t.low.more(); err != nil {
			return true, &SideError{"read", err}
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
