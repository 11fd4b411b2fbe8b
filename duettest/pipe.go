package duettest

import (
	"errors"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"time"
)

// DefaultBuffer is how many bytes a pair made by [Pipe] holds in each direction.
const DefaultBuffer = 64 << 10

// address is a net.Addr of the shape host:port, for example "pipe-3:a".
type address string

func (address) Network() string  { return "memory" }
func (a address) String() string { return string(a) }

var pipes atomic.Uint64

// Pipe returns the two ends of a connection in memory: what is written to one is read from the
// other, and [DefaultBuffer] bytes wait in between each way; see [PipeSize].
//
// The ends behave like TCP connections where a caller can tell, and have CloseRead, CloseWrite and
// Reset beside the methods of net.Conn: [Conn] is their type. All methods may be called by any
// number of goroutines at the same time. Errors other than io.EOF are *net.OpError with the cause
// inside: os.ErrDeadlineExceeded, net.ErrClosed, syscall.EPIPE, syscall.ECONNRESET.
func Pipe() (a, b net.Conn) { return PipeSize(DefaultBuffer) }

// PipeSize is [Pipe] with room for n bytes each way. A small n makes a writer wait early, which
// shows what happens when a peer does not read. n below 1 counts as 1.
func PipeSize(n int) (a, b net.Conn) {
	host := "pipe-" + strconv.FormatUint(pipes.Add(1), 10)
	return pair(n, address(host+":a"), address(host+":b"))
}

func pair(n int, a, b net.Addr) (*end, *end) {
	n = max(n, 1)
	there, back := newStream(n), newStream(n)
	return &end{in: back, out: there, local: a, remote: b}, &end{in: there, out: back, local: b, remote: a}
}

// Conn is what the connections of this package can do. Take it from a net.Conn by a type assertion,
// or better, ask for the one method that is needed.
type Conn interface {
	net.Conn

	// CloseWrite half-closes: the peer reads what has been written and then io.EOF. Further writes
	// fail with syscall.EPIPE. Reading goes on.
	CloseWrite() error

	// CloseRead makes Read return io.EOF and throws away what the peer still writes.
	CloseRead() error

	// Reset closes as a RST does: the peer may still read what has arrived, then its Read fails with
	// syscall.ECONNRESET, and its Write fails so at once. This end is closed as by Close.
	Reset() error
}

// end is one end of a pair.
type end struct {
	in, out       *stream
	local, remote net.Addr
}

var _ Conn = (*end)(nil)

func (e *end) Read(b []byte) (int, error) {
	n, err := e.in.read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = e.failed("read", err)
	}
	return n, err
}

// AwaitRead waits as duet.ReadAwaiter says.
func (e *end) AwaitRead() error { return e.failed("read", e.in.awaitRead()) }

func (e *end) Write(b []byte) (int, error) {
	n, err := e.out.write(b)
	return n, e.failed("write", err)
}

// Close ends both directions. The peer reads what has been written and then io.EOF; its writes fail
// with syscall.EPIPE. Unlike the kernel's, this Close sends no reset when input was left unread.
func (e *end) Close() error {
	if !e.in.closeReader(false) {
		return e.failed("close", net.ErrClosed)
	}
	e.out.closeWriter()
	return nil
}

func (e *end) CloseWrite() error { return e.failed("close", e.out.closeWrite()) }
func (e *end) CloseRead() error  { return e.failed("close", e.in.closeRead()) }

func (e *end) Reset() error {
	if !e.in.closeReader(true) {
		return e.failed("close", net.ErrClosed)
	}
	e.out.abort()
	e.out.closeWriter()
	return nil
}

func (e *end) LocalAddr() net.Addr  { return e.local }
func (e *end) RemoteAddr() net.Addr { return e.remote }

func (e *end) SetDeadline(t time.Time) error {
	if err := e.in.setReadDeadline(t); err != nil {
		return e.failed("set", err)
	}
	return e.failed("set", e.out.setWriteDeadline(t))
}

func (e *end) SetReadDeadline(t time.Time) error { return e.failed("set", e.in.setReadDeadline(t)) }

func (e *end) SetWriteDeadline(t time.Time) error { return e.failed("set", e.out.setWriteDeadline(t)) }

// peerClosed ends when the peer has closed altogether: nothing that is written can be read.
func (e *end) peerClosed() <-chan struct{} { return e.out.unread }

// failed puts err into the shape that package net gives it; nil stays nil.
func (e *end) failed(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: e.local.Network(), Source: e.local, Addr: e.remote, Err: err}
}
