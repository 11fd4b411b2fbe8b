package duet

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// Raw takes over the bytes of the conversation: the handler reads and
// writes them itself, and Send and Receive return ErrRaw from then on. What was
// read ahead comes first; whole messages that wait to be received come in their framing's own form.
// Raw waits until what was posted has been sent. If Raw fails, it has taken nothing over.
//
// When the handler returns, the conversation is half-closed, drained and closed as any
// other; it need not close what Raw returned. To have it end for a reason of its own, a handler
// returns an [*Error] with that Reason.
func (c *Conn) Raw() (net.Conn, error) {
	if c.rawWanted.Swap(true) {
		return nil, c.error("raw", ErrRaw)
	}
	c.stopReceiving()
	defer c.recv.mu.Unlock()
	if c.closing.Load() {
		c.rawWanted.Store(false)
		return nil, c.error("raw", ErrClosed)
	}
	if err := c.awaitWriter(); err != nil && !c.wire.isLost() {
		c.rawWanted.Store(false)
		return nil, err
	}
	rest := c.readAhead()
	if c.set.budget != nil {
		c.countReceived()
	}
	lost := !c.wire.detach()
	for lost {
		b, err := c.remaining(nil, nil)
		if rest = append(rest, b...); err != nil {
			break
		}
	}
	d := &c.recv.dl
	d.mu.Lock()
	if d.set != 0 {
		_ = c.wire.nc.SetReadDeadline(time.Time{})
	}
	d.wake, d.set = false, 0
	d.mu.Unlock()
	c.rawTaken.Store(true)
	if EndReason(c.stopped.Load()) != EndNone {
		c.interrupt()
		_ = c.wire.nc.SetWriteDeadline(longAgo)
	}
	t := &c.set.trace
	if c.set.throttle != nil {
		return &heldConn{rawConn: rawConn{Conn: c.wire.nc, c: c, ahead: rest}}, nil
	}
	if len(rest) == 0 && !lost && t.Read == nil && t.Wrote == nil && t.HalfClosed == nil {
		return c.wire.nc, nil // the system can copy it by itself
	}
	return &rawConn{Conn: c.wire.nc, c: c, ahead: rest}, nil
}

// readAhead takes out what was read and not received.
func (c *Conn) readAhead() []byte {
	r := &c.recv
	var b []byte
	c.out.mu.Lock() // Append belongs to who sends
	defer c.out.mu.Unlock()
	for ; r.head < len(r.queue); r.head++ {
		if m := r.queue[r.head]; !m.Partial {
			// It came out of this codec, so that it can go back into one.
			if w, err := r.codec.Append(b, m.Body); err == nil {
				b = w
			}
		}
	}
	r.queue, r.head = nil, 0
	return append(b, r.codec.Rest()...)
}

// Stopped tells with which ending somebody else wants the conversation to end: EndShutdown, or EndKicked for one;
// EndNone while nobody does. A handler that has the bytes from Raw asks it when a deadline has passed that it did
// not set itself.
func (c *Conn) Stopped() EndReason { return EndReason(c.stopped.Load()) }

// CountRaw adds bytes that a handler has read and written itself, to Stats.
func (c *Conn) CountRaw(in, out int64) {
	c.bytesIn.Add(in)
	c.bytesOut.Add(out)
}

// rawConn gives what was read ahead first, and tells the trace of every call.
type rawConn struct {
	net.Conn
	c     *Conn
	ahead []byte // one reader
}

func (r *rawConn) Read(p []byte) (int, error) {
	if len(r.ahead) > 0 {
		n := copy(p, r.ahead)
		r.ahead = r.ahead[n:]
		return n, nil
	}
	n, err := r.read(p)
	again := errors.Is(err, io.EOF) && r.c.rawEOF.Swap(true)
	if !again && !errors.Is(err, os.ErrDeadlineExceeded) {
		r.c.traceRead(n, err)
	}
	return n, err
}

// read reads from the connection, unless that was lost before Raw took it over.
func (r *rawConn) read(p []byte) (int, error) {
	if r.c.wire.isLost() {
		return 0, r.c.rarely().remains.err
	}
	return r.Conn.Read(p)
}

// AwaitRead waits until a Read would not wait, or the deadline for reading has passed: whoever copies from here needs no buffer
// while the peer is silent. Where that cannot be known it returns at once. The error is one that Read would have as well.
func (r *rawConn) AwaitRead() error {
	if len(r.ahead) > 0 || r.c.wire.isLost() {
		return nil
	}
	return r.c.wire.awaitRead()
}

// SyscallConn gives the connection's descriptor, to be asked about it. What is read and written by it is not seen by the trace.
func (r *rawConn) SyscallConn() (syscall.RawConn, error) {
	if r.c.wire.rc == nil || r.c.wire.isLost() {
		return nil, errors.ErrUnsupported
	}
	return r.c.wire.rc, nil
}

func (r *rawConn) Write(p []byte) (int, error) {
	if r.c.wire.isLost() {
		return 0, r.c.rarely().remains.send
	}
	n, err := r.Conn.Write(p)
	r.c.traceWrote(n, err)
	return n, err
}

// SetLinger lets a handler end with a reset, where the connection can.
func (r *rawConn) SetLinger(sec int) error {
	l, ok := r.Conn.(interface{ SetLinger(sec int) error })
	if !ok {
		return nil
	}
	err := l.SetLinger(sec)
	if f := r.c.set.trace.Reset; f != nil && sec == 0 {
		f(r.c, err)
	}
	return err
}

// CloseWrite half-closes, where the connection can.
func (r *rawConn) CloseWrite() error {
	return r.c.halfClose()
}
