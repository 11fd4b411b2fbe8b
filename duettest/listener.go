package duettest

import (
	"context"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
)

// backlog is the number of connections that may wait for Accept.
const backlog = 128

// listeners counts the listeners, for their addresses.
var listeners atomic.Uint64

// Listener is a net.Listener in memory. Accept returns the connections that [Listener.Dial] has made. Make a Listener with
// [NewListener]. Any number of goroutines may call its methods at the same time.
type Listener struct {
	host    string
	dialed  atomic.Uint64
	waiting chan *end // the backlog
	closed  chan struct{}
	once    sync.Once
}

var _ net.Listener = (*Listener)(nil)

// NewListener returns a listener with its own address, for example "listener-2:0".
func NewListener() *Listener {
	return &Listener{
		host:    "listener-" + strconv.FormatUint(listeners.Add(1), 10),
		waiting: make(chan *end, backlog),
		closed:  make(chan struct{}),
	}
}

// Accept waits for the next connection. After Close, its error wraps net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, l.opError("accept", net.ErrClosed)
	default:
	}
	select {
	case c := <-l.waiting:
		return c, nil
	case <-l.closed:
		return nil, l.opError("accept", net.ErrClosed)
	}
}

// Close ends each Accept that waits, and resets the connections that have not been accepted. Accepted connections stay.
func (l *Listener) Close() error {
	err := l.opError("close", net.ErrClosed)
	l.once.Do(func() {
		close(l.closed)
		l.refuse()
		err = nil
	})
	return err
}

// Addr returns the listener's address.
func (l *Listener) Addr() net.Addr { return address(l.host + ":0") }

// Dial connects to the listener. As with TCP, it does not wait for Accept. If 128 connections wait for Accept already, it
// waits for room. After Close, its error wraps syscall.ECONNREFUSED. If ctx ends, it wraps the cause of ctx.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, l.opError("dial", err)
	}
	select {
	case <-l.closed:
		return nil, l.opError("dial", os.NewSyscallError("connect", syscall.ECONNREFUSED))
	default:
	}
	local := address(l.host + ":" + strconv.FormatUint(l.dialed.Add(1), 10))
	ours, theirs := pair(DefaultBuffer, local, address(l.host+":0"))
	select {
	case l.waiting <- theirs:
	case <-l.closed:
		return nil, l.opError("dial", os.NewSyscallError("connect", syscall.ECONNREFUSED))
	case <-ctx.Done():
		return nil, l.opError("dial", context.Cause(ctx))
	}
	// Close may have emptied the backlog just before this connection came into it.
	select {
	case <-l.closed:
		l.refuse()
	default:
	}
	return ours, nil
}

func (l *Listener) refuse() {
	for {
		select {
		case c := <-l.waiting:
			_ = c.Reset()
		default:
			return
		}
	}
}

func (l *Listener) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: l.Addr().Network(), Addr: l.Addr(), Err: err}
}
