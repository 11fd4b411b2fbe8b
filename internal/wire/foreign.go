package wire

import (
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// smallRead is the size of the buffer of a read that may wait for long.
	smallRead = 1 << 10
	// flowTime limits a read with a large buffer. A read with a small buffer follows it.
	flowTime = 10 * time.Millisecond
	// endGrace is the time that a call may go on after its end: a Write after its deadline, or a Read after Close. The deadlines of the
	// connection may do nothing. So it is closed after a Write that does not end.
	endGrace = 500 * time.Millisecond
)

var smallBuffers = sync.Pool{New: func() any { return new([smallRead]byte) }}

// A foreignConn is a connection on which only Read can wait. Its deadlines may do nothing. They may also break it, as a deadline that passes
// during a handshake of crypto/tls does. So a goroutine calls Read, and the reader waits for that goroutine. The goroutine exists while
// one read is outstanding. If the reader is interrupted, the read goes on, and the next Read gets its result.
type foreignConn struct {
	w    *Conn
	nc   net.Conn
	done atomic.Bool // the outstanding read has ended

	// Used by the reader:
	outstanding bool
	full        bool             // the last read has filled its buffer
	small       *[smallRead]byte // the buffer in use; nil: none, or large is
	large       *[ChunkSize]byte // the buffer in use; nil: none, or small is
	from        int              // where the bytes begin that Got has not returned yet

	// Used by the goroutine while a read is outstanding, and by the reader otherwise, like small and large:
	to  int // where the bytes end
	err error

	writes atomic.Uint32 // odd while a Write goes on
	due    *time.Timer   // the write deadline of the RawConn, if one is set; Conn.mu guards it
	killed atomic.Bool   // the connection was closed because a Write went on after its deadline
}

// begin starts a read, unless one is outstanding or its result was not used up.
func (f *foreignConn) begin() {
	if f.outstanding || f.to > f.from || f.err != nil {
		return
	}
	f.from, f.to = 0, 0
	f.outstanding = true
	if f.full {
		f.large = Chunk()
		go f.readLarge()
	} else {
		f.small = smallBuffers.Get().(*[smallRead]byte)
		go f.readSmall()
	}
}

// readSmall and readLarge run in the goroutine. Its stack is small while it waits.
func (f *foreignConn) readSmall() {
	defer f.end()
	f.to, f.err = f.nc.Read(f.small[:])
}

// readLarge reads with a large buffer while bytes flow. Only this read has a deadline. It breaks no handshake, because bytes have come before.
func (f *foreignConn) readLarge() {
	defer f.end()
	_ = f.nc.SetReadDeadline(time.Now().Add(flowTime))
	f.to, f.err = f.nc.Read(f.large[:])
	_ = f.nc.SetReadDeadline(time.Time{})
	if f.to == 0 && isTimeout(f.err) {
		FreeChunk(f.large)
		f.large, f.small = nil, smallBuffers.Get().(*[smallRead]byte)
		f.to, f.err = f.nc.Read(f.small[:])
	}
}

// end ends the goroutine. A panic of the connection becomes the error of the read.
func (f *foreignConn) end() {
	if p := recover(); p != nil {
		f.to, f.err = 0, &Panic{Value: p, Stack: debug.Stack()}
	}
	f.done.Store(true)
	f.w.poke()
}

// A Panic is the panic of a connection's Read or Write.
type Panic struct {
	// Value is the argument of the panic.
	Value any
	// Stack is the stack of the panic, as debug.Stack formats it.
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("connection panicked: %v", p.Value) }

// hasResult reports whether bytes or an error are there for the reader.
func (f *foreignConn) hasResult() bool { return !f.outstanding && (f.to > f.from || f.err != nil) }

// finish makes the result of the outstanding read that of the reader. It may receive a poke of Interrupt. That is not lost: Interrupt has set w.wake
// too, and the reader sees it before it waits again.
func (f *foreignConn) finish() {
	select {
	case <-f.w.ext.woken:
	default:
	}
	f.outstanding = false
	f.done.Store(false)
	f.full = f.small != nil && f.to == smallRead || f.large != nil && f.to == ChunkSize
}

// unread returns the next n bytes.
func (f *foreignConn) unread(n int) []byte {
	switch {
	case n == 0:
		return nil
	case f.large != nil:
		return f.large[f.from : f.from+n]
	case f.small != nil:
		return f.small[f.from : f.from+n]
	}
	return nil
}

// consume drops the next n bytes. If none is left, it frees the buffer.
func (f *foreignConn) consume(n int) {
	f.from += n
	if f.outstanding || f.from < f.to {
		return
	}
	f.from, f.to = 0, 0
	if f.large != nil {
		FreeChunk(f.large)
		f.large = nil
	}
	if f.small != nil {
		smallBuffers.Put(f.small)
		f.small = nil
	}
}

// readForeign waits for the outstanding read, the deadline, or Interrupt.
//
//go:noinline
func (w *Conn) readForeign(limit int) {
	w.rn = 0
	f := w.ext.foreign
	f.begin()
	if !f.hasResult() && !w.awaitForeign(f) {
		w.rerr = errDeadline
		return
	}
	w.setForeignResult(f, limit)
}

// awaitForeign waits for the outstanding read. It returns false if the deadline or Interrupt has ended the wait first.
func (w *Conn) awaitForeign(f *foreignConn) bool {
	w.mu.Lock()
	set := w.set
	w.mu.Unlock()
	if set == 0 {
		return f.await()
	}
	defer time.AfterFunc(set.Since(w.Now()), w.poke).Stop()
	return f.await()
}

// setForeignResult makes at most limit bytes of the read that has ended, or its error, the result of Read.
func (w *Conn) setForeignResult(f *foreignConn, limit int) {
	w.rn = int32(min(limit, f.to-f.from))
	if f.from+int(w.rn) < f.to {
		return // the error comes after the rest
	}
	err := f.err
	f.err = nil
	w.rerr = w.judge(int(w.rn), err)
}

// tryForeign is TryRead for a foreign connection.
func (w *Conn) tryForeign() {
	w.rn = 0
	f := w.ext.foreign
	f.begin()
	if !f.hasResult() {
		w.lookInTime(f.awaitUntil)
	}
	if f.hasResult() {
		w.setForeignResult(f, ChunkSize)
	}
	if isTimeout(w.rerr) {
		w.rerr = nil
	}
}

// awaitEnd waits for the outstanding read after the connection was closed. A close ends a read, as net.Conn says. If it does not, awaitEnd gives
// up after endGrace.
func (f *foreignConn) awaitEnd() {
	if f.outstanding && f.awaitUntil(f.w.Now().After(endGrace)) {
		f.consume(f.to - f.from)
	}
}

// await waits for the outstanding read or for a poke, and reports whether the read has ended.
func (f *foreignConn) await() bool {
	if !f.done.Load() {
		<-f.w.ext.woken
	}
	if !f.done.Load() {
		return false
	}
	f.finish()
	return true
}

// awaitUntil waits for the outstanding read, however often it is poked, and reports whether that has ended.
func (f *foreignConn) awaitUntil(until Moment) bool {
	defer time.AfterFunc(until.Since(f.w.Now()), f.w.poke).Stop()
	for !f.await() {
		if f.w.Now() >= until {
			return false
		}
	}
	return true
}

// write writes b. limit is the time until its deadline. Zero: there is none. ended reports whether the caller has given up. write calls it
// after f.writes has become odd, so that either write sees that end or closeIfLate sees the write.
func (f *foreignConn) write(b []byte, limit time.Duration, ended func() bool) (int, error) {
	seq := f.writes.Add(1)
	defer f.writes.Add(1)
	if ended() {
		return 0, errDeadline
	}
	if limit > 0 {
		defer f.closeUnlessDone(seq, limit+endGrace).Stop()
	}
	n, err := f.nc.Write(b)
	if err != nil && f.killed.Load() {
		err = errDeadline
	}
	return n, err
}

// closeIfLate closes the connection after endGrace if the Write that goes on now does not end.
func (f *foreignConn) closeIfLate() {
	if seq := f.writes.Load(); seq%2 != 0 {
		f.closeUnlessDone(seq, endGrace)
	}
}

// closeUnlessDone closes the connection after d if the Write with the number seq still goes on.
func (f *foreignConn) closeUnlessDone(seq uint32, d time.Duration) *time.Timer {
	return time.AfterFunc(d, func() {
		if f.writes.Load() == seq {
			f.killed.Store(true)
			_ = f.nc.Close()
		}
	})
}

// setWriteDeadline calls closeIfLate at t. Conn.mu is held.
func (f *foreignConn) setWriteDeadline(t time.Time) {
	if f.due != nil {
		f.due.Stop()
		f.due = nil
	}
	if !t.IsZero() {
		f.due = time.AfterFunc(time.Until(t), f.closeIfLate)
	}
}
