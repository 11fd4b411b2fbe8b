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
	// smallRead is the buffer of a read that may wait for long.
	smallRead = 1 << 10
	// flowTime is how long a read with a large buffer waits. Then a read with a small buffer takes its place.
	flowTime = 10 * time.Millisecond
	// obeyTime is how long a Write may go on after its deadline. Then the connection is closed: its deadlines do nothing.
	obeyTime = 500 * time.Millisecond
)

var smallBuffers = sync.Pool{New: func() any { return new([smallRead]byte) }}

// A foreign is a connection on which only Read can wait. Its deadlines may do nothing. They may also break it: a deadline that
// passes during a handshake of crypto/tls does. So a goroutine calls Read, and the reader waits for that goroutine. The
// goroutine exists while one read is outstanding. If the reader is interrupted, the read goes on, and its result is kept for the
// next Read.
type foreign struct {
	w    *Conn
	nc   net.Conn
	done atomic.Bool // the outstanding read has ended

	// Used by the reader:
	outstanding bool
	full        bool             // the last read has filled its buffer
	small       *[smallRead]byte // the buffer in use; nil: none, or large is
	large       *[ChunkSize]byte // the buffer in use; nil: none, or small is
	from        int              // where the bytes begin that nobody has taken

	// Used by the goroutine while a read is outstanding, and by the reader otherwise. So are small and large.
	to  int // where they end
	err error

	writes atomic.Uint32 // odd while a Write goes on
	due    *time.Timer   // the deadline of what Raw returned, if one is set; under Conn.mu
	killed atomic.Bool   // the connection was closed because a Write went on after its deadline
}

// begin starts a read, unless one is outstanding, or something of its result is left.
func (f *foreign) begin() {
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

// readSmall and readLarge run in the goroutine. Little stands on its stack while it waits.
func (f *foreign) readSmall() {
	defer f.end()
	f.to, f.err = f.nc.Read(f.small[:])
}

// readLarge reads with a large buffer while bytes flow. No other read has a deadline. Here it breaks no handshake, because bytes have
// come before.
func (f *foreign) readLarge() {
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
func (f *foreign) end() {
	if p := recover(); p != nil {
		f.to, f.err = 0, &Panic{Value: p, Stack: debug.Stack()}
	}
	f.done.Store(true)
	f.w.poke()
}

// A Panic is the panic of a connection's Read or Write.
type Panic struct {
	// Value is what it panicked with.
	Value any
	// Stack is where, as debug.Stack prints it.
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("connection panicked: %v", p.Value) }

// hasResult reports whether something can be taken now.
func (f *foreign) hasResult() bool { return !f.outstanding && (f.to > f.from || f.err != nil) }

// ended takes the result of the outstanding read. It also takes a poke of Interrupt, which has set w.wake too: the reader sees that before
// it waits again.
func (f *foreign) ended() {
	select {
	case <-f.w.ext.woken:
	default:
	}
	f.outstanding = false
	f.done.Store(false)
	f.full = f.small != nil && f.to == smallRead || f.large != nil && f.to == ChunkSize
}

// got returns the next n bytes that nobody has taken.
func (f *foreign) got(n int) []byte {
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

// taken notes that the next n bytes were taken. If none is left, it gives the buffer back.
func (f *foreign) taken(n int) {
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
func (w *Conn) readForeign(most int) {
	w.rn = 0
	f := w.ext.foreign
	f.begin()
	if !f.hasResult() && !w.awaitForeign(f) {
		w.rerr = errDeadline
		return
	}
	w.takeForeign(f, most)
}

// awaitForeign waits for the outstanding read. It returns false if the deadline or Interrupt has ended the wait first.
func (w *Conn) awaitForeign(f *foreign) bool {
	w.mu.Lock()
	set := w.set
	w.mu.Unlock()
	if set == 0 {
		return f.await()
	}
	defer time.AfterFunc(set.Since(w.Now()), w.poke).Stop()
	return f.await()
}

// takeForeign makes at most most bytes of the read that has ended, or its error, the result of Read.
func (w *Conn) takeForeign(f *foreign, most int) {
	w.rn = int32(min(most, f.to-f.from))
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
		w.takeForeign(f, ChunkSize)
	}
	if isTimeout(w.rerr) {
		w.rerr = nil
	}
}

// awaitEnd waits for the outstanding read after the connection was closed. A close ends a read, as net.Conn says. awaitEnd
// gives up after obeyTime if it does not.
func (f *foreign) awaitEnd() {
	if f.outstanding && f.awaitUntil(f.w.Now().After(obeyTime)) {
		f.taken(f.to - f.from)
	}
}

// await waits for the outstanding read or for a poke, and reports whether the read has ended.
func (f *foreign) await() bool {
	if !f.done.Load() {
		<-f.w.ext.woken
	}
	if !f.done.Load() {
		return false
	}
	f.ended()
	return true
}

// awaitUntil waits for the outstanding read, however often it is poked, and reports whether that has ended.
func (f *foreign) awaitUntil(until Moment) bool {
	defer time.AfterFunc(until.Since(f.w.Now()), f.w.poke).Stop()
	for !f.await() {
		if f.w.Now() >= until {
			return false
		}
	}
	return true
}

// write writes b. limit is the time until its deadline; 0: there is none. ended reports whether the write was given up. It is
// asked after f.writes has become odd: either write sees that it was given up, or obey sees the write.
func (f *foreign) write(b []byte, limit time.Duration, ended func() bool) (int, error) {
	seq := f.writes.Add(1)
	defer f.writes.Add(1)
	if ended() {
		return 0, errDeadline
	}
	if limit > 0 {
		defer f.closeUnlessOver(seq, limit+obeyTime).Stop()
	}
	n, err := f.nc.Write(b)
	if err != nil && f.killed.Load() {
		err = errDeadline
	}
	return n, err
}

// obey closes the connection if the Write that goes on does not end although its deadline has passed.
func (f *foreign) obey() {
	if seq := f.writes.Load(); seq%2 != 0 {
		f.closeUnlessOver(seq, obeyTime)
	}
}

// closeUnlessOver closes the connection after d if the Write with the number seq still goes on.
func (f *foreign) closeUnlessOver(seq uint32, d time.Duration) *time.Timer {
	return time.AfterFunc(d, func() {
		if f.writes.Load() == seq {
			f.killed.Store(true)
			_ = f.nc.Close()
		}
	})
}

// setWriteDeadline has a Write that goes on after t obey. Conn.mu is held.
func (f *foreign) setWriteDeadline(t time.Time) {
	if f.due != nil {
		f.due.Stop()
		f.due = nil
	}
	if !t.IsZero() {
		f.due = time.AfterFunc(time.Until(t), f.obey)
	}
}
