package wire

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// A Tap sees what passes a [RawConn]. Its methods are called by the goroutines that use the RawConn.
type Tap interface {
	// BeforeRead waits until a Read may read. Its error is the Read's.
	BeforeRead() error
	// AfterRead is told of each Read, except of one that a deadline has ended.
	AfterRead(n int, err error)
	// AfterWrite is told of each Write.
	AfterWrite(n int, err error)
	// HalfClose ends the sending direction in place of [Conn.HalfClose].
	HalfClose() error
	// AfterReset is told that the close will be a reset.
	AfterReset(err error)
	// Sees reports whether each Read and Write must pass the tap, so that the system must not copy by itself.
	Sees() bool
	// Count adds to the numbers of bytes that were read and written. The bytes that Raw was given are not counted again.
	Count(in, out int64)
}

// A RawConn is a connection whose bytes are read and written without messages. Deadlines that are set on it go through the
// [Conn]. Its errors are those of a net.Conn. After [Conn.Reclaim] they are net.ErrClosed.
//
// One goroutine reads and one writes at a time. Any goroutine may call the other methods.
type RawConn struct {
	w   *Conn
	tap Tap // nil: nobody sees anything

	before *before       // nil for most
	lent   atomic.Uint32 // see lentToRead

	// Under Conn.mu:
	users   int32         // calls and loans that use the connection now
	left    chan struct{} // closed when users is zero again; nil if nobody waits for that
	stopped bool          // both deadlines are in the past, whatever is set
	revoked bool          // the connection was taken back
	closed  bool          // Close was called
}

// A before is what happened before Raw. The goroutine that reads uses ahead.
type before struct {
	ahead       []byte // the bytes that were read
	lost        bool   // the connection was lost, with these errors of Read and Write
	read, write error
}

// The bits of RawConn.lent: the borrower of that direction counts.
const (
	lentToRead = 1 << iota
	lentToWrite
)

// Raw gives the bytes of the connection away, to be used through the RawConn that it returns. Read returns ahead before what it reads from the
// connection. Raw is called once, by the goroutine that has the right to read, while nobody writes.
func (w *Conn) Raw(ahead []byte, tap Tap) *RawConn {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := &RawConn{w: w, tap: tap}
	if len(ahead) > 0 {
		r.before = &before{ahead: ahead}
	}
	w.extend().raw = r
	w.clearRead()
	return r
}

// RawLost is Raw for a connection that is lost: after ahead, Read returns rerr, and Write returns werr.
func (w *Conn) RawLost(ahead []byte, tap Tap, rerr, werr error) *RawConn {
	r := w.Raw(ahead, tap)
	r.before = &before{ahead, true, rerr, werr}
	return r
}

// NewRaw returns a RawConn for a connection that is used without messages from the beginning.
func NewRaw(nc net.Conn) *RawConn {
	w := new(Conn)
	w.Init(nc, nil)
	return w.Raw(nil, nil)
}

// Stop ends the reads and writes of the RawConn, and all that follow. They fail as after a close if closing is true, and otherwise
// as with a deadline in the past, which nobody can move. Stop does nothing before Raw.
func (w *Conn) Stop(closing bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.rawConn()
	if r == nil || r.stopped {
		return
	}
	r.stopped, r.closed = true, r.closed || closing
	w.interrupt()
	w.endWrite()
}

// Reclaim takes the connection back from the RawConn, whose calls return net.ErrClosed from now on. It waits at most limit for
// those that go on. If all have ended, it removes both deadlines and returns true. Otherwise the connection can only be closed.
func (w *Conn) Reclaim(limit time.Duration) bool {
	w.mu.Lock()
	r := w.ext.raw
	w.ext.raw = nil
	r.revoked = true
	w.interrupt()
	w.endWrite()
	left := make(chan struct{})
	if r.users > 0 {
		r.left = left
	} else {
		close(left)
	}
	w.mu.Unlock()
	if !waitFor(left, limit) {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clearRead()
	_ = w.nc.SetWriteDeadline(time.Time{})
	return true
}

// clearRead removes the read deadline, and forgets that Interrupt was called. mu is held.
func (w *Conn) clearRead() {
	had := w.set != 0
	w.wake, w.set = false, 0
	w.drainWoken()
	if had {
		_ = w.applyDeadline()
	}
}

// rawConn returns the RawConn that has the connection; nil if none has. mu is held.
func (w *Conn) rawConn() *RawConn {
	if w.ext == nil {
		return nil
	}
	return w.ext.raw
}

// ahead returns the bytes that were read before Raw, and not since. The goroutine that reads calls it.
func (r *RawConn) ahead() []byte {
	if r.before == nil {
		return nil
	}
	return r.before.ahead
}

// wasLost reports whether the connection was lost before Raw.
func (r *RawConn) wasLost() bool { return r.before != nil && r.before.lost }

func waitFor(c <-chan struct{}, limit time.Duration) bool {
	select {
	case <-c:
		return true
	default:
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-c:
		return true
	case <-t.C:
		return false
	}
}

// use begins a call that uses the connection. It returns false if the connection was taken back.
func (r *RawConn) use() bool {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if r.revoked {
		return false
	}
	r.users++
	return true
}

// unuse ends what use has begun.
func (r *RawConn) unuse() {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if r.users--; r.users == 0 && r.left != nil {
		close(r.left)
		r.left = nil
	}
}

// outcome returns the error of a call. A timeout becomes net.ErrClosed if Reclaim, Close or a closing Stop has ended the call.
func (r *RawConn) outcome(err error) error {
	if !isTimeout(err) {
		return err
	}
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if r.revoked || r.closed {
		return r.closedError()
	}
	return err
}

func (r *RawConn) closedError() error {
	return &net.OpError{Op: "use", Net: network(r.w.nc), Source: r.w.nc.LocalAddr(), Addr: r.w.nc.RemoteAddr(), Err: net.ErrClosed}
}

// network returns the name of the connection's network; empty if it has no address.
func network(nc net.Conn) string {
	if a := nc.LocalAddr(); a != nil {
		return a.Network()
	}
	return ""
}

// Read reads what was read before, then from the connection.
func (r *RawConn) Read(p []byte) (n int, err error) {
	if ahead := r.ahead(); len(ahead) > 0 {
		n := copy(p, ahead)
		r.before.ahead = ahead[n:]
		return n, nil
	}
	if !r.use() {
		return 0, r.closedError()
	}
	defer r.unuse()
	if r.tap != nil {
		if err := r.tap.BeforeRead(); err != nil {
			return 0, err
		}
	}
	n, err = r.read(p)
	err = r.outcome(err)
	if r.lent.Load()&lentToRead == 0 {
		r.Moved(true, int64(n))
	}
	if r.tap != nil && !isTimeout(err) {
		r.tap.AfterRead(n, err)
	}
	return n, err
}

func (r *RawConn) read(p []byte) (int, error) {
	switch {
	case r.wasLost():
		return 0, r.before.read
	case r.w.kind != foreign:
		return r.w.nc.Read(p)
	case len(p) == 0:
		return 0, nil
	case r.isDue():
		return 0, errDeadline
	}
	for {
		r.w.Read(min(len(p), ChunkSize))
		b, err := r.w.Got()
		n := copy(p, b)
		r.w.Done()
		if n > 0 || !isTimeout(err) || r.isDue() {
			return n, err
		}
	}
}

// hasEnded reports whether nothing may be read any more.
func (r *RawConn) hasEnded() bool {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	return r.endedLocked()
}

func (r *RawConn) endedLocked() bool { return r.stopped || r.revoked || r.closed }

// isDue reports whether a read need not wait any longer: it has ended, or its deadline has passed.
func (r *RawConn) isDue() bool {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	return r.endedLocked() || r.w.set != 0 && r.w.Now() >= r.w.set
}

// AwaitRead returns when a Read would return without waiting, or when the read deadline has passed: a copy needs no buffer while the peer is
// silent. If that cannot be known, it returns at once. An error is one that Read would return too.
func (r *RawConn) AwaitRead() error {
	if len(r.ahead()) > 0 || r.wasLost() {
		return nil
	}
	if !r.use() {
		return r.closedError()
	}
	defer r.unuse()
	if r.tap != nil {
		if err := r.tap.BeforeRead(); err != nil {
			return err
		}
	}
	return r.outcome(r.await())
}

func (r *RawConn) await() error {
	w := r.w
	switch w.kind {
	case socket:
		return w.awaitSocket()
	case awaited:
		return w.nc.(awaiter).AwaitRead()
	}
	f := w.ext.foreign
	for f.begin(); !f.hasResult(); {
		if r.isDue() {
			return errDeadline
		}
		w.awaitForeign(f)
	}
	return nil
}

// Write writes all of p.
func (r *RawConn) Write(p []byte) (n int, err error) {
	if !r.use() {
		return 0, r.closedError()
	}
	defer r.unuse()
	switch {
	case r.wasLost():
		return 0, r.before.write
	case r.w.kind == foreign:
		n, err = r.w.ext.foreign.write(p, 0, r.hasEnded)
	default:
		n, err = r.w.nc.Write(p)
	}
	err = r.outcome(err)
	if r.lent.Load()&lentToWrite == 0 {
		r.Moved(false, int64(n))
	}
	if r.tap != nil {
		r.tap.AfterWrite(n, err)
	}
	return n, err
}

// Close closes the connection.
func (r *RawConn) Close() error {
	r.w.mu.Lock()
	r.closed = true
	r.w.mu.Unlock()
	return r.w.Close()
}

// CloseWrite ends the sending direction. It does nothing if the connection has no such thing; see CanHalfClose.
func (r *RawConn) CloseWrite() error {
	if r.tap != nil {
		return r.tap.HalfClose()
	}
	_, err := r.w.HalfClose()
	return err
}

// CanHalfClose reports whether CloseWrite does something.
func (r *RawConn) CanHalfClose() bool { return r.w.CanHalfClose() }

// SetLinger is that of net.TCPConn, if the connection has one. Zero seconds make the close a reset.
func (r *RawConn) SetLinger(sec int) error {
	_, err := r.setLinger(sec)
	return err
}

func (r *RawConn) setLinger(sec int) (possible bool, err error) {
	possible, err = r.w.setLinger(sec)
	if possible && sec == 0 && r.tap != nil {
		r.tap.AfterReset(err)
	}
	return possible, err
}

// Reset closes the connection so that the peer sees a reset and does not take what it has for the whole. It returns false, and does
// nothing, if the connection has no such thing.
func (r *RawConn) Reset() bool {
	if possible, _ := r.setLinger(0); !possible {
		return false
	}
	_ = r.Close()
	return true
}

// LocalAddr returns this side's address.
func (r *RawConn) LocalAddr() net.Addr { return r.w.LocalAddr() }

// RemoteAddr returns the peer's address.
func (r *RawConn) RemoteAddr() net.Addr { return r.w.RemoteAddr() }

// SetDeadline sets both deadlines.
func (r *RawConn) SetDeadline(t time.Time) error {
	return errors.Join(r.SetReadDeadline(t), r.SetWriteDeadline(t))
}

// SetReadDeadline sets the deadline of reads. It does nothing after Stop.
func (r *RawConn) SetReadDeadline(t time.Time) error {
	w := r.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.stopped || r.revoked {
		return nil
	}
	w.set = 0
	if !t.IsZero() {
		w.set = w.At(t)
	}
	w.pokeLocked()
	if w.kind == foreign {
		return nil
	}
	return w.nc.SetReadDeadline(t)
}

// SetWriteDeadline sets the deadline of writes. It does nothing after Stop.
func (r *RawConn) SetWriteDeadline(t time.Time) error {
	w := r.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.stopped || r.revoked {
		return nil
	}
	if w.kind == foreign {
		w.ext.foreign.setWriteDeadline(t)
	}
	return w.nc.SetWriteDeadline(t)
}

// RawDeadline returns the read deadline of the RawConn; 0: none. over reports that its reads fail without a wait.
func (w *Conn) RawDeadline() (until Moment, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.rawConn()
	return w.set, r == nil || r.stopped || r.closed
}

// Descriptor returns the socket of the system, to be asked and not to be read or written; nil if there is none.
func (r *RawConn) Descriptor() syscall.RawConn { return r.w.rc }

// Lend lends the socket of the system to code that copies by itself, to read from it or to write to it, until GiveBack is called. The
// deadlines of r hold for it. The borrower calls Moved for the bytes of its direction, also for those that pass Read or Write. rc is nil
// if there is no socket, or if the tap has to see what passes. tcp reports whether it is a TCP socket.
func (r *RawConn) Lend(toRead bool) (rc syscall.RawConn, tcp bool) {
	if !r.isPlain() || !r.use() {
		return nil, false
	}
	r.lent.Or(loan(toRead))
	_, tcp = r.w.nc.(*net.TCPConn)
	return r.w.rc, tcp
}

// GiveBack ends a loan. It is called once for each.
func (r *RawConn) GiveBack(toRead bool) {
	r.lent.And(^loan(toRead))
	r.unuse()
}

// Moved counts n bytes that a borrower has read or written.
func (r *RawConn) Moved(in bool, n int64) {
	switch {
	case r.tap == nil || n <= 0:
	case in:
		r.tap.Count(n, 0)
	default:
		r.tap.Count(0, n)
	}
}

// loan returns the bit of RawConn.lent for a direction.
func loan(toRead bool) uint32 {
	if toRead {
		return lentToRead
	}
	return lentToWrite
}

// isPlain reports whether all bytes that are still to be read come from the socket, and nobody has to see them.
func (r *RawConn) isPlain() bool {
	return r.w.rc != nil && len(r.ahead()) == 0 && !r.wasLost() && (r.tap == nil || !r.tap.Sees())
}

// WriteTo copies to dst until the end. The system copies by itself if it can.
func (r *RawConn) WriteTo(dst io.Writer) (int64, error) {
	var before int64
	if ahead := r.ahead(); len(ahead) > 0 && (r.tap == nil || !r.tap.Sees()) {
		k, err := dst.Write(ahead)
		r.before.ahead = ahead[k:]
		if before = int64(k); err != nil {
			return before, err
		}
	}
	t, ok := r.w.nc.(*net.TCPConn)
	if !ok || !r.isPlain() || !canCopy(dst) {
		n, err := io.Copy(dst, struct{ io.Reader }{r})
		return before + n, err
	}
	if !r.use() {
		return before, r.closedError()
	}
	defer r.unuse()
	moved := func(n int64) { r.Moved(true, n) }
	if o, ok := dst.(*RawConn); ok && o.isPlain() && o.use() {
		defer o.unuse()
		dst = o.w.nc
		moved = func(n int64) {
			r.Moved(true, n)
			o.Moved(false, n)
		}
	}
	n, err := inPieces(dst, t, moved)
	return before + n, r.outcome(err)
}

// ReadFrom copies from src until its end. The system copies by itself if it can.
func (r *RawConn) ReadFrom(src io.Reader) (int64, error) {
	t, ok := r.w.nc.(*net.TCPConn)
	if !ok || !r.isPlain() || !r.use() {
		return io.Copy(struct{ io.Writer }{r}, src)
	}
	defer r.unuse()
	n, err := inPieces(t, src, func(n int64) { r.Moved(false, n) })
	return n, r.outcome(err)
}

// canCopy reports whether the system may be able to copy to dst.
func canCopy(dst io.Writer) bool {
	switch dst.(type) {
	case io.ReaderFrom, *net.UnixConn:
		return true
	}
	return false
}

// The pieces in which the system copies by itself. They double from firstPiece to lastPiece, so that at least half of the bytes are
// counted already, or all but 1 MiB.
const (
	firstPiece = 4 << 10
	lastPiece  = 1 << 20
)

// inPieces copies until the end of src, and calls moved after each piece. Package net knows no limit for a copy to a unix socket: that is one
// piece.
func inPieces(dst io.Writer, src io.Reader, moved func(n int64)) (total int64, err error) {
	if _, ok := dst.(*net.UnixConn); ok {
		total, err = io.Copy(dst, src)
		moved(total)
		return total, err
	}
	for piece := int64(firstPiece); ; piece = min(2*piece, lastPiece) {
		n, err := io.Copy(dst, &io.LimitedReader{R: src, N: piece})
		moved(n)
		if total += n; err != nil || n < piece {
			return total, err
		}
	}
}

var (
	_ net.Conn      = (*RawConn)(nil)
	_ io.ReaderFrom = (*RawConn)(nil)
	_ io.WriterTo   = (*RawConn)(nil)
)
