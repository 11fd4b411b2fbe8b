// Package bulk copies bytes between two ends as fast as the system allows: the
// path of pipe mode, exec and forward, where nobody has to look at the bytes.
//
// Copy is one direction. It knows files, pipes and sockets, and how to wake
// each of them when its context ends; it knows nothing of conversations, and
// it never closes or half-closes anything: that is its caller's business, for
// the end of one direction must not take the other with it.
//
// On Linux the kernel moves the bytes (splice(2), sendfile(2)) between pipes,
// regular files and sockets. Every other pairing, and every other system, goes
// through a pooled buffer.
package bulk

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"time"
)

// ErrCanceled is what a Stdin's Read returns once Cancel was called.
var ErrCanceled = errors.New("read canceled")

// errInterrupted is how a wait on a descriptor reports that it was woken
// before the descriptor was ready. Copy and Stdin turn it into its cause.
var errInterrupted = errors.New("interrupted")

// SideError says which side of a Copy failed. Op is "read" (the source) or
// "write" (the destination); errors.Is and errors.As see through to Err.
type SideError struct {
	Op  string
	Err error
}

// Error gives the side and the cause.
func (e *SideError) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *SideError) Unwrap() error { return e.Err }

// Copy copies bytes from src to dst until src ends, ctx ends, or either side
// fails. It returns how many bytes dst has taken. The end of src is no error;
// the end of ctx is ctx.Err() as it stands; any other error is a *SideError.
//
// Counted, where it is not nil, is told of bytes as dst takes them, from the
// goroutine that called Copy; n is never zero.
//
// When ctx ends, a blocked side is woken: connections and pollable files by
// their deadline (for this direction only, and cleared again before Copy
// returns), a Stdin and blocking descriptors by a wake-up pipe. Nobody else may
// set those deadlines meanwhile. A side that has neither (a plain io.Reader; a
// file outside unix, unless it is in a Stdin) is only asked between two calls.
// Bytes which were taken from src but not yet by dst at that moment are gone.
//
// A src with an AwaitRead method is asked to wait by that, until its Read does not: no buffer is held meanwhile.
//
// Two Copies may run at once on one connection, one in each direction.
func Copy(ctx context.Context, dst io.Writer, src io.Reader, counted func(n int64)) (int64, error) {
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
	m := &meter{tell: counted, from: r.loan, to: w.loan}
	err = run(ctx, w, r, m)
	if !stop() {
		<-woken
		r.resume()
		w.resume()
	}
	return m.total, cause(ctx, err)
}

func run(ctx context.Context, w, r *side, m *meter) error {
	handled, err := fast(ctx, w, r, m)
	if handled {
		return err
	}
	return portable(ctx, w, r, m)
}

// cause names what ended a Copy: a wake-up is the context's doing, or else the
// doing of whoever canceled the Stdin.
func cause(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	woken := errors.Is(err, errInterrupted)
	if ctx.Err() != nil && (woken || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ErrCanceled)) {
		return ctx.Err()
	}
	if woken {
		return &SideError{"read", ErrCanceled}
	}
	return err
}

// A meter adds up what the destination has taken.
type meter struct {
	total    int64
	tell     func(n int64)
	from, to loan
}

func (m *meter) add(n int) {
	if n <= 0 {
		return
	}
	m.total += int64(n)
	m.from.moved(int64(n))
	m.to.moved(int64(n))
	if m.tell != nil {
		m.tell(int64(n))
	}
}

// A side is one end of a Copy, and how to wake it.
type side struct {
	reader io.Reader
	writer io.Writer
	desc   *descriptor  // what the kernel can copy from or to; nil if it cannot
	await  func() error // until the reader has something; nil if only Read can wait

	wake, calm, free func() // each may be nil
	loan             loan
}

func (s *side) interrupt() { call(s.wake) }
func (s *side) resume()    { call(s.calm) }

func (s *side) release() {
	call(s.free)
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

// useDeadline lets set, one of the Set…Deadline methods, wake the side.
func (s *side) useDeadline(set func(time.Time) error) {
	s.wake = func() { _ = set(time.Unix(1, 0)) }
	s.calm = func() { _ = set(time.Time{}) }
}

func plainRead(src io.Reader) *side {
	s := &side{reader: src}
	if d, ok := src.(interface{ SetReadDeadline(time.Time) error }); ok {
		s.useDeadline(d.SetReadDeadline)
	}
	if a, ok := src.(interface{ AwaitRead() error }); ok {
		s.await = a.AwaitRead
	}
	return s
}

func plainWrite(dst io.Writer) *side {
	s := &side{writer: dst}
	if d, ok := dst.(interface{ SetWriteDeadline(time.Time) error }); ok {
		s.useDeadline(d.SetWriteDeadline)
	}
	return s
}
