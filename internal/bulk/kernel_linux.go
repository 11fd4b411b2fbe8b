package bulk

import (
	"context"
	"os"

	"golang.org/x/sys/unix"
)

// chunk is the most that one call moves. It is also the size that pipes get, the largest that an ordinary user may have (pipe(7),
// pipe-max-size).
const chunk = 1 << 20

// copyFast copies between descriptors of the kernel. If it returns false without an error, no bytes are on their way, and the portable path
// goes on.
func copyFast(ctx context.Context, w, r *side, m *counter) (handled bool, err error) {
	src, dst := r.desc, w.desc
	if src == nil || dst == nil {
		return false, nil
	}
	switch src.kind {
	case kindPipe:
		switch dst.kind {
		case kindPipe, kindSocket, kindFile, kindNull:
			return copyDirect(ctx, dst, src, m, splice)
		}
	case kindFile:
		switch dst.kind {
		case kindPipe:
			return copyDirect(ctx, dst, src, m, splice)
		case kindSocket:
			return copyDirect(ctx, dst, src, m, sendfile)
		}
	case kindSocket:
		switch dst.kind {
		case kindPipe:
			return copyDirect(ctx, dst, src, m, splice)
		case kindSocket, kindFile, kindNull:
			return newChannelCopy(w, src, m).run(ctx)
		}
	}
	return false, nil
}

// A moveCall is a system call that moves at most n bytes.
type moveCall func(src, dst, n int) (int, error)

func splice(src, dst, n int) (int, error) {
	moved, err := unix.Splice(src, nil, dst, nil, n, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	return int(moved), err
}

func sendfile(src, dst, n int) (int, error) { return unix.Sendfile(dst, src, nil, n) }

// move makes a call again for as long as a signal interrupts it.
func move(call moveCall, src, dst, n int) (int, error) {
	for {
		if moved, err := call(src, dst, n); err != unix.EINTR {
			return max(moved, 0), err
		}
	}
}

// stopError returns why a copy has to stop although neither side has failed: ctx has ended, or a Stdin was canceled.
func stopError(ctx context.Context, src *descriptor) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if src.canceled != nil && src.canceled.Load() {
		return &SideError{"read", ErrCanceled}
	}
	return nil
}

// A pipeSize enlarges a pipe to 1 MiB once much flows through it: 64 KiB at once, or 1 MiB in all.
type pipeSize struct {
	total    int
	enlarged bool
}

// add counts n bytes that went through the pipe fd.
func (s *pipeSize) add(n, fd int) {
	s.total += n
	if !s.enlarged && (n >= 64<<10 || s.total >= chunk) {
		s.enlarged = true
		enlarge(fd)
	}
}

// enlarge makes a pipe as large as the system lets it, up to 1 MiB. It never makes one smaller.
func enlarge(fd int) {
	if size, err := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0); err == nil && size < chunk {
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, chunk)
	}
}

// A mover makes one system call that moves bytes straight from one descriptor to another.
type mover struct {
	src, dst         *descriptor
	call             moveCall
	srcPipe, dstPipe pipeSize

	n        int
	err      error // of the call
	dstErr   error // dst was closed
	srcReady bool  // known after EAGAIN
	corked   bool  // the last bytes may wait in dst's queue; see uncork

	srcFD        int
	onSrc, onDst func(fd uintptr) // made once: this is the inner loop
}

func newMover(dst, src *descriptor, call moveCall) *mover {
	v := &mover{src: src, dst: dst, call: call}
	v.onSrc = func(fd uintptr) {
		v.srcFD = int(fd)
		v.dstErr = v.dst.control(v.onDst)
	}
	v.onDst = func(fd uintptr) { v.move(v.srcFD, int(fd)) }
	return v
}

func (v *mover) move(src, dst int) {
	v.n, v.err = move(v.call, src, dst, chunk)
	if v.err == unix.EAGAIN {
		v.srcReady = v.src.kind == kindFile || Ready(uintptr(src), unix.POLLIN)
		if !v.srcReady && v.corked {
			v.corked = false
			uncork(dst)
		}
		return
	}
	if v.src.kind == kindPipe {
		v.corked = v.corked || v.dst.isTCP && v.n > 0
		v.srcPipe.add(v.n, src)
	}
	if v.dst.kind == kindPipe {
		v.dstPipe.add(v.n, dst)
	}
}

// uncork sends the bytes that a TCP socket holds back. splice(2) marks all pages but the last as followed by more (MSG_MORE). If the pipe
// held 16 pages, or the socket took less than there was, that is wrong, and the rest stays until the probe timer, for 200 ms. To clear
// TCP_CORK (tcp(7)) sends it and changes nothing else.
func uncork(fd int) { _ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_CORK, 0) }

// maxDisagreements is the number of times in a row that a call may find dst full although dst is ready. Then the portable path asks each
// side alone.
const maxDisagreements = 8

// copyDirect moves bytes with one call each. One side is a pipe, or src is a file. It holds neither descriptor while it waits for the other.
func copyDirect(ctx context.Context, dst, src *descriptor, m *counter, call moveCall) (handled bool, err error) {
	v := newMover(dst, src, call)
	mark, writable := newLowWaterMark(src, false), newShortWait(dst, unix.POLLOUT)
	defer mark.lower()
	defer func() {
		if v.corked {
			_ = dst.control(func(fd uintptr) { uncork(int(fd)) })
		}
	}()
	moved := 0 // since dst was full
	for disagreements := 0; ; {
		if err := stopError(ctx, src); err != nil {
			return true, err
		}
		if err := src.control(v.onSrc); err != nil {
			return true, &SideError{"read", err}
		}
		switch {
		case v.dstErr != nil:
			return true, &SideError{"write", v.dstErr}
		case v.err == nil && v.n == 0:
			return true, nil
		case v.err == nil:
			disagreements = 0
			moved += v.n
			m.add(v.n)
			mark.add(v.n)
			// The next call, if made at once, would move only what has come meanwhile: little.
			if _, err := mark.awaitMore(); err != nil {
				return true, &SideError{"read", err}
			}
		case v.err == unix.EAGAIN && !v.srcReady:
			if err := mark.await(); err != nil {
				return true, &SideError{"read", err}
			}
		case v.err == unix.EAGAIN:
			if disagreements++; disagreements > maxDisagreements {
				return false, nil
			}
			if err := writable.await(moved >= bulkBytes); err != nil {
				return true, &SideError{"write", err}
			}
			moved = 0
		case isUnsupported(v.err):
			return false, nil
		default:
			return true, v.sideError()
		}
	}
}

// sideError says which side the error of the call belongs to.
func (v *mover) sideError() error {
	op := "write"
	switch {
	case v.src.kind == kindSocket && v.err != unix.EPIPE:
		op = "read"
	case v.src.kind == kindFile && v.err == unix.EIO && v.dst.kind != kindFile:
		op = "read"
	}
	return &SideError{op, os.NewSyscallError("splice", v.err)}
}
