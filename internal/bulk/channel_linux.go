package bulk

import (
	"context"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A channel is a pipe of our own between two descriptors. splice(2) wants a pipe on one side, and neither of them is one.
type channel struct {
	r, w int
	held int // bytes in it
}

func newChannel() (*channel, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	enlarge(p[0])
	return &channel{r: p[0], w: p[1]}, nil
}

func (c *channel) close() {
	_ = unix.Close(c.r)
	_ = unix.Close(c.w)
}

// maxChannels is the number of empty channels that the pool keeps.
const maxChannels = 8

// channelPool holds empty channels. A copy holds a channel only while bytes are on their way: otherwise a thousand idle echoes would hold
// two thousand descriptors. While no copy uses the pool, it is empty.
var channelPool struct {
	mu     sync.Mutex // guards the fields below
	free   []*channel
	copies int // that use the pool
}

func joinPool() {
	channelPool.mu.Lock()
	defer channelPool.mu.Unlock()
	channelPool.copies++
}

func leavePool() {
	channelPool.mu.Lock()
	defer channelPool.mu.Unlock()
	if channelPool.copies--; channelPool.copies > 0 {
		return
	}
	for _, c := range channelPool.free {
		c.close()
	}
	channelPool.free = nil
}

func getChannel() (*channel, error) {
	channelPool.mu.Lock()
	if n := len(channelPool.free); n > 0 {
		c := channelPool.free[n-1]
		channelPool.free = channelPool.free[:n-1]
		channelPool.mu.Unlock()
		return c, nil
	}
	channelPool.mu.Unlock()
	return newChannel()
}

// putChannel puts c into the pool. It closes c if c holds bytes or the pool is full.
func putChannel(c *channel) {
	channelPool.mu.Lock()
	defer channelPool.mu.Unlock()
	if c.held > 0 || len(channelPool.free) == maxChannels {
		c.close()
		return
	}
	channelPool.free = append(channelPool.free, c)
}

// A channelCopy copies from a socket to a socket or a file. It reads and writes while little comes, and splices through a channel in bulk. See
// SmallReader for why.
type channelCopy struct {
	w        *side
	src      *descriptor
	counter  *counter
	mark     *lowWaterMark
	writable *shortWait // for dst
	small    *SmallReader
	ended    bool // src has ended
	inPool   bool // it uses the pool

	c    *channel
	n    int              // bytes that the last call moved
	err  error            // of the last call
	fill func(fd uintptr) // moves from src into c
	pour func(fd uintptr) // moves from c to dst
}

func newChannelCopy(w *side, src *descriptor, m *counter) *channelCopy {
	paced := w.desc.kind != kindSocket
	t := &channelCopy{w: w, src: src, counter: m, mark: newLowWaterMark(src, paced), writable: newShortWait(w.desc, unix.POLLOUT), small: newSmallReader(src.raw)}
	t.fill = func(fd uintptr) { t.n, t.err = move(splice, int(fd), t.c.w, chunk) }
	// It asks for no more than is there: otherwise the kernel may hold the last bytes back for 200 ms, as if more were to come.
	t.pour = func(fd uintptr) { t.n, t.err = move(splice, t.c.r, int(fd), t.c.held) }
	return t
}

// run copies until src ends. If it returns false without an error, the portable path goes on.
func (t *channelCopy) run(ctx context.Context) (handled bool, err error) {
	defer t.end()
	for {
		if err := stopError(ctx, t.src); err != nil {
			return true, err
		}
		if !t.mark.raised {
			t.small.Wait()
			isBulk, err := t.copySmall()
			switch {
			case err != nil, t.ended:
				return true, err
			case !isBulk:
				continue
			}
		}
		if handled, err := t.spliceBulk(ctx); !handled || err != nil || t.ended {
			return handled, err
		}
	}
}

func (t *channelCopy) end() {
	t.mark.lower()
	if t.inPool {
		leavePool()
	}
}

// copySmall writes what was read. isBulk reports whether much more may be there.
func (t *channelCopy) copySmall() (isBulk bool, err error) {
	defer t.small.Done()
	b, err := t.small.Got()
	switch {
	case err != nil:
		return false, &SideError{"read", t.src.publicError(err)}
	case len(b) == 0:
		t.ended = true
		return false, nil
	}
	t.mark.add(len(b))
	return len(b) == SmallReadSize, deliver(t.w.writer, b, t.counter)
}

// spliceBulk moves bytes through a channel until src has none for now. The channel is empty when src is asked, so EAGAIN there means that
// src has nothing.
func (t *channelCopy) spliceBulk(ctx context.Context) (handled bool, err error) {
	if !t.inPool {
		t.inPool = true
		joinPool()
	}
	if t.c, err = getChannel(); err != nil {
		return false, nil
	}
	defer func() {
		putChannel(t.c)
		t.c = nil
	}()
	moved := 0 // since dst was full
	for {
		if err := stopError(ctx, t.src); err != nil {
			return true, err
		}
		if err := t.src.control(t.fill); err != nil {
			return true, &SideError{"read", err}
		}
		switch {
		case t.err == unix.EAGAIN:
			t.mark.lower()
			return true, nil
		case isUnsupported(t.err):
			return false, nil
		case t.err != nil:
			return true, &SideError{"read", os.NewSyscallError("splice", t.err)}
		case t.n == 0:
			t.ended = true
			return true, nil
		}
		t.c.held = t.n
		t.mark.add(t.n)
		if handled, err := t.drain(&moved); !handled || err != nil {
			return handled, err
		}
		// The next call, if made at once, would move only what has come meanwhile: little.
		if _, err := t.mark.awaitMore(); err != nil {
			return true, &SideError{"read", err}
		}
	}
}

// drain moves all bytes from the channel to dst. The channel has bytes when dst is asked, so EAGAIN there means that dst is full. moved
// is the number of bytes since dst was full. handled is false, and the channel is empty, if dst takes no splice: not every filesystem does.
func (t *channelCopy) drain(moved *int) (handled bool, err error) {
	for t.c.held > 0 {
		if err := t.w.desc.control(t.pour); err != nil {
			return true, &SideError{"write", err}
		}
		switch {
		case t.err == unix.EAGAIN:
			if err := t.writable.await(*moved >= bulkBytes); err != nil {
				return true, &SideError{"write", err}
			}
			*moved = 0
		case isUnsupported(t.err):
			err := t.c.copyTo(t.w.writer, t.counter)
			return err != nil, err
		case t.err == nil && t.n == 0:
			return true, &SideError{"write", io.ErrShortWrite}
		case t.err != nil:
			return true, &SideError{"write", os.NewSyscallError("splice", t.err)}
		default:
			*moved += t.n
			t.c.held -= t.n
			t.counter.add(t.n)
		}
	}
	return true, nil
}

// copyTo writes to dst what the channel holds.
func (c *channel) copyTo(dst io.Writer, m *counter) error {
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
