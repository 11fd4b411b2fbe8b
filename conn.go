package duet

import (
	"net"
	"sync/atomic"
	"time"

	"duet.example/duet/framing"
	"duet.example/duet/internal/wire"
)

// drainLimit is the number of bytes of a peer that are read and thrown away before its connection is closed.
const drainLimit = 1 << 20

// silenceLimit is how long a peer may be silent before a connection that cannot be half-closed is closed. Its peer does not learn that
// this side has finished, so its end may never come.
const silenceLimit = 100 * time.Millisecond

// A Conn is one conversation. Both ends have this type. A [Server] hands a Conn to its [Handler]; a [Dialer] returns one.
//
// One goroutine at a time receives (Receive, ReceivePartial, Messages). Any number of goroutines may call
// every other method at the same time.
type Conn struct {
	set  *settings
	id   uint64
	wire wire.Conn

	recv recvState
	out  sendState

	life   lifecycle
	extras atomic.Pointer[extras]       // nil until first used
	ctx    atomic.Pointer[innerContext] // nil until first used

	bytesIn, bytesOut atomic.Int64
	msgsIn, msgsOut   atomic.Int64
}

func newConn(nc net.Conn, set *settings) *Conn {
	c := &Conn{set: set, id: 1}
	if set.budget != nil {
		c.wire.Init(nc, (*budgetGate)(c))
	} else {
		c.wire.Init(nc, nil)
	}
	codec := set.Framing.New(set.MaxMessage)
	c.recv.codec, c.out.codec = codec, codec
	c.recv.lastIn, c.recv.idle, c.recv.away = wire.Beginning, wire.Beginning, true
	c.recv.queue = c.recv.one[:0]
	if set.IdleTimeout > 0 {
		// The conversation's own goroutine would need a larger stack for this.
		c.wire.StartDeadline(c.recv.idle.After(set.IdleTimeout))
	}
	return c
}

// ID returns the number of the conversation. A server counts its conversations from 1, in the order in which it accepts them,
// and never uses a number again. A dialled Conn has number 1.
func (c *Conn) ID() uint64 { return c.id }

// RemoteAddr returns the peer's address, also after the end. It is nil if the connection never had one.
func (c *Conn) RemoteAddr() net.Addr { return c.wire.RemoteAddr() }

// LocalAddr returns this side's address, also after the end.
func (c *Conn) LocalAddr() net.Addr { return c.wire.LocalAddr() }

// StartTime returns the time at which the conversation began.
func (c *Conn) StartTime() time.Time { return c.wire.Began() }

// Farewell returns the word that ends this conversation. It is empty if no word does.
func (c *Conn) Farewell() string { return c.set.Farewell }

// Stats are the counts of one conversation: the bytes that went over its connection, and its whole messages.
type Stats struct {
	BytesIn, BytesOut       int64
	MessagesIn, MessagesOut int64
}

// Stats returns the counts so far.
func (c *Conn) Stats() Stats {
	return Stats{c.bytesIn.Load(), c.bytesOut.Load(), c.msgsIn.Load(), c.msgsOut.Load()}
}

// Done returns a channel that is closed when the conversation has ended and its connection is closed.
func (c *Conn) Done() <-chan struct{} { return c.life.closed() }

// Result returns how the conversation ended, and the cause if there was one. The reason is EndNone
// while the conversation goes on. It is known as soon as one side has begun to end the conversation, and final once Done is closed.
func (c *Conn) Result() (EndReason, error) { return c.life.result() }

// setEnd notes why the conversation ends, see [lifecycle.setEnd].
func (c *Conn) setEnd(r EndReason, err error) { c.life.setEnd(r, err) }

// fail ends the conversation for the reason that err stands for, and returns the error for the caller.
func (c *Conn) fail(op string, err error) error {
	c.setEnd(ReasonOf(err), err)
	return c.error(op, err)
}

// SetFraming changes how bytes become messages, and messages bytes, from now on. Bytes that have
// arrived and belong to no message yet are read in the new framing. Each call changes both directions.
func (c *Conn) SetFraming(f framing.Framing) {
	codec, x := f.New(c.set.MaxMessage), c.makeExtras()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	c.out.codec = codec
	x.next, x.framing = codec, f
	c.wire.Interrupt()
}

// SendMark returns the name of the bytes that the framing now puts around a message, or around the farewell.
// Pass it to [framing.Around]. It may change with framing.Auto, which learns from the peer. It is empty
// if the framing is no [framing.Marker].
func (c *Conn) SendMark(farewell bool) string {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if m, ok := c.out.codec.(framing.Marker); ok {
		return m.SendMark(farewell)
	}
	return ""
}

// SetEncoding sets the text encoding of the peer from now on. Nil is UTF-8. With framing.Raw and
// framing.Auto it decides whether a pause is inside a character. It stays the same when the framing changes. Messages are not
// decoded.
func (c *Conn) SetEncoding(e framing.Encoding) {
	x := c.makeExtras()
	x.mu.Lock()
	x.encoding, x.hasChanged = e, true
	x.mu.Unlock()
	c.wire.Interrupt()
}

// Framing returns the framing in use. With framing.Auto, learned says in words how the peer ends its messages,
// as far as that is known. Otherwise learned is empty.
func (c *Conn) Framing() (f framing.Framing, learned string) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	f = c.set.Framing
	if x := c.extras.Load(); x != nil {
		x.mu.Lock()
		if x.framing != nil {
			f = x.framing
		}
		x.mu.Unlock()
	}
	if l, ok := c.out.codec.(framing.Learner); ok {
		learned = l.Learned()
	}
	return f, learned
}
