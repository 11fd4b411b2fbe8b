package wire

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

// pieceSize is the most that a connection that is no socket gets in one Write. The progress of a Write is not known before its end, so the peer
// has to take a whole piece within the timeout.
const pieceSize = 16 << 10

// A writeOp is one write. It is no part of Conn, because an idle connection writes nothing.
type writeOp struct {
	*Conn
	ready   func(fd uintptr) bool // writeReady of this writing
	once    func(fd uintptr)      // writeOnce of it
	out     []byte
	n       int
	err     error
	ctx     context.Context
	timeout time.Duration // how long the peer may take nothing; 0: no limit
	waited  bool          // await was called
	start   int           // n when the timeout began
	until   Moment        // when it ends
	last    Moment        // the latest end after SetEnding; 0: not yet known
	stop    func() bool
	expired chan struct{} // closed when ctx has ended and set the deadline
}

// writeOps holds those that are not in use.
var writeOps = sync.Pool{New: func() any {
	w := new(writeOp)
	w.ready, w.once = w.writeReady, w.writeOnce
	return w
}}

// Write hands all of b to the system. Each time the peer makes room, the timeout begins anew. The error is os.ErrDeadlineExceeded after the timeout,
// and ctx.Err() if ctx ends first. n is the number of bytes that had left before.
func (w *Conn) Write(ctx context.Context, b []byte, timeout time.Duration) (n int, err error) {
	o := writeOps.Get().(*writeOp)
	o.Conn, o.ctx, o.out, o.timeout = w, ctx, b, timeout
	if w.rc == nil {
		err = o.plain()
	} else if err = w.rc.Write(o.ready); err == nil {
		err = o.err
	}
	if o.waited {
		err = o.release(err)
	}
	n = o.n
	*o = writeOp{ready: o.ready, once: o.once}
	writeOps.Put(o)
	return n, err
}

// TryWrite hands as much of b to the socket as it takes without a wait; see IsSocket. Nobody else may write meanwhile. Write of syscall.RawConn
// would make sure of that, but it also prepares a wait, which is a tenth of the cost of a line to a thousand members.
func (w *Conn) TryWrite(b []byte) (n int, err error) {
	o := writeOps.Get().(*writeOp)
	o.Conn, o.out = w, b
	if err = w.rc.Control(o.once); err == nil {
		err = o.err
	}
	n = o.n
	*o = writeOp{ready: o.ready, once: o.once}
	writeOps.Put(o)
	return n, err
}

// plain writes to a connection that is no socket.
func (w *writeOp) plain() error {
	for w.n < len(w.out) {
		if err := w.await(); err != nil {
			return err
		}
		n, err := w.writePiece(w.out[w.n:min(len(w.out), w.n+pieceSize)])
		w.n += n
		switch {
		case err == nil:
		case isTimeout(err) && !w.mayTimeOut():
			return &strayError{err}
		default:
			return err
		}
	}
	return nil
}

// writePiece writes a part. A panic of the connection becomes an error.
func (w *writeOp) writePiece(b []byte) (n int, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &Panic{Value: p, Stack: debug.Stack()}
		}
	}()
	if w.kind == foreign {
		return w.ext.foreign.write(b, w.timeout, w.hasEnded)
	}
	return w.nc.Write(b)
}

// mayTimeOut reports whether the write has reached one of its ends.
func (w *writeOp) mayTimeOut() bool {
	return w.hasEnded() || w.until != 0 && w.Now() >= w.until
}

// hasEnded reports whether the caller has given the write up.
func (w *writeOp) hasEnded() bool { return w.IsAbandoned() || w.ctx.Err() != nil }

// Abandon ends a Write that waits, and all later ones, with os.ErrDeadlineExceeded. Any goroutine may call it.
func (w *Conn) Abandon() {
	w.state.Or(stateAbandoned)
	w.endWrite()
}

// endWrite ends a write that waits.
func (w *Conn) endWrite() {
	_ = w.nc.SetWriteDeadline(longAgo)
	if w.kind == foreign {
		w.ext.foreign.closeIfLate()
	}
}

// await prepares a wait until the peer makes room. Only here are the deadline and the watch over ctx set up: a write that does not wait costs
// neither.
func (w *writeOp) await() error {
	if w.timeout > 0 && (!w.waited || w.n > w.start) {
		w.until = w.nextDeadline()
		_ = w.nc.SetWriteDeadline(w.deadline(w.until))
		w.start = w.n
	}
	if !w.waited && w.ctx.Done() != nil {
		w.expired = make(chan struct{})
		w.stop = context.AfterFunc(w.ctx, func() {
			w.endWrite()
			close(w.expired)
		})
	}
	w.waited = true
	// After the deadline was set: a later call of Abandon sets it to the past again.
	if w.IsAbandoned() {
		return errDeadline
	}
	return w.ctx.Err()
}

// nextDeadline returns the end of the timeout that begins now. After SetEnding, a peer that takes a byte now and then does not move the last one.
func (w *writeOp) nextDeadline() Moment {
	now := w.Now()
	until := now.After(w.timeout)
	if !w.isEnding() {
		return until
	}
	if w.last == 0 {
		w.last = now.After(w.timeout).After(w.timeout).After(w.timeout)
	}
	return min(until, w.last)
}

// release undoes await and gives the cause of err.
func (w *writeOp) release(err error) error {
	if w.stop != nil && !w.stop() {
		<-w.expired
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = w.ctx.Err()
		}
	}
	_ = w.nc.SetWriteDeadline(time.Time{})
	return err
}
