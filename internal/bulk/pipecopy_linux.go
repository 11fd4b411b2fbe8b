package bulk

import (
	"context"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// pipeReadSize is the most that a pipeCopy reads at once.
const pipeReadSize = 256 << 10

var pipeBuffers = sync.Pool{New: func() any { return new([pipeReadSize]byte) }}

// A pipeCopy copies from a pipe to a socket by reading and writing. splice(2) would take its pages away from a program that writes little at
// a time, and would hold the lock of its pipe for long. With large writes copying is as fast. It holds no buffer while the pipe is silent.
//
// The reads are no raw system calls: they wait for the lock of the pipe, which a writer holds while it waits for a page of its memory.
type pipeCopy struct {
	src, dst *descriptor
	counter  *counter
	flow     flow
	readable *shortWait // for src
	writable *shortWait // for dst
	pipe     pipeSize

	buf      *[pipeReadSize]byte // nil while the pipe is silent
	from, to int                 // buf[from:to] was read and is still to be written
	err      error               // of the last call

	readFn, writeFn func(fd uintptr) // made once: this is the inner loop
}

func newPipeCopy(dst, src *descriptor, m *counter) *pipeCopy {
	c := &pipeCopy{src: src, dst: dst, counter: m, readable: newShortWait(src, unix.POLLIN), writable: newShortWait(dst, unix.POLLOUT)}
	c.readFn, c.writeFn = c.readOnce, c.writeOnce
	return c
}

// run copies until the pipe ends.
func (c *pipeCopy) run(ctx context.Context) error {
	defer c.freeBuffer()
	for {
		if err := stopError(ctx, c.src); err != nil {
			return err
		}
		if err := c.src.control(c.readFn); err != nil {
			return &SideError{"read", err}
		}
		switch {
		case c.err == unix.EAGAIN:
			if err := c.awaitBytes(); err != nil {
				return &SideError{"read", err}
			}
		case c.err != nil:
			return &SideError{"read", os.NewSyscallError("read", c.err)}
		case c.to == 0:
			return nil
		default:
			if err := c.flush(ctx); err != nil {
				return err
			}
		}
	}
}

// flush writes what was read.
func (c *pipeCopy) flush(ctx context.Context) error {
	for c.from < c.to {
		before := c.from
		if err := c.dst.control(c.writeFn); err != nil {
			return &SideError{"write", err}
		}
		c.counter.add(c.from - before)
		switch {
		case c.err == unix.EAGAIN:
			if err := stopError(ctx, c.src); err != nil {
				return err
			}
			if err := c.writable.await(c.flow.isBulk); err != nil {
				return &SideError{"write", err}
			}
		case c.err != nil:
			return &SideError{"write", os.NewSyscallError("write", c.err)}
		}
	}
	return nil
}

// readOnce makes one read that does not wait. Without an error, no bytes are the end.
func (c *pipeCopy) readOnce(fd uintptr) {
	c.from, c.to = 0, 0
	if c.src.onlyBlocks && !Ready(fd, unix.POLLIN) {
		c.err = unix.EAGAIN
		return
	}
	if c.buf == nil {
		c.buf = pipeBuffers.Get().(*[pipeReadSize]byte)
	}
	var n int
	c.err = retry(func() (err error) { n, err = c.src.readNow(int(fd), c.buf[:]); return err })
	if c.err != nil {
		return
	}
	c.to = n
	c.flow.add(n)
	c.pipe.add(n, int(fd))
}

func (c *pipeCopy) writeOnce(fd uintptr) {
	var n int
	c.err = retry(func() (err error) { n, err = unix.Write(int(fd), c.buf[c.from:c.to]); return err })
	c.from += max(n, 0)
}

// awaitBytes waits for bytes: for a moment if bulk flows, and then without a buffer.
func (c *pipeCopy) awaitBytes() error {
	if c.flow.isBulk {
		if _, ready, err := c.readable.wait(shortWaitLimit); ready || err != nil {
			return err
		}
	}
	c.flow = flow{}
	c.freeBuffer()
	return c.src.wait()
}

func (c *pipeCopy) freeBuffer() {
	if c.buf != nil {
		pipeBuffers.Put(c.buf)
		c.buf = nil
	}
}
