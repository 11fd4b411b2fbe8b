package duettest

import (
	"net"
	"sync"
)

// Chaos returns a connection around c with faults. Bytes that are written to it go to c with the faults of f.Up. Bytes
// from c go to its reader with the faults of f.Down. Do not use c from then on. If c is an end of [Pipe], Chaos works in a
// testing/synctest bubble.
//
// The connection has the methods of [Conn] and the addresses of c. It holds [DefaultBuffer] bytes each way. A half-close is
// passed on if c has CloseWrite, a reset if c has Reset or SetLinger. Otherwise c is closed.
//
// Close returns at once, as that of TCP. Bytes that were written before are still passed on, for at most 1 min. Then c is
// closed. In a bubble, time stands still when the test function has returned. Before that, close both ends, or read
// until the other end's io.EOF.
func Chaos(c net.Conn, f Faults) net.Conn {
	ours, theirs := pair(DefaultBuffer, c.LocalAddr(), c.RemoteAddr())
	released := make(chan struct{})
	l := newLink(theirs, c, func() *Faults { return &f }, 0)
	l.released = released
	go l.run()
	return &chaosConn{end: ours, link: l, released: released}
}

type chaosConn struct {
	*end
	link     *link
	released chan struct{}
	once     sync.Once // guards the close of released
}

var _ Conn = (*chaosConn)(nil)

// Close tells the link before it closes this end, because the link must know why its writes to this end fail. So does Reset.
func (c *chaosConn) Close() error {
	c.once.Do(func() { close(c.released) })
	return c.end.Close()
}

func (c *chaosConn) Reset() error {
	c.once.Do(func() {
		c.link.resetting.Store(true)
		close(c.released)
	})
	return c.end.Reset()
}
