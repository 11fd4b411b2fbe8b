// Package bulk copies bytes between two ends as fast as the system allows. Pipe mode, exec and forward use it if nobody has to look at the
// bytes.
//
// [Copy] is one direction. It knows files, pipes and sockets, and how to wake each of them when its context ends. It must not know
// conversations and messages. It never closes or half-closes anything, because the end of one direction must not end the other.
//
// On Linux the kernel moves the bytes (splice(2), sendfile(2)) between pipes, regular files and sockets. On other systems, and for other ends,
// they go through a pooled buffer.
//
// Read Copy first, then copyFast, which chooses the way.
package bulk

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"time"
)

// ErrCanceled is the error of Stdin.Read after Cancel.
var ErrCanceled = errors.New("read canceled")

// errInterrupted is the error of a wait that was woken before the descriptor was ready. Copy and Stdin return its cause instead.
var errInterrupted = errors.New("interrupted")

// A SideError says which side of a Copy has failed. Op is "read" (the source) or "write" (the destination).
type SideError struct {
	Op  string
	Err error
}

// Error returns the side and the cause.
func (e *SideError) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *SideError) Unwrap() error { return e.Err }

// Copy copies bytes from src to dst until src ends, ctx ends, or one side fails. It returns the number of bytes that dst has taken. It
// returns no error after the end of src, ctx.Err() after the end of ctx, and otherwise a *SideError.
//
// Copy calls progress, unless it is nil, each time dst has taken n more bytes. n is never zero.
//
// When ctx ends, a side that waits is woken: a connection or pollable file by its deadline (of this direction only, and cleared before
// Copy returns), a Stdin or blocking descriptor by a pipe. Nobody else may set those deadlines meanwhile. Any other side (a plain io.Reader;
// outside unix, a file that is in no Stdin) is not woken: Copy sees the end of ctx after the call has returned. Bytes that src has given
// and dst has not taken by then are lost.
//
// If src has an AwaitRead method, Copy calls it before each Read, and holds no buffer meanwhile.
//
// Two Copies may run at the same time on one connection, one in each direction.
func Copy(ctx context.Context, dst io.Writer, src io.Reader, progress func(n int64)) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	r, err := openRead(src)
	if err != nil {
		return 0, &SideError{"read", err}
	}
	defer r.release()
	w, err := openWrite(dst)
	if err != nil {
		return 0, &SideError{"write", err}
	}
	defer w.release()

	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		r.interrupt()
		w.interrupt()
	})
	m := &counter{progress: progress, from: r.loan, to: w.loan}
	handled, err := copyFast(ctx, w, r, m)
	if !handled {
		err = copyPortable(ctx, w, r, m)
	}
	if !stop() {
		<-woken
		r.resume()
		w.resume()
	}
	return m.total, copyError(ctx, err)
}

// copyError returns the error of a Copy that has ended with err. A wait that was interrupted was interrupted by ctx or by Stdin.Cancel.
func copyError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	interrupted := errors.Is(err, errInterrupted)
	if ctx.Err() != nil && (interrupted || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ErrCanceled)) {
		return ctx.Err()
	}
	if interrupted {
		return &SideError{"read", ErrCanceled}
	}
	return err
}

// A counter adds up the bytes that the destination has taken.
type counter struct {
	total    int64
	progress func(n int64) // may be nil
	from, to loan
}

func (c *counter) add(n int) {
	if n <= 0 {
		return
	}
	c.total += int64(n)
	c.from.moved(int64(n))
	c.to.moved(int64(n))
	if c.progress != nil {
		c.progress(int64(n))
	}
}

// A side is one end of a Copy, and how to wake it.
type side struct {
	reader io.Reader    // nil for a destination
	writer io.Writer    // nil for a source
	desc   *descriptor  // nil if the kernel cannot copy from or to it
	await  func() error // waits until the reader has bytes; nil if only Read can wait

	onInterrupt, onResume, onRelease func() // each may be nil
	loan                             loan
}

func (s *side) interrupt() { call(s.onInterrupt) }
func (s *side) resume()    { call(s.onResume) }

func (s *side) release() {
	call(s.onRelease)
	s.loan.end()
}

// A lender is a connection that lends its stream socket, to be read or to be written, until GiveBack is called. The lender's deadlines
// hold. The borrower reports the bytes with Moved. rc is nil if the connection has no such socket, or if somebody must see what passes.
type lender interface {
	Lend(toRead bool) (rc syscall.RawConn, tcp bool)
	GiveBack(toRead bool)
	Moved(in bool, n int64)
}

// A loan is a socket that a lender has lent. The zero loan is none.
type loan struct {
	lender lender
	toRead bool
}

// moved reports n bytes of the direction for which the socket was lent.
func (l loan) moved(n int64) {
	if l.lender != nil {
		l.lender.Moved(l.toRead, n)
	}
}

func (l loan) end() {
	if l.lender != nil {
		l.lender.GiveBack(l.toRead)
	}
}

func call(f func()) {
	if f != nil {
		f()
	}
}

// useDeadline lets set wake the side. set is one of the methods SetReadDeadline and SetWriteDeadline.
func (s *side) useDeadline(set func(time.Time) error) {
	s.onInterrupt = func() { _ = set(time.Unix(1, 0)) }
	s.onResume = func() { _ = set(time.Time{}) }
}

func newReadSide(src io.Reader) *side {
	s := &side{reader: src}
	if d, ok := src.(interface{ SetReadDeadline(time.Time) error }); ok {
		s.useDeadline(d.SetReadDeadline)
	}
	if a, ok := src.(interface{ AwaitRead() error }); ok {
		s.await = a.AwaitRead
	}
	return s
}

func newWriteSide(dst io.Writer) *side {
	s := &side{writer: dst}
	if d, ok := dst.(interface{ SetWriteDeadline(time.Time) error }); ok {
		s.useDeadline(d.SetWriteDeadline)
	}
	return s
}
