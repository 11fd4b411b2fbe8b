package wire

import (
	"context"
	"os"
	"syscall"
	"time"
)

// errDeadline is the error of a read or write that a deadline or Interrupt has ended.
var errDeadline = os.ErrDeadlineExceeded

// A strayError is a timeout although no deadline has passed. It ends the connection and not only a wait, so it is no os.ErrDeadlineExceeded. For
// errors.Is it is syscall.ETIMEDOUT.
type strayError struct{ cause error }

func (e *strayError) Error() string { return e.cause.Error() + ", although no deadline is due" }

func (e *strayError) Is(target error) bool { return target == syscall.ETIMEDOUT }

// graceRead limits the wait of TryRead on a connection that is no socket.
const graceRead = time.Millisecond

// maxLateLooks limits how often TryRead looks if it is late.
const maxLateLooks = 10

// Interrupt wakes the reader: a Read or Sleep that waits, or the next Arm, returns at once. No bytes are lost. Interrupt does
// nothing between Raw and Reclaim.
func (w *Conn) Interrupt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ext == nil || w.ext.raw == nil {
		w.interrupt()
	}
}

// interrupt is Interrupt with mu held.
func (w *Conn) interrupt() {
	w.wake, w.set = true, past
	_ = w.applyDeadline()
	w.pokeLocked()
}

// poke ends a wait for ext.woken.
func (w *Conn) poke() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pokeLocked()
}

func (w *Conn) pokeLocked() {
	if w.ext == nil {
		return
	}
	select {
	case w.ext.woken <- struct{}{}:
	default:
	}
}

// StartDeadline sets the read deadline before the first Arm. The goroutine that makes the connection calls it: the goroutine that reads
// would need a larger stack for that.
func (w *Conn) StartDeadline(until Moment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set = until
	_ = w.applyDeadline()
}

// Arm sets the deadline of the next Read. Zero: none. If lazy is true, an earlier deadline stays: one wake-up too many costs less than to move the
// deadline for each message. Arm returns false, and sets nothing, if Interrupt was called. Then the caller finds out why before it
// reads.
func (w *Conn) Arm(until Moment, lazy bool) bool {
	change, woken := w.beginArm(until, lazy)
	if change {
		w.moveDeadline()
	}
	w.mu.Unlock()
	return !woken
}

// beginArm locks mu for Arm. It reports whether the deadline has to be moved, to w.set, and whether Interrupt was called.
func (w *Conn) beginArm(until Moment, lazy bool) (change, woken bool) {
	w.mu.Lock()
	woken, w.wake = w.wake, false
	if woken {
		w.drainWoken()
		return false, true
	}
	if until == w.set || lazy && w.set < until && w.set > w.Now() {
		return false, false
	}
	w.set = until
	return true, false
}

// drainWoken empties ext.woken. mu is held.
func (w *Conn) drainWoken() {
	if w.ext == nil {
		return
	}
	select {
	case <-w.ext.woken:
	default:
	}
}

// moveDeadline sets the read deadline to w.set. On a socket another goroutine does it: the call needs much stack, and the stack of the reader, once
// grown, does not shrink while it waits.
func (w *Conn) moveDeadline() {
	if w.kind != socket {
		_ = w.applyDeadline()
		return
	}
	done := make(chan struct{})
	go w.applyAside(done)
	<-done
}

func (w *Conn) applyAside(done chan<- struct{}) {
	_ = w.applyDeadline()
	close(done)
}

// applyDeadline sets w.set on the connection, unless the connection is foreign. mu is held.
func (w *Conn) applyDeadline() error {
	if w.kind == foreign {
		return nil
	}
	return w.nc.SetReadDeadline(w.deadline(w.set))
}

// Read waits for at most limit bytes until the deadline that Arm has set. Got returns them. Read has no results itself, because they would be
// on the stack of each idle connection.
func (w *Conn) Read(limit int) {
	w.rn, w.rerr = int32(limit), nil
	if !w.claim() {
		w.rn = 0
		return
	}
	switch {
	case w.rc != nil:
		if err := w.rc.Read(w.readFn); err != nil {
			w.rerr = err
		}
	case w.kind == awaited:
		w.readAwaited(limit)
	default:
		w.readForeign(limit)
	}
	w.release()
}

// readAwaited waits without a buffer, then reads.
//
//go:noinline
func (w *Conn) readAwaited(limit int) {
	w.rn = 0
	err := w.nc.(awaiter).AwaitRead()
	if err == nil {
		w.buf = Chunk()
		var n int
		n, err = w.nc.Read(w.buf[:limit])
		w.rn = int32(n)
	}
	w.rerr = w.judge(int(w.rn), err)
}

// judge returns the error of a read. A timeout becomes a strayError if no deadline has passed, Interrupt was not called, and the read before
// returned such a timeout too.
func (w *Conn) judge(n int, err error) error {
	switch {
	case n > 0, !isTimeout(err), w.isDue():
		w.state.And(^uint32(stateStray))
	case w.state.Or(stateStray)&stateStray != 0:
		return &strayError{err}
	}
	return err
}

// isDue reports whether the read deadline has passed, or Interrupt was called or is at work.
func (w *Conn) isDue() bool {
	if !w.mu.TryLock() {
		return true
	}
	defer w.mu.Unlock()
	return w.kind != foreign && (w.wake || w.set != 0 && w.Now() >= w.set)
}

// Got returns the bytes and the error of the last Read or TryRead. The bytes are valid until Done. The error is os.ErrDeadlineExceeded if the
// deadline has passed or Interrupt was called.
func (w *Conn) Got() ([]byte, error) {
	switch {
	case w.kind == foreign:
		return w.ext.foreign.unread(int(w.rn)), w.rerr
	case w.buf == nil:
		return nil, w.rerr
	}
	return w.buf[:w.rn], w.rerr
}

// Done frees the buffer of the last read.
func (w *Conn) Done() {
	if w.buf != nil {
		FreeChunk(w.buf)
		w.buf = nil
	}
	if w.kind == foreign {
		w.ext.foreign.consume(int(w.rn))
		w.rn = 0
	}
}

// TryRead looks for bytes that are there, without a wait for more. Got returns them. On a connection that is no socket it takes up to 1 ms. Interrupt
// does not end it. The deadline that Arm has set is lost.
func (w *Conn) TryRead() {
	w.rn, w.rerr = ChunkSize, nil
	if !w.claim() {
		w.rn = 0
		return
	}
	switch {
	case w.rc != nil:
		w.trySocket()
	case w.kind == awaited:
		w.tryAwaited()
	default:
		w.tryForeign()
	}
	w.release()
}

// lookInTime calls look, which waits until a moment for bytes and reports whether it has a result. It calls look again if the look was
// interrupted. It also does so, a few times, if the look took too long: then the goroutine had no processor, and may have looked too late.
func (w *Conn) lookInTime(look func(until Moment) bool) {
	first := w.Now()
	for late := 0; late < maxLateLooks; {
		began := w.Now()
		if look(began.After(graceRead)) {
			return
		}
		now := w.Now()
		switch took := now.Since(began); {
		case took > graceRead*11/10:
			late++
		case took >= graceRead, now.Since(first) >= graceRead:
			return
		}
	}
}

// tryAwaited looks with a deadline of its own. Interrupt moves that into the past.
func (w *Conn) tryAwaited() {
	w.rn = 0
	w.buf = Chunk()
	w.lookInTime(func(until Moment) bool {
		w.mu.Lock()
		w.set = until
		_ = w.applyDeadline()
		w.mu.Unlock()
		n, err := w.nc.Read(w.buf[:])
		w.rn = int32(n)
		if n == 0 && isTimeout(err) {
			return false
		}
		w.rerr = err
		return true
	})
	if w.rn == 0 {
		w.Done()
	}
}

// Sleep waits until a moment without reading. It returns earlier if Interrupt is called or ctx ends.
func (w *Conn) Sleep(ctx context.Context, until Moment) {
	w.mu.Lock()
	if w.wake {
		w.wake = false
		w.drainWoken()
		w.mu.Unlock()
		return
	}
	x := w.extend()
	if x.woken == nil {
		x.woken = make(chan struct{}, 1)
	}
	woken := x.woken
	w.mu.Unlock()
	t := time.NewTimer(until.Since(w.Now()))
	defer t.Stop()
	select {
	case <-t.C:
	case <-woken:
	case <-ctx.Done():
	}
	w.mu.Lock()
	w.wake = false
	w.drainWoken()
	w.mu.Unlock()
}
