package duettest

import (
	"net"
	"sync"
)

// Chaos returns a connection that passes what is written to it on to c with the faults of f.Up, and
// what comes from c to its reader with those of f.Down. It takes c over: nobody else uses c from
// then on. With an end of [Pipe] as c it works inside a testing/synctest bubble.
//
// The connection has the methods of [Conn] and the addresses of c, and holds [DefaultBuffer] bytes
// each way. Its Close returns at once, as TCP's does: what was written before still goes its way,
// for up to a minute, and then c is closed. (In a bubble time stands still once the test function has
// returned: close both ends, or wait for the other's io.EOF, before it does.) Half-close and reset are passed on if c has CloseWrite,
// and Reset or SetLinger; otherwise c is closed.
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
	once     sync.Once // the first of Close and Reset
}

var _ Conn = (*chaosConn)(nil)

// Close tells the link first: it must know why its writes to this end fail. So does Reset.
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
