package duettest

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	grace  = time.Second // for what one direction may still deliver before a reset or a cut ends both
	orphan = time.Minute // for the last bytes of a closed connection, as a kernel bounds it
)

// link carries a connection between two others, a pump each way.
type link struct {
	client, server net.Conn
	up, down       *pump

	released  <-chan struct{} // the owner has closed the client side; nil if nobody says so
	resetting atomic.Bool     // set before released is closed: it was no Close, but a Reset

	closed    chan struct{}
	closeOnce sync.Once
	wasCut    chan struct{}
	cutOnce   sync.Once
}

// newLink makes the n-th link of its owner; run runs it.
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

// run returns when both connections are closed and nothing of the link is left.
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

// supervise waits until nothing has to be carried any more.
func (l *link) supervise() {
	up, down, released, wasCut := l.up.done, l.down.done, l.released, l.wasCut
	var late <-chan time.Time
	var lost <-chan struct{} // nobody is left on either side, whatever is still on its way
	for up != nil || down != nil && (l.released == nil || released != nil) {
		select {
		case <-up:
			up = nil
		case <-down:
			down = nil
		case <-released:
			released, late = nil, time.After(orphan)
			if c, ok := l.server.(interface{ peerClosed() <-chan struct{} }); ok {
				lost = c.peerClosed()
			}
		case <-wasCut:
			wasCut, late = nil, time.After(grace)
		case <-late:
			return
		case <-lost:
			return
		case <-l.closed:
			return
		}
	}
}

// close closes both connections; a link that is closed or reset stays as it is.
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

// cut half-closes both connections; the pumps throw away what still comes, so that a Close with
// unread input does not turn the FIN into a RST.
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

// sleepUntil tells whether the link is still there at t.
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
