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

const backlog = 128

var listeners atomic.Uint64

// Listener is a net.Listener in memory: what [Listener.Dial] connects, Accept returns. Its methods
// may be called by any number of goroutines at the same time. Make it with [NewListener].
type Listener struct {
	host    string
	dialed  atomic.Uint64
	waiting chan *end // bounded as a kernel's backlog is
	closed  chan struct{}
	once    sync.Once
}

var _ net.Listener = (*Listener)(nil)

// NewListener returns a listener of its own address, such as "listener-2:0".
func NewListener() *Listener {
	return &Listener{
		host:    "listener-" + strconv.FormatUint(listeners.Add(1), 10),
		waiting: make(chan *end, backlog),
		closed:  make(chan struct{}),
	}
}

// Accept waits for the next connection. After Close its error wraps net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, l.failed("accept", net.ErrClosed)
	default:
	}
	select {
	case c := <-l.waiting:
		return c, nil
	case <-l.closed:
		return nil, l.failed("accept", net.ErrClosed)
	}
}

// Close ends every Accept and resets the connections that wait for one. Connections that were
// accepted stay.
func (l *Listener) Close() error {
	err := l.failed("close", net.ErrClosed)
	l.once.Do(func() {
		close(l.closed)
		l.refuse()
		err = nil
	})
	return err
}

// Addr returns the listener's address.
func (l *Listener) Addr() net.Addr { return address(l.host + ":0") }

// Dial connects to the listener; as with TCP it does not wait for Accept, but for room: 128
// connections may be waiting. Its errors wrap syscall.ECONNREFUSED after Close, or ctx's cause.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, l.failed("dial", err)
	}
	select {
	case <-l.closed:
		return nil, l.failed("dial", os.NewSyscallError("connect", syscall.ECONNREFUSED))
	default:
	}
	local := address(l.host + ":" + strconv.FormatUint(l.dialed.Add(1), 10))
	ours, theirs := pair(DefaultBuffer, local, address(l.host+":0"))
	select {
	case l.waiting <- theirs:
	case <-l.closed:
		return nil, l.failed("dial", os.NewSyscallError("connect", syscall.ECONNREFUSED))
	case <-ctx.Done():
		return nil, l.failed("dial", context.Cause(ctx))
	}
	// Close may have emptied the queue just before this connection came into it.
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

func (l *Listener) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: l.Addr().Network(), Addr: l.Addr(), Err: err}
}
