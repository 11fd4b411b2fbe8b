package bulk

import (
	"context"
	"os"

	"golang.org/x/sys/unix"
)

// chunk is the most that one call moves, and the size pipes are
// given: the largest an ordinary user may have (pipe(7), pipe-max-size).
const chunk = 1 << 20

// fast lets the kernel copy where it can. When it reports false, without an
// error, nothing is on the way and the portable path may go on.
func fast(ctx context.Context, w, r *side, m *meter) (handled bool, err error) {
	src, dst := r.desc, w.desc
	if src == nil || dst == nil {
		return false, nil
	}
	switch src.kind {
	case pipe:
		switch dst.kind {
		case sock:
			return true, newPipeCopy(dst, src, m).run(ctx)
		case pipe, file, null:
			return direct(ctx, dst, src, m, spliceOnce)
		}
	case file:
		switch dst.kind {
		case pipe:
			return direct(ctx, dst, src, m, spliceOnce)
		case sock:
			return direct(ctx, dst, src, m, sendfileOnce)
		}
	case sock:
		switch dst.kind {
		case pipe:
			return direct(ctx, dst, src, m, spliceOnce)
		case sock, file, null:
			return through(ctx, w, src, m)
		}
	}
	return false, nil
}

// A moveCall moves at most n bytes.
type moveCall func(src, dst, n int) (int, error)

func spliceOnce(src, dst, n int) (int, error) {
	moved, err := unix.Splice(src, nil, dst, nil, n, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	return int(moved), err
}

func sendfileOnce(src, dst, n int) (int, error) { return unix.Sendfile(dst, src, nil, n) }

// retried makes a call again for as long as a signal interrupts it.
func retried(call moveCall, src, dst, n int) (int, error) {
	for {
		if moved, err := call(src, dst, n); err != unix.EINTR {
			return max(moved, 0), err
		}
	}
}

// ended says why a copy has to stop although neither side has a say in it.
func ended(ctx context.Context, src *descriptor) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if src.canceled != nil && src.canceled.Load() {
		return &SideError{"read", ErrCanceled}
	}
	return nil
}

// A mover makes one system call that moves bytes straight from one descriptor
// to another. Its closures are made once: this is the inner loop.
type mover struct {
	src, dst *descriptor
	call     moveCall

	n        int
	err      error // of the call
	srcReady bool  // known after EAGAIN
	dstErr   error // dst was closed
	grown    bool
	total    int

	srcFD   int
	holding func(fd uintptr) // src is held
	moving  func(fd uintptr) // both are
}

func newMover(dst, src *descriptor, call moveCall) *mover {
	v := &mover{src: src, dst: dst, call: call}
	v.holding = func(fd uintptr) {
		v.srcFD = int(fd)
		v.dstErr = v.dst.control(v.moving)
	}
	v.moving = func(fd uintptr) { v.move(v.srcFD, int(fd)) }
	return v
}

func (v *mover) move(src, dst int) {
	v.n, v.err = retried(v.call, src, dst, chunk)
	if v.err == unix.EAGAIN {
		v.srcReady = v.src.kind == file || Ready(uintptr(src), unix.POLLIN)
		return
	}
	v.total += v.n
	if !v.grown && (v.n >= 64<<10 || v.total >= chunk) {
		v.grown = true
		if v.src.kind == pipe {
			grow(src)
		}
		if v.dst.kind == pipe {
			grow(dst)
		}
	}
}

// grow enlarges a pipe as far as the system lets it; it never shrinks one.
func grow(fd int) {
	if size, err := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0); err == nil && size < chunk {
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, chunk)
	}
}

// direct moves bytes with one call each, where one side is a pipe or src is a
// file. Neither descriptor is held while the other is waited for.
func direct(ctx context.Context, dst, src *descriptor, m *meter, call moveCall) (bool, error) {
	v := newMover(dst, src, call)
	low, full := newLowWater(src, false), newDoze(dst, unix.POLLOUT)
	defer low.lower()
	moved := 0 // since dst was full
	for again := 0; ; {
		if err := ended(ctx, src); err != nil {
			return true, err
		}
		if err := src.control(v.holding); err != nil {
			return true, &SideError{"read", err}
		}
		switch {
		case v.dstErr != nil:
			return true, &SideError{"write", v.dstErr}
		case v.err == nil && v.n == 0:
			return true, nil
		case v.err == nil:
			again = 0
			moved += v.n
			m.add(v.n)
			low.add(v.n)
			// To ask again at once would take what has come meanwhile, a little at a time.
			if _, err := low.more(); err != nil {
				return true, &SideError{"read", err}
			}
		case v.err == unix.EAGAIN && !v.srcReady:
			if err := low.wait(); err != nil {
				return true, &SideError{"read", err}
			}
		case v.err == unix.EAGAIN:
			// Should the calls disagree about dst for longer, the portable path asks each side alone.
			if again++; again > 8 {
				return false, nil
			}
			if err := full.room(moved); err != nil {
				return true, &SideError{"write", err}
			}
			moved = 0
		case unsupported(v.err):
			return false, nil
		default:
			return true, v.failed()
		}
	}
}

// failed says which side a call's error belongs to.
func (v *mover) failed() error {
	op := "write"
	switch {
	case v.src.kind == sock && v.err != unix.EPIPE:
		op = "read"
	case v.src.kind == file && v.err == unix.EIO && v.dst.kind != file:
		op = "read"
	}
	return &SideError{op, os.NewSyscallError("splice", v.err)}
}
