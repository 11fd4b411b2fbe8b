package bulk

import (
	"context"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// pipeRead is the most that a pipeCopy reads at once.
const pipeRead = 256 << 10

var pipeBuffers = sync.Pool{New: func() any { return new([pipeRead]byte) }}

// A pipeCopy copies from a pipe to a socket by reading and writing. splice(2) would take the pages of a program that writes little at a
// time, so that it needs new ones, and would hold the lock of its pipe for long. With large writes copying is as fast.
type pipeCopy struct {
	src, dst *descriptor
	progress *meter
	flow     flow
	source   *doze
	room     *doze

	buf      *[pipeRead]byte // nil while nothing flows
	from, to int             // buf[from:to] was read and is not written yet
	err      error           // of the last call
	total    int
	grown    bool

	read, write func(fd uintptr) // made once: this is the inner loop
}

func newPipeCopy(dst, src *descriptor, m *meter) *pipeCopy {
	c := &pipeCopy{src: src, dst: dst, progress: m, source: newDoze(src, unix.POLLIN), room: newDoze(dst, unix.POLLOUT)}
	c.read, c.write = c.readOnce, c.writeOnce
	return c
}

// run copies until the pipe ends.
func (c *pipeCopy) run(ctx context.Context) error {
	defer c.freeBuffer()
	for {
		if err := ended(ctx, c.src); err != nil {
			return err
		}
		if err := c.src.control(c.read); err != nil {
			return &SideError{"read", err}
		}
		switch {
		case c.err == unix.EAGAIN:
			if err := c.awaitSource(); err != nil {
				return &SideError{"read", err}
			}
			continue
		case c.err != nil:
			return &SideError{"read", os.NewSyscallError("read", c.err)}
		case c.to == 0:
			return nil
		}
		if err := c.flush(ctx); err != nil {
			return err
		}
	}
}

// flush writes what was read.
func (c *pipeCopy) flush(ctx context.Context) error {
	for c.from < c.to {
		before := c.from
		if err := c.dst.control(c.write); err != nil {
			return &SideError{"write", err}
		}
		c.progress.add(c.from - before)
		switch {
		case c.err == unix.EAGAIN:
			if err := ended(ctx, c.src); err != nil {
				return err
			}
			if err := c.awaitRoom(); err != nil {
				return &SideError{"write", err}
			}
		case c.err != nil:
			return &SideError{"write", os.NewSyscallError("write", c.err)}
		}
	}
	return nil
}

func (c *pipeCopy) readOnce(fd uintptr) {
	if c.buf == nil {
		c.buf = pipeBuffers.Get().(*[pipeRead]byte)
	}
	c.from, c.to = 0, 0
	if c.src.blind && !Ready(fd, unix.POLLIN) {
		c.err = unix.EAGAIN
		return
	}
	n := 0
	c.err = retry(func() (err error) { n, err = c.src.readNow(int(fd), c.buf[:]); return err })
	if c.err != nil || n <= 0 {
		return
	}
	c.to = n
	c.total += n
	c.flow.add(n)
	if !c.grown && (n >= 64<<10 || c.total >= chunk) {
		c.grown = true
		grow(int(fd))
	}
}

func (c *pipeCopy) writeOnce(fd uintptr) {
	n := 0
	c.err = retry(func() (err error) { n, err = unix.Write(int(fd), c.buf[c.from:c.to]); return err })
	c.from += max(n, 0)
}

// awaitSource waits for bytes: for a moment while bulk flows, and then without a buffer.
func (c *pipeCopy) awaitSource() error {
	if c.flow.bulk {
		if _, ready, err := c.source.wait(lowWaterPeriod); ready || err != nil {
			return err
		}
	}
	c.flow = flow{}
	c.freeBuffer()
	return c.src.wait()
}

// awaitRoom waits until the socket takes more.
func (c *pipeCopy) awaitRoom() error {
	if c.flow.bulk {
		if _, ready, err := c.room.wait(lowWaterPeriod); ready || err != nil {
			return err
		}
	}
	return c.dst.wait()
}

func (c *pipeCopy) freeBuffer() {
	if c.buf != nil {
		pipeBuffers.Put(c.buf)
		c.buf = nil
	}
}

// A flow notices bulk: at least dozeBulk bytes in 2 ms.
type flow struct {
	began time.Time // of this period
	bytes int       // in it
	bulk  bool
}

func (f *flow) add(n int) {
	if now := time.Now(); now.Sub(f.began) > lowWaterPeriod {
		f.bulk = f.bytes >= dozeBulk
		f.began, f.bytes = now, 0
	}
	f.bytes += n
	f.bulk = f.bulk || f.bytes >= dozeBulk
}
