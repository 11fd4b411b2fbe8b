// Package wire owns the bytes and both deadlines of one connection. Nothing else sets a deadline on it.
//
// It knows three ways to wait for bytes. It reads a socket of the system (exactly *net.TCPConn or *net.UnixConn) when the socket is
// readable, so that no buffer is held during the wait. It waits for a connection with an AwaitRead method by that method, again without a
// buffer. It reads any other connection in a goroutine, which exists while one read is outstanding. That goroutine holds a small
// buffer, and no read deadline is ever set on the connection.
//
// The package must not know messages and conversations. Read [Conn] first, then [RawConn].
package wire

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// ChunkSize is the most that one read returns.
const ChunkSize = 64 << 10

// chunks holds read buffers that no connection uses.
var chunks = sync.Pool{New: func() any { return new([ChunkSize]byte) }}

// Chunk returns a buffer of [ChunkSize] bytes from a pool. [FreeChunk] takes it back.
func Chunk() *[ChunkSize]byte { return chunks.Get().(*[ChunkSize]byte) }

// FreeChunk puts a buffer of [Chunk] back into the pool. The caller must not use it any more.
func FreeChunk(b *[ChunkSize]byte) { chunks.Put(b) }

// An awaiter is a connection that can be waited on without a buffer. AwaitRead returns when a Read would return without
// waiting, or when the read deadline has passed.
type awaiter interface{ AwaitRead() error }

// A Gate limits how many bytes may be read. The goroutine that reads calls it.
type Gate interface {
	// Allowance returns how many bytes may be read now. Zero: none until Interrupt is called.
	Allowance() int
	// IsHeld reports whether the reader knows that it may read nothing. If it does not know, Read returns without bytes, so that the
	// reader finds out.
	IsHeld() bool
}

// A Conn reads and writes one net.Conn. One goroutine reads and one writes at a time. Any goroutine may call Interrupt, Abandon,
// Close, Lose, and the methods that only report a state.
type Conn struct {
	nc    net.Conn        // its addresses stay known after the end
	rc    syscall.RawConn // nil if nc is no socket of the system, or cannot be read by its descriptor
	began time.Time

	readFn func(fd uintptr) bool // reads from the descriptor of a socket; it returns false if the poller must wait
	buf    *[ChunkSize]byte      // the bytes of the last read, until Done; nil for a foreign connection
	rn     int32                 // before a read, the limit of its bytes; after it, the number of its bytes
	state  atomic.Uint32         // of the bits below
	rerr   error                 // the error of the last read

	mu   sync.Mutex // guards set, wake and ext
	set  Moment     // the read deadline; 0: none
	wake bool       // Interrupt was called since the last Arm
	kind kind       // does not change after Init
	ext  *extension // nil for most
}

// A kind is a way to wait for bytes.
type kind uint8

const (
	socket  kind = iota // by its descriptor
	awaited             // with AwaitRead
	foreign             // only Read waits
)

// The bits of a connection's state.
const (
	stateReading   = 1 << iota // the reader is at the connection
	stateLost                  // the connection has failed
	stateDetached              // Detach was called
	stateAbandoned             // Abandon was called
	stateStray                 // the last read returned a timeout although no deadline had passed
	stateReset                 // Close resets the connection
	stateEnding                // SetEnding was called
)

// An extension holds state that few connections need. Conn.mu guards its pointers.
type extension struct {
	woken   chan struct{} // Interrupt sends to it; capacity 1; nil until Sleep, unless kind is foreign
	foreign *foreignConn  // not nil if kind is foreign
	raw     *RawConn      // not nil after Raw
}

// Init makes w ready. A nil gate sets no limit.
func (w *Conn) Init(nc net.Conn, gate Gate) {
	w.nc, w.began, w.kind = nc, time.Now(), foreign
	switch v := nc.(type) {
	case *net.TCPConn:
		w.useSocket(v, gate)
	case *net.UnixConn:
		w.useSocket(v, gate)
	}
	if w.kind == socket {
		return
	}
	if _, ok := nc.(awaiter); ok {
		w.kind = awaited
		return
	}
	w.ext = &extension{woken: make(chan struct{}, 1), foreign: &foreignConn{w: w, nc: nc}}
}

// extend returns the extension. mu is held.
func (w *Conn) extend() *extension {
	if w.ext == nil {
		w.ext = new(extension)
	}
	return w.ext
}

// RemoteAddr returns the peer's address, also after the end.
func (w *Conn) RemoteAddr() net.Addr { return w.nc.RemoteAddr() }

// LocalAddr returns this side's address, also after the end.
func (w *Conn) LocalAddr() net.Addr { return w.nc.LocalAddr() }

// Descriptor returns the socket of the system, nil if there is none.
func (w *Conn) Descriptor() syscall.RawConn { return w.rc }

// IsSocket reports whether the connection is a socket of the system, so that TryRead and TryWrite do not wait.
func (w *Conn) IsSocket() bool { return w.rc != nil }

// IsInMemory reports whether both ends are in this process. A close of such a connection loses no bytes that are on their way.
func (w *Conn) IsInMemory() bool {
	n := network(w.nc)
	return n == "pipe" || n == "memory"
}

// A halfCloser is a connection whose sending direction can be closed alone.
type halfCloser interface{ CloseWrite() error }

// CanHalfClose reports whether HalfClose is possible.
func (w *Conn) CanHalfClose() bool {
	_, ok := w.nc.(halfCloser)
	return ok
}

// HalfClose ends the sending direction (FIN). It does nothing, and possible is false, if the connection cannot do that.
func (w *Conn) HalfClose() (possible bool, err error) {
	hc, ok := w.nc.(halfCloser)
	if !ok {
		return false, nil
	}
	return true, hc.CloseWrite()
}

// ResetOnClose turns the close that follows into a reset. possible is false if the connection cannot do that.
func (w *Conn) ResetOnClose() (possible bool, err error) { return w.setLinger(0) }

// A resetter is a connection that is reset by a call in place of Close.
type resetter interface{ Reset() error }

// setLinger calls SetLinger of the connection. For a resetter, after zero seconds Close calls Reset. possible is false if the connection has
// neither.
func (w *Conn) setLinger(sec int) (possible bool, err error) {
	switch v := w.nc.(type) {
	case interface{ SetLinger(sec int) error }:
		return true, v.SetLinger(sec)
	case resetter:
		if sec == 0 {
			w.state.Or(stateReset)
		}
		return true, nil
	}
	return false, nil
}

// A layered connection uses another one, which NetConn returns. An example is *tls.Conn.
type layered interface{ NetConn() net.Conn }

// Close closes the connection, with a reset after ResetOnClose. Reads and writes that wait fail.
func (w *Conn) Close() error {
	defer w.poke()
	if v, ok := w.nc.(layered); ok && w.IsAbandoned() {
		_ = v.NetConn().Close() // otherwise crypto/tls waits 5 s for a peer that does not read
	}
	if w.state.Load()&stateReset != 0 {
		return w.nc.(resetter).Reset()
	}
	return w.nc.Close()
}

// AwaitEnd waits for the end of a read that was outstanding when Close was called. The goroutine that reads calls it, after Close.
func (w *Conn) AwaitEnd() {
	if w.kind == foreign {
		w.ext.foreign.awaitEnd()
	}
}

// claim notes that the reader is at the connection. It returns false, and notes nothing, if the connection is lost.
func (w *Conn) claim() bool {
	for {
		s := w.state.Load()
		if s&stateLost != 0 {
			return false
		}
		if w.state.CompareAndSwap(s, s|stateReading) {
			return true
		}
	}
}

// release notes that the reader has left the connection.
func (w *Conn) release() { w.state.And(^uint32(stateReading)) }

// Detach is called before Raw and before the close of the connection. A failure after it does not make the connection lost. It
// returns false if the connection is lost already.
func (w *Conn) Detach() bool {
	for {
		s := w.state.Load()
		if s&stateLost != 0 {
			return false
		}
		if w.state.CompareAndSwap(s, s|stateDetached) {
			return true
		}
	}
}

// Lose notes that the connection has failed. first is false if it was lost before, or after Detach. reading reports whether the reader is at
// the connection. It will then see the failure itself.
func (w *Conn) Lose() (first, reading bool) {
	for {
		s := w.state.Load()
		if s&(stateLost|stateDetached) != 0 {
			return false, false
		}
		if w.state.CompareAndSwap(s, s|stateLost) {
			return true, s&stateReading != 0
		}
	}
}

// IsLost reports whether Lose was called.
func (w *Conn) IsLost() bool { return w.state.Load()&stateLost != 0 }

// IsAbandoned reports whether Abandon was called.
func (w *Conn) IsAbandoned() bool { return w.state.Load()&stateAbandoned != 0 }

// SetEnding limits each later Write to three times its timeout, however often the peer makes room. The conversation is about to end.
func (w *Conn) SetEnding() { w.state.Or(stateEnding) }

func (w *Conn) isEnding() bool { return w.state.Load()&stateEnding != 0 }

// isTimeout reports whether err says that a deadline has passed.
func isTimeout(err error) bool { return errors.Is(err, errDeadline) }
