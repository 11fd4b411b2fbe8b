package wire

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// ChunkSize is how many bytes one read takes at most.
const ChunkSize = 64 << 10

// chunks holds read buffers that no connection uses now.
var chunks = sync.Pool{New: func() any { return new([ChunkSize]byte) }}

// Chunk returns a buffer of [ChunkSize] bytes from a pool. [FreeChunk] takes it back.
func Chunk() *[ChunkSize]byte { return chunks.Get().(*[ChunkSize]byte) }

// FreeChunk takes back a buffer that [Chunk] returned. Nobody may use it any more.
func FreeChunk(b *[ChunkSize]byte) { chunks.Put(b) }

// An awaiter is a connection that can be waited on without a buffer. AwaitRead returns when a Read would return without
// waiting, or when the read deadline has passed.
type awaiter interface{ AwaitRead() error }

// A Gate says how many bytes may be read at this moment. The goroutine that reads calls it.
type Gate interface {
	// Allowance returns how many bytes may be read now. Zero: none until Interrupt is called.
	Allowance() int
	// IsHeld reports whether the reader knows that it may read nothing. If it does not know, Read returns without bytes, so that the
	// reader finds out.
	IsHeld() bool
}

// A Conn reads and writes one net.Conn. One goroutine reads and one writes at a time. Any goroutine may call Interrupt, Abandon,
// Close, Lose and the methods that only ask.
type Conn struct {
	nc    net.Conn        // knows its addresses also after the end
	rc    syscall.RawConn // nil: it is not a socket of the system, or cannot be read this way
	began time.Time

	readFn func(fd uintptr) bool // reads from the descriptor of a socket; false: wait
	buf    *[ChunkSize]byte      // what the last read has filled, until Done; nil for a foreign connection
	rn     int32                 // before a read, how many bytes it may take; after it, how many it took
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
	unknown             // only Read waits
)

// The bits of a connection's state.
const (
	stateReading  = 1 << iota // the reader is at the connection
	stateLost                 // the connection has failed
	stateDetached             // a failure is no longer looked for
	stateHopeless             // Abandon was called
	stateStray                // the last read gave a timeout that nobody had asked for
	stateReset                // Close is to reset
	stateEnding               // SetEnding was called
)

// An extension holds state that few connections need. Conn.mu guards its pointers.
type extension struct {
	woken   chan struct{} // Interrupt sends to it; capacity 1; nil until Sleep, unless kind is unknown
	foreign *foreign      // not nil if kind is unknown
	raw     *RawConn      // not nil after Raw
}

// Init makes w ready. gate may be nil: then any number of bytes may be read.
func (w *Conn) Init(nc net.Conn, gate Gate) {
	w.nc, w.began, w.kind = nc, time.Now(), unknown
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
	w.ext = &extension{woken: make(chan struct{}, 1), foreign: &foreign{w: w, nc: nc}}
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

// IsSocket reports whether the connection is a socket of the system, which can be asked and tried without waiting.
func (w *Conn) IsSocket() bool { return w.rc != nil }

// IsInMemory reports whether both ends are in this process, so that a close destroys nothing that is on its way.
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

// HalfClose ends the sending direction (FIN). possible is false, and nothing happens, if the connection has no such thing.
func (w *Conn) HalfClose() (possible bool, err error) {
	hc, ok := w.nc.(halfCloser)
	if !ok {
		return false, nil
	}
	return true, hc.CloseWrite()
}

// ResetOnClose makes the close that follows a reset. possible is false if the connection has no such thing.
func (w *Conn) ResetOnClose() (possible bool, err error) { return w.setLinger(0) }

// A resetter is a connection that is reset by a call in place of Close.
type resetter interface{ Reset() error }

// setLinger is that of net.TCPConn. For a resetter, zero seconds have Close call Reset. possible is false if the connection has
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

// A layered connection stands on another one, which NetConn returns; *tls.Conn does.
type layered interface{ NetConn() net.Conn }

// Close closes the connection as it is, with a reset after ResetOnClose. Reads and writes that wait fail.
func (w *Conn) Close() error {
	defer w.poke()
	if v, ok := w.nc.(layered); ok && w.IsAbandoned() {
		_ = v.NetConn().Close() // otherwise crypto/tls would wait 5 s for a peer that takes nothing
	}
	if w.state.Load()&stateReset != 0 {
		return w.nc.(resetter).Reset()
	}
	return w.nc.Close()
}

// AwaitEnd waits until the read that Close has ended is over. The goroutine that reads calls it, after Close.
func (w *Conn) AwaitEnd() {
	if w.kind == unknown {
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

// Detach comes before Raw and before the close of the connection: a failure after it does not make the connection lost. It
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

// Lose notes that the connection has failed. first is false if that was known, or after Detach. reading reports whether the
// reader is at the connection; it will see the failure itself.
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
func (w *Conn) IsAbandoned() bool { return w.state.Load()&stateHopeless != 0 }

// SetEnding notes that nothing new is sent for long: from now on a Write waits for at most three times its timeout, however often the
// peer makes room.
func (w *Conn) SetEnding() { w.state.Or(stateEnding) }

// IsEnding reports whether SetEnding was called.
func (w *Conn) IsEnding() bool { return w.state.Load()&stateEnding != 0 }

// isTimeout reports whether err says that a deadline has passed.
func isTimeout(err error) bool { return errors.Is(err, errDeadline) }
