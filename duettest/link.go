package duettest

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	deliveryLimit = time.Second // how long one direction may still deliver before a reset or a cut ends both
	closeLimit    = time.Minute // how long the last bytes of a closed connection may take; a kernel has such a limit, too
)

// link carries a connection between two others, a pump each way.
type link struct {
	client, server net.Conn
	up, down       *pump

	released  <-chan struct{} // closed when the owner has closed or reset the client side; nil for a Proxy
	resetting atomic.Bool     // set before released is closed: it was a Reset, not a Close

	closed    chan struct{}
	closeOnce sync.Once
	wasCut    chan struct{}
	cutOnce   sync.Once
}

// newLink makes the n-th link of its owner. The owner calls run.
func newLink(client, server net.Conn, faults func() *Faults, n uint64) *link {
	l := &link{
		client: client, server: server,
		closed: make(chan struct{}), wasCut: make(chan struct{}),
	}
	seed := faults().Seed
	l.up = newPump(l, client, server, func() Direction { return faults().Up }, seed, 2*n)
	l.down = newPump(l, server, client, func() Direction { return faults().Down }, seed, 2*n+1)
	l.up.reverse, l.down.reverse = l.down, l.up
	return l
}

// run carries bytes until the end of the link. It returns when both connections are closed and the goroutines have ended.
func (l *link) run() {
	var wg sync.WaitGroup
	wg.Go(l.up.read)
	wg.Go(l.up.write)
	wg.Go(l.down.read)
	wg.Go(l.down.write)
	l.supervise()
	if l.resetting.Load() {
		l.reset()
	}
	l.close()
	wg.Wait()
}

// supervise waits until there are no more bytes to carry, or a limit has passed.
func (l *link) supervise() {
	up, down, released, wasCut := l.up.done, l.down.done, l.released, l.wasCut
	var timeout <-chan time.Time
	var bothGone <-chan struct{} // closed when no side reads any more, even if bytes are still on their way
	for up != nil || down != nil && (l.released == nil || released != nil) {
		select {
		case <-up:
			up = nil
		case <-down:
			down = nil
		case <-released:
			released, timeout = nil, time.After(closeLimit)
			if c, ok := l.server.(interface{ peerClosed() <-chan struct{} }); ok {
				bothGone = c.peerClosed()
			}
		case <-wasCut:
			wasCut, timeout = nil, time.After(deliveryLimit)
		case <-timeout:
			return
		case <-bothGone:
			return
		case <-l.closed:
			return
		}
	}
}

// close closes both connections. It does nothing if the link is closed or reset already.
func (l *link) close() {
	l.closeOnce.Do(func() {
		close(l.closed)
		l.client.Close()
		l.server.Close()
	})
}

func (l *link) reset() {
	l.closeOnce.Do(func() {
		close(l.closed)
		reset(l.client)
		reset(l.server)
	})
}

// cut half-closes both connections. The pumps read and drop the bytes that still come: a close with unread input would send
// a RST after the FIN.
func (l *link) cut() {
	l.cutOnce.Do(func() {
		close(l.wasCut)
		closeWrite(l.client)
		closeWrite(l.server)
	})
}

func (l *link) isCut() bool {
	select {
	case <-l.wasCut:
		return true
	default:
		return false
	}
}

// sleepUntil waits until t. It returns false, at once, if the link is closed before.
func (l *link) sleepUntil(t time.Time) bool {
	wait := time.Until(t)
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.closed:
		return false
	}
}
