package duet

import (
	"net"
	"sync/atomic"
	"time"

	"duet.example/duet/framing"
	"duet.example/duet/internal/wire"
)

// drainLimit is how many bytes of a peer are read and thrown away before closing.
const drainLimit = 1 << 20

// silenceLimit is how long a peer may say nothing before a connection is closed that cannot be half-closed: its peer does not
// learn that we have finished, so that nobody waits for its end.
const silenceLimit = 100 * time.Millisecond

// A Conn is one conversation; the same type on both ends.
//
// One goroutine receives at a time (Receive, ReceivePartial, Messages); any may
// send, and call every other method, at the same time. A Conn comes from a
// [Server], which hands it to its [Handler], or from a [Dialer].
type Conn struct {
	set  *settings
	id   uint64
	wire wire.Conn

	recv recvState
	out  sendState

	life lifecycle

	extras atomic.Pointer[extras]       // nil for most
	ctx    atomic.Pointer[innerContext] // nil until somebody asks for the end of Context

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
		// Here, not by the conversation's own goroutine, whose stack this would make grow.
		c.wire.StartDeadline(c.recv.idle.After(set.IdleTimeout))
	}
	return c
}

// ID is the conversation's number: 1, 2, 3, … in the order in which a server
// accepted them, never used again while the server runs. A dialled Conn has 1.
func (c *Conn) ID() uint64 { return c.id }

// RemoteAddr is the peer's address, also after the end. It is nil where the connection never had one.
func (c *Conn) RemoteAddr() net.Addr { return c.wire.RemoteAddr() }

// LocalAddr is this side's address, also after the end.
func (c *Conn) LocalAddr() net.Addr { return c.wire.LocalAddr() }

// StartTime is when the conversation began.
func (c *Conn) StartTime() time.Time { return c.wire.Began() }

// Farewell is the word that ends this conversation, empty if none does.
func (c *Conn) Farewell() string { return c.set.Farewell }

// Stats are one conversation's counts so far.
type Stats struct {
	BytesIn, BytesOut       int64
	MessagesIn, MessagesOut int64
}

// Stats returns the counts: of bytes as they went over the wire, and of whole messages.
func (c *Conn) Stats() Stats {
	return Stats{c.bytesIn.Load(), c.bytesOut.Load(), c.msgsIn.Load(), c.msgsOut.Load()}
}

// Done is closed when the conversation has ended and its connection is closed.
func (c *Conn) Done() <-chan struct{} { return c.life.closed() }

// Result tells how the conversation ended and the cause, if there was one. It is EndNone
// while it goes on; once one side has begun to end it, it is the reason for that.
func (c *Conn) Result() (EndReason, error) { return c.life.result() }

// setEnd notes why the conversation ends, see [lifecycle.setEnd].
func (c *Conn) setEnd(r EndReason, err error) { c.life.setEnd(r, err) }

// fail ends the conversation with what err stands for, and returns the error for the caller.
func (c *Conn) fail(op string, err error) error {
	c.setEnd(ReasonOf(err), err)
	return c.error(op, err)
}

// SetFraming changes how messages are cut and sent from now on. Bytes that have
// arrived and belong to no message yet are read in the new way. If several goroutines call it, the last one changes both directions.
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

// SendMark names what the framing puts around the body of a message that is sent now, or of the farewell, as
// framing.Around takes it. Where framing.Auto learns, the next message may be marked otherwise. It is empty
// for a framing that does not tell.
func (c *Conn) SendMark(farewell bool) string {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if m, ok := c.out.codec.(framing.Marker); ok {
		return m.SendMark(farewell)
	}
	return ""
}

// SetEncoding says in which text encoding the peer writes, nil for UTF-8, from now on. With framing.Raw and
// framing.Auto it decides whether a pause is inside a character. It stays when the framing changes. Messages are not
// decoded.
func (c *Conn) SetEncoding(e framing.Encoding) {
	x := c.makeExtras()
	x.mu.Lock()
	x.encoding, x.hasChanged = e, true
	x.mu.Unlock()
	c.wire.Interrupt()
}

// Framing returns the framing in use, and what it has learned of the peer
// (framing.Auto only), in words; empty if nothing.
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
