package duet

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// chunk is how many bytes one read takes at the most.
const chunk = 64 << 10

// piece is how much a connection without a descriptor writes at once. What it does with a
// part of that cannot be seen, so the peer has to take a piece while patience lasts.
const piece = 16 << 10

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// chunks holds read buffers while no conversation has bytes for them.
var chunks = sync.Pool{New: func() any { return new([chunk]byte) }}

// A wire reads and writes a net.Conn so that a conversation that waits holds no
// buffer: where the connection has a descriptor, the buffer is taken from the pool only
// when there is something to read, and given back when there was nothing
// (performance.md, rule 2). It has one reader and one writer at a time.
type wire struct {
	nc net.Conn        // knows its addresses also after the end
	rc syscall.RawConn // nil: no descriptor, or none that can be read this way

	readFn func(fd uintptr) bool
	buf    *[chunk]byte  // set by readFn, only between a read and done
	rn     int32         // how many bytes a read may take, and has taken
	state  atomic.Uint32 // of the bits below
	rerr   error
}

// The bits of a wire's state.
const (
	wireReads    = 1 << iota // the reader is at the connection
	wireLost                 // the connection has failed: Conn.remains has what it left
	wireDetached             // that it fails is not looked for any more
	wireHopeless             // giveUp was called
)

// A writing is one write. It is not part of the wire, because an idle conversation writes nothing.
type writing struct {
	*wire
	ready    func(fd uintptr) bool // writeReady of this writing
	once     func(fd uintptr)      // writeOnce of it
	out      []byte
	n        int
	err      error
	ctx      context.Context
	patience time.Duration // how long the peer may not read; 0: for ever
	waited   bool          // await was called
	mark     int           // n when patience began
	stop     func() bool
	expired  chan struct{} // closed when ctx has ended and set the deadline
}

// writings holds those that nobody needs now.
var writings = sync.Pool{New: func() any {
	w := new(writing)
	w.ready, w.once = w.writeReady, w.writeOnce
	return w
}}

func (w *wire) init(nc net.Conn) {
	w.nc = nc
	w.initRaw()
}

// read waits for bytes, at most most, which got returns. It is split in two because what stands on the
// stack across the wait is paid for by every idle conversation.
func (w *wire) read(most int) {
	w.rn, w.rerr = int32(most), nil
	if !w.claim() {
		w.rn = 0
		return
	}
	if w.rc == nil {
		w.buf = chunks.Get().(*[chunk]byte)
		var n int
		n, w.rerr = w.nc.Read(w.buf[:most])
		w.rn = int32(n)
	} else if err := w.rc.Read(w.readFn); err != nil {
		w.rerr = err
	}
	w.release()
}

// claim begins to read; false where the connection is lost.
func (w *wire) claim() bool {
	for {
		s := w.state.Load()
		if s&wireLost != 0 {
			return false
		}
		if w.state.CompareAndSwap(s, s|wireReads) {
			return true
		}
	}
}

// release ends to read.
func (w *wire) release() { w.state.And(^uint32(wireReads)) }

// detach leaves the connection to Raw or to its close: if it fails from now on, it is not lost. False if it is lost.
func (w *wire) detach() bool {
	for {
		s := w.state.Load()
		if s&wireLost != 0 {
			return false
		}
		if w.state.CompareAndSwap(s, s|wireDetached) {
			return true
		}
	}
}

// loseIt notes that the connection has failed. first is false if that was known, or the wire is detached. reads
// says that the reader is at the connection, and will see it.
func (w *wire) loseIt() (first, reads bool) {
	for {
		s := w.state.Load()
		if s&(wireLost|wireDetached) != 0 {
			return false, false
		}
		if w.state.CompareAndSwap(s, s|wireLost) {
			return true, s&wireReads != 0
		}
	}
}

func (w *wire) isLost() bool { return w.state.Load()&wireLost != 0 }

func (w *wire) isHopeless() bool { return w.state.Load()&wireHopeless != 0 }

// got returns what the last read or try has found. The bytes are valid until done.
func (w *wire) got() ([]byte, error) {
	if w.buf == nil {
		return nil, w.rerr
	}
	return w.buf[:w.rn], w.rerr
}

// try returns the bytes that are there without waiting, none if there are none.
// Where the connection has no descriptor it never finds any.
func (w *wire) try() ([]byte, error) {
	if w.rc == nil {
		return nil, nil
	}
	w.rn, w.rerr = chunk, nil
	if !w.claim() {
		w.rn = 0
		return nil, nil
	}
	if err := w.rc.Control(func(fd uintptr) { w.readReady(fd) }); err != nil {
		w.rerr = err
	}
	w.release()
	return w.got()
}

// done gives the buffer of the last read back.
func (w *wire) done() {
	if w.buf != nil {
		chunks.Put(w.buf)
		w.buf = nil
	}
}

// write hands all of b to the system. Each time the peer makes room, it has
// patience again to make more; when it does not, os.ErrDeadlineExceeded. When ctx
// ends first, its error; the count says whether bytes had left before.
func (w *wire) write(ctx context.Context, b []byte, patience time.Duration) (n int, err error) {
	o := writings.Get().(*writing)
	o.wire, o.ctx, o.out, o.patience = w, ctx, b, patience
	if w.rc == nil {
		err = o.plain()
	} else if err = w.rc.Write(o.ready); err == nil {
		err = o.err
	}
	if o.waited {
		err = o.release(err)
	}
	n = o.n
	*o = writing{ready: o.ready, once: o.once}
	writings.Put(o)
	return n, err
}

// tryWrite hands as much of b to the system as it takes without waiting. There must be a descriptor. Nobody else may write
// meanwhile: RawConn.Write would see to that, and make ready for a wait, which costs a tenth of a line to a thousand.
func (w *wire) tryWrite(b []byte) (n int, err error) {
	o := writings.Get().(*writing)
	o.wire, o.out = w, b
	if err = w.rc.Control(o.once); err == nil {
		err = o.err
	}
	n = o.n
	*o = writing{ready: o.ready, once: o.once}
	writings.Put(o)
	return n, err
}

// plain writes to a connection without a descriptor.
func (w *writing) plain() error {
	for w.n < len(w.out) {
		if err := w.await(); err != nil {
			return err
		}
		n, err := w.nc.Write(w.out[w.n:min(len(w.out), w.n+piece)])
		w.n += n
		if err != nil {
			return err
		}
	}
	return nil
}

// giveUp ends a write that waits, and all that follow. Any goroutine may call it.
func (w *wire) giveUp() {
	w.state.Or(wireHopeless)
	_ = w.nc.SetWriteDeadline(longAgo)
}

// await makes ready for waiting until the peer makes room. The deadline and the
// watch over ctx are set up only here: a write that need not wait costs neither.
func (w *writing) await() error {
	if w.patience > 0 && (!w.waited || w.n > w.mark) {
		_ = w.nc.SetWriteDeadline(time.Now().Add(w.patience))
		w.mark = w.n
	}
	if !w.waited && w.ctx.Done() != nil {
		w.expired = make(chan struct{})
		w.stop = context.AfterFunc(w.ctx, func() {
			_ = w.nc.SetWriteDeadline(longAgo)
			close(w.expired)
		})
	}
	w.waited = true
	// After the deadline was set: what comes later sets it to the past again.
	if w.isHopeless() {
		return os.ErrDeadlineExceeded
	}
	return w.ctx.Err()
}

// release undoes await and gives the cause of err.
func (w *writing) release(err error) error {
	if w.stop != nil && !w.stop() {
		<-w.expired
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = w.ctx.Err()
		}
	}
	_ = w.nc.SetWriteDeadline(time.Time{})
	return err
}
