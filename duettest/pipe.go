package duettest

import (
	"errors"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"time"
)

// DefaultBuffer is the number of bytes that a pair made by [Pipe] holds in each direction.
const DefaultBuffer = 64 << 10

// address is a net.Addr of the shape host:port, for example "pipe-3:a".
type address string

func (address) Network() string  { return "memory" }
func (a address) String() string { return string(a) }

// pipes counts the pairs, for their addresses.
var pipes atomic.Uint64

// Pipe returns both ends of a connection in memory: the bytes that are written to one are read from the other. It holds
// [DefaultBuffer] bytes each way; see [PipeSize].
//
// The ends behave like TCP connections. They implement [Conn], which has CloseRead, CloseWrite and Reset in addition to the
// methods of net.Conn. Any number of goroutines may call all methods at the same time. Each error except io.EOF is a
// *net.OpError that wraps os.ErrDeadlineExceeded, net.ErrClosed, syscall.EPIPE or syscall.ECONNRESET. An address is for example
// "pipe-3:a"; both ends of a pair have the same host. Its network is "memory".
func Pipe() (a, b net.Conn) { return PipeSize(DefaultBuffer) }

// PipeSize is [Pipe] with room for n bytes each way. With a small n, a writer soon waits for the reader, as for a peer that
// does not read. An n below 1 is 1.
func PipeSize(n int) (a, b net.Conn) {
	host := "pipe-" + strconv.FormatUint(pipes.Add(1), 10)
	return pair(n, address(host+":a"), address(host+":b"))
}

func pair(n int, a, b net.Addr) (*end, *end) {
	n = max(n, 1)
	there, back := newStream(n), newStream(n)
	return &end{in: back, out: there, local: a, remote: b}, &end{in: there, out: back, local: b, remote: a}
}

// Conn is the interface of all connections of this package. Get it from a net.Conn by a type assertion. Better: assert only
// the method that you need.
type Conn interface {
	net.Conn

	// CloseWrite half-closes: the peer reads the bytes that have been written, and then io.EOF. Further writes fail with
	// syscall.EPIPE. Reads go on.
	CloseWrite() error

	// CloseRead makes Read return io.EOF, and drops the bytes that the peer still writes.
	CloseRead() error

	// Reset closes this end and has the effect of a RST: the peer may still read the bytes that have arrived, and then its
	// Read fails with syscall.ECONNRESET. Its Write fails with it at once.
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
		err = e.opError("read", err)
	}
	return n, err
}

// AwaitRead implements duet.ReadAwaiter.
func (e *end) AwaitRead() error { return e.opError("read", e.in.awaitRead()) }

func (e *end) Write(b []byte) (int, error) {
	n, err := e.out.write(b)
	return n, e.opError("write", err)
}

// Close ends both directions. The peer reads the bytes that have been written, and then io.EOF. Its writes fail with
// syscall.EPIPE. Unlike a kernel, Close sends no reset if there is unread input.
func (e *end) Close() error {
	if !e.in.closeReader(false) {
		return e.opError("close", net.ErrClosed)
	}
	e.out.closeWriter()
	return nil
}

func (e *end) CloseWrite() error { return e.opError("close", e.out.closeWrite()) }
func (e *end) CloseRead() error  { return e.opError("close", e.in.closeRead()) }

func (e *end) Reset() error {
	if !e.in.closeReader(true) {
		return e.opError("close", net.ErrClosed)
	}
	e.out.reset()
	e.out.closeWriter()
	return nil
}

func (e *end) LocalAddr() net.Addr  { return e.local }
func (e *end) RemoteAddr() net.Addr { return e.remote }

func (e *end) SetDeadline(t time.Time) error {
	if err := e.in.setReadDeadline(t); err != nil {
		return e.opError("set", err)
	}
	return e.opError("set", e.out.setWriteDeadline(t))
}

func (e *end) SetReadDeadline(t time.Time) error { return e.opError("set", e.in.setReadDeadline(t)) }

func (e *end) SetWriteDeadline(t time.Time) error { return e.opError("set", e.out.setWriteDeadline(t)) }

// peerClosed returns a channel that is closed when the peer has closed: bytes that are written will not be read.
func (e *end) peerClosed() <-chan struct{} { return e.out.readerGone }

// opError wraps err as package net does. If err is nil, it returns nil.
func (e *end) opError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: e.local.Network(), Source: e.local, Addr: e.remote, Err: err}
}
