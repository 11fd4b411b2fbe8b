package duet

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"duet.example/duet/framing"
	"duet.example/duet/internal/wire"
)

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
	decoder, encoder := set.Framing.New(set.MaxMessage)
	c.recv.decoder, c.out.encoder = timed(decoder), encoder
	c.recv.lastRead, c.recv.idleSince, c.recv.handling = wire.Beginning, wire.Beginning, true
	c.recv.queue = c.recv.first[:0]
	if set.IdleTimeout > 0 {
		// The conversation's own goroutine would need a larger stack for this.
		c.wire.StartDeadline(c.recv.idleSince.After(set.IdleTimeout))
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
	x := c.makeExtras()
	decoder, encoder := f.New(c.set.MaxMessage)
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.next == nil {
		x.before = c.out.encoder
	}
	c.out.encoder, c.out.encoded = encoder, 0
	x.next, x.framing = timed(decoder), f
	c.wire.Interrupt()
}

// WireEncoding returns the wire encoding of a message that is sent now, or of the farewell. With framing.Auto, that of the next
// message may be another one. To send a message to many conversations, encode it once for each name.
func (c *Conn) WireEncoding(farewell bool) framing.WireEncoding {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.encoder.WireEncoding(farewell)
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
	if l, ok := c.out.encoder.(framing.Learner); ok {
		learned = l.Learned()
	}
	return f, learned
}

// extras hold state that few conversations need. They are allocated on first use.
type extras struct {
	transfer atomic.Pointer[Transfer] // the transfer that has its turn, nil if none has; written under sendState.mu
	panicked atomic.Bool              // a panic of a Trace func or of the source was logged

	mu         sync.Mutex           // guards the five below
	next       framing.TimedDecoder // set by SetFraming and not yet in use
	before     framing.Encoder      // of the framing that next will replace
	framing    framing.Framing      // set by SetFraming
	encoding   framing.Encoding     // set by SetEncoding
	hasChanged bool                 // encoding was set and is not yet in use

	account account     // with a Server.Memory
	until   wire.Moment // when Throttle allows the next read; used by the goroutine that reads
	refused error       // of Throttle, after Raw; used by the goroutine that reads

	remains remains     // once the connection is lost
	rawEOF  atomic.Bool // the connection that Raw returned was read to the peer's end
}

// makeExtras returns the extras, and allocates them on first use.
func (c *Conn) makeExtras() *extras {
	if x := c.extras.Load(); x != nil {
		return x
	}
	c.extras.CompareAndSwap(nil, new(extras))
	return c.extras.Load()
}

// Context returns the conversation's own context, which its [Handler] gets. It ends when this side wants the conversation to end: after
// Kick, Shutdown, Abort or Close, when the peer is too slow, and when the handler returns. Its cause (context.Cause) is an
// [*Error] whose Reason is the ending. It does not end when the peer finishes or the connection fails; see [Conn.Lost].
//
// In [Serve], it also ends with the context that Serve was given, and has its values.
//
// A Receive with this context costs less than with any other. A Send that waits with it goes on after its end, for at most three send
// timeouts. After Shutdown a handler may still call Send with this context, but not with one derived from it.
func (c *Conn) Context() context.Context { return (*ownContext)(c) }

// An ownContext is the context of a conversation. It is the Conn itself, so that it costs nothing until Done is called.
type ownContext Conn

// An innerContext is a real context that ends when the conversation is to end. It is made on first use.
type innerContext struct {
	context.Context
	cancel context.CancelCauseFunc
	parent context.Context // that of Serve, or context.Background
}

func newInnerContext(parent context.Context) *innerContext {
	in := &innerContext{parent: parent}
	in.Context, in.cancel = context.WithCancelCause(parent)
	return in
}

// inner returns the inner context, and makes it on first use.
func (o *ownContext) inner() *innerContext {
	c := (*Conn)(o)
	if c.ctx.Load() == nil {
		c.ctx.CompareAndSwap(nil, newInnerContext(context.Background()))
	}
	// This must come after the store: requestEnd and finish note the end first, and look for the inner context then.
	if c.life.isEnding() {
		c.endContext()
	}
	return c.ctx.Load()
}

func (o *ownContext) Deadline() (deadline time.Time, ok bool) {
	if in := o.ctx.Load(); in != nil {
		return in.Deadline()
	}
	return time.Time{}, false
}

func (o *ownContext) Done() <-chan struct{} { return o.inner().Done() }

// Err also asks the context of Serve. That ends a moment before the inner one, and Receive may have returned its error.
func (o *ownContext) Err() error {
	if o.ctx.Load() == nil {
		if o.life.isEnding() {
			return context.Canceled
		}
		return nil
	}
	in := o.inner()
	if err := in.Err(); err != nil {
		return err
	}
	return in.parent.Err()
}

// Value asks the inner context, so that context.Cause and derived contexts find it.
func (o *ownContext) Value(key any) any { return o.inner().Value(key) }

// String keeps code that prints a context from looking into the Conn.
func (o *ownContext) String() string { return "duet.Conn.Context" }

// endContext ends the conversation's own context. The reason of the end must be known.
func (c *Conn) endContext() {
	if in := c.ctx.Load(); in != nil && in.Err() == nil {
		in.cancel(c.endCause())
	}
}

// endCause returns the cause of the conversation's own context: why the conversation is to end.
func (c *Conn) endCause() *Error {
	e := &Error{Op: "converse", Addr: addrText(c.RemoteAddr())}
	if e.Reason = c.life.request(); e.Reason != EndNone {
		e.Err = c.life.requestError()
		return e
	}
	e.Reason, e.Err = c.Result()
	var de *Error
	switch {
	case e.Err == nil:
		e.Err = ErrClosed
	case errors.As(e.Err, &de):
		e.Err = de.Err // it has the same operation and address
	}
	return e
}

// endWithContext makes ctx the parent of the conversation's own context until release. When ctx ends, calls that wait in the
// conversation are interrupted.
func (c *Conn) endWithContext(ctx context.Context) (release func()) {
	in := newInnerContext(ctx)
	if old := c.ctx.Swap(in); old != nil {
		context.AfterFunc(in, func() { old.cancel(context.Cause(in)) })
	}
	if c.life.isEnding() {
		c.endContext()
	}
	ran := make(chan struct{})
	stop := context.AfterFunc(in, func() {
		defer close(ran)
		if ctx.Err() != nil {
			c.interruptAll()
		}
	})
	return func() {
		if !stop() {
			<-ran
		}
	}
}

// waitContext returns the context that ends a wait of a Send or Receive with ctx. For the conversation's own context, that is its
// parent: requestEnd interrupts a Receive itself, and a Send that has begun goes on.
func (c *Conn) waitContext(ctx context.Context) context.Context {
	switch in := c.ctx.Load(); {
	case ctx != c.Context():
		return ctx
	case in != nil:
		return in.parent
	}
	return context.Background()
}

// needsNoWatch reports whether ctx never ends, or its end interrupts the calls that wait in the conversation anyhow.
func (c *Conn) needsNoWatch(ctx context.Context) bool { return ctx == c.Context() || ctx.Done() == nil }

// contextError returns the error of a Send whose context has ended. It is that of the conversation's end if ctx has ended with the
// conversation, and ctx.Err() otherwise.
func (c *Conn) contextError(ctx context.Context) error {
	var own *Error
	if in := c.ctx.Load(); in != nil && errors.As(context.Cause(in), &own) && errors.Is(context.Cause(ctx), own) {
		return c.endError("send")
	}
	return ctx.Err()
}

// endError returns the error of op in a conversation that is to end.
func (c *Conn) endError(op string) error {
	c.life.grantRequest()
	return c.error(op, c.life.requestError())
}

// A ReadAwaiter is a net.Conn that can be waited on without a buffer. A conversation over one holds no memory for bytes while its
// peer is silent. A *net.TCPConn and a *net.UnixConn need no AwaitRead. Over any other connection, a conversation holds 1 KiB and a
// second goroutine while it waits.
//
// A wrapper should implement it if it can tell whether its Read would wait: it has bytes that were not read yet, or it can wait on the
// connection below. The goroutine that calls Read also calls AwaitRead. Other goroutines may call SetReadDeadline meanwhile.
type ReadAwaiter interface {
	// AwaitRead waits until a Read would return without waiting for the peer, and returns nil then. If the deadline of
	// SetReadDeadline passes first, the error is os.ErrDeadlineExceeded for errors.Is. Any other error is one that Read would return too.
	AwaitRead() error
}
