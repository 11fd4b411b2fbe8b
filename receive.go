package duet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"os"
	"sync"

	"duet.example/duet/framing"
	"duet.example/duet/internal/wire"
)

// recvState is the receiving half of a Conn. mu is held by whoever receives;
// what is not under dl belongs to its holder.
type recvState struct {
	mu    sync.Mutex
	codec framing.Codec
	queue []framing.Message // complete and not yet taken
	head  int
	one   [1]framing.Message // what queue begins as: most reads complete one message

	lastIn  wire.Moment // when bytes last came
	began   wire.Moment // when the unfinished message began
	idle    wire.Moment // since when the peer's silence counts
	away    bool        // the receiver does something else: it is not the peer that is idle
	pending bool        // there is an unfinished message
	seen    bool        // bytes have come
	saidBye bool        // the peer has said its farewell
	fin     bool        // the peer's FIN has come, or its end of another kind
	held    bool        // it is read no further, because all conversations together hold too much
	err     error       // why nothing more comes; io.EOF at the peer's FIN
}

// Receive waits for the next message. At the peer's end it returns io.EOF, after
// all messages that came before. Other errors are an [*Error] with the ending as
// its Reason. When ctx ends, Receive returns ctx.Err(): nothing that has arrived is lost,
// the conversation goes on, and Receive may be called again.
//
// The farewell is a message as well, with Farewell set; it is answered and followed by io.EOF.
func (c *Conn) Receive(ctx context.Context) (Message, error) {
	return c.receive(ctx, false)
}

// Messages is Receive in a range loop. The loop ends at the peer's end; any
// other error is its last element.
func (c *Conn) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for {
			m, err := c.Receive(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// ReceivePartial is Receive for whoever shows messages to a person: it also gives
// unfinished ones, with Partial set, where the framing is framing.Auto.
func (c *Conn) ReceivePartial(ctx context.Context) (Message, error) {
	return c.receive(ctx, true)
}

// receive waits in its own frame, with as little as can be on the stack: 2 KiB have to do for
// an idle conversation, its handler included.
func (c *Conn) receive(ctx context.Context, parts bool) (m Message, err error) {
	c.recv.mu.Lock()
	defer c.recv.mu.Unlock()
	c.back()
	for {
		if c.take(&m) {
			if m.Partial && !parts {
				continue
			}
			c.recv.away = true
			return m, nil
		}
		if err = c.cannotReceive(ctx); err != nil {
			c.leaveBudget()
			return Message{}, err
		}
		ready, err := c.prepare(ctx)
		switch {
		case err != nil:
			return Message{}, err
		case !ready:
			continue
		case c.isWatched(ctx):
			// The conversation's own context needs no watch: what ends it interrupts the
			// receiver as well, which saves 1.6 KB in each conversation.
			c.wire.Read(c.mostAtOnce())
		default:
			c.readWatching(ctx)
		}
		if err = c.arrived(c.got()); err != nil {
			c.leaveBudget()
			return Message{}, err
		}
	}
}

// back notes that the receiver is here again.
func (c *Conn) back() {
	if r := &c.recv; r.away {
		r.away = false
		if c.set.IdleTimeout > 0 {
			r.idle = c.wire.Now()
		}
	}
}

// take gives the next message that is complete; false where there is none.
func (c *Conn) take(to *Message) bool {
	r := &c.recv
	if r.head == len(r.queue) {
		return false
	}
	m := Message{Body: r.queue[r.head].Body, Partial: r.queue[r.head].Partial, Mark: r.queue[r.head].Mark}
	r.queue[r.head] = framing.Message{}
	if r.head++; r.head == len(r.queue) {
		// A longer queue is given up, not kept for the next: it would be a buffer while idle.
		r.queue, r.head = r.one[:0], 0
	}
	if c.set.budget != nil {
		c.countTaken()
	}
	if !m.Partial {
		c.msgsIn.Add(1)
		if IsFarewell(m.Body, c.set.Farewell) {
			m.Farewell, c.recv.saidBye = true, true
			c.answerFarewell()
		}
	}
	if f := c.set.trace.Received; f != nil {
		f(c, m)
	}
	*to = m
	return true
}

// cannotReceive says why there is nothing to wait for.
func (c *Conn) cannotReceive(ctx context.Context) error {
	// Asked first: a context that has ended with the conversation finds the reason below.
	ended := c.watched(ctx).Err()
	if c.rawWanted.Load() {
		return c.error("receive", ErrRaw)
	}
	if c.closing.Load() {
		return c.endError("receive")
	}
	if r := c.recv.err; r != nil {
		if errors.Is(r, io.EOF) {
			return io.EOF
		}
		return c.error("receive", r)
	}
	if c.stopReason() != EndNone {
		return c.endError("receive")
	}
	return ended
}

func (c *Conn) error(op string, err error) error {
	r, _ := c.Result()
	return &Error{Op: op, Addr: addrText(c.RemoteAddr()), Reason: r, Err: err}
}

// stopCause is what there is to say about a stop, beyond its reason.
func (c *Conn) stopCause(why EndReason) error {
	if x := c.seldom.Load(); x != nil && why == EndKicked {
		if words := x.kicked.Load(); words != nil {
			return fmt.Errorf("%w: %s", ErrKicked, *words)
		}
	}
	return c.stopFailure(why)
}

func (c *Conn) stopError(why EndReason) error {
	if err := c.stopCause(why); err != nil {
		return err
	}
	switch why {
	case EndShutdown:
		return ErrServerClosed
	case EndKicked:
		return ErrKicked
	case EndSlowPeer:
		return ErrSlowPeer
	case EndOverload:
		return ErrOverload
	case EndCut:
		return ErrCut
	}
	return ErrClosed
}

// prepare prepares a wait, for bytes or for time to pass. Not ready: look again first.
func (c *Conn) prepare(ctx context.Context) (ready bool, err error) {
	if c.adopt() || c.set.throttle != nil && c.hold(ctx) {
		return false, nil
	}
	if c.set.budget != nil && c.heldBack() {
		return c.awaitBudget(ctx)
	}
	until, what := c.nextDeadline()
	if until != 0 && c.wire.Now() >= until {
		return false, c.due(what)
	}
	return c.wire.Arm(until, what == dueIdle), nil
}

// readWatching waits as wire.Read does, but not beyond the end of ctx.
func (c *Conn) readWatching(ctx context.Context) {
	ran := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		c.wire.Interrupt()
		close(ran)
	})
	c.wire.Read(c.mostAtOnce())
	if !stop() {
		<-ran
	}
}

// arrived takes the outcome of one read.
func (c *Conn) arrived(b []byte, err error) error {
	r := &c.recv
	if len(b) > 0 {
		c.feed(b)
		c.wire.Done()
		if c.set.throttle != nil && r.err == nil {
			r.err = c.throttle(len(b))
		}
		if r.err != nil {
			return nil
		}
	}
	c.wire.Done()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case errors.Is(err, io.EOF):
		c.traceRead(0, io.EOF)
		c.peerFinished()
		return nil
	}
	return c.readFailed(err)
}

// readFailed takes an error of the connection. What it needs must not be on the stack while a message is taken: 2 KiB have to do for an
// idle conversation.
//
//go:noinline
func (c *Conn) readFailed(err error) error {
	r := &c.recv
	err = c.panicOfConnection("net.Conn.Read", err)
	if isDead(err) {
		c.loseRead(err)
	}
	c.traceRead(0, err)
	r.fin = true
	switch {
	case c.closing.Load() || c.stopReason() != EndNone && (errors.Is(err, net.ErrClosed) || c.wire.IsAbandoned()):
		// This side did it, and knows why.
		return c.cannotReceive(context.Background())
	case c.out.saidBye.Load():
		// A peer that closes with our words unread is cut by its own system; it had said what it wanted.
		r.err = io.EOF
		return nil
	}
	r.err = err
	return c.fail("receive", err)
}

// feed gives the codec bytes that have arrived.
func (c *Conn) feed(b []byte) {
	r := &c.recv
	now := c.wire.Now()
	if quiet := now.Since(r.lastIn); r.seen && !r.pending && quiet >= framing.Quiet && c.set.throttle == nil {
		// Nothing waited for this pause, but it begins a new burst.
		r.queue = r.codec.Pause(r.queue, quiet, 0)
	}
	r.lastIn, r.idle = now, now
	c.bytesIn.Add(int64(len(b)))
	c.traceRead(len(b), nil)
	if !r.seen {
		r.seen = true
		c.traceProtocol(b)
	}
	had := len(r.queue)
	c.decoded(r.codec.Feed(r.queue, b))
	if !r.pending || len(r.queue) > had {
		r.began = r.lastIn
	}
	r.pending = isPending(r.codec)
}

func (c *Conn) decoded(queue []framing.Message, err error) {
	r := &c.recv
	r.queue = queue
	if err != nil {
		r.err = err
		c.setEnd(ReasonOf(err), err)
	}
}

func isPending(codec framing.Codec) bool {
	quiet, age := codec.Patience()
	return quiet > 0 || age > 0
}

// peerFinished: the peer sent FIN. What it said without a delimiter is a message. [C-9]
func (c *Conn) peerFinished() {
	r := &c.recv
	r.err, r.fin = io.EOF, true
	c.decoded(r.codec.End(r.queue))
	r.pending = false
	if errors.Is(r.err, io.EOF) {
		c.setEnd(EndPeerClosed, nil)
	}
}

// adopt takes a framing or an encoding that was set; false if there is none.
func (c *Conn) adopt() bool {
	x := c.seldom.Load()
	if x == nil {
		return false
	}
	r := &c.recv
	x.mu.Lock()
	next, encoding, changed := x.next, x.encoding, x.hasChanged
	x.next, x.hasChanged = nil, false
	x.mu.Unlock()
	if next == nil && !changed {
		return false
	}
	var rest []byte
	if next != nil {
		rest, r.codec = r.codec.Rest(), next
	}
	if ec, ok := r.codec.(framing.EncodingCodec); ok && (changed || encoding != nil) {
		ec.SetEncoding(encoding)
	}
	if len(rest) > 0 {
		c.decoded(r.codec.Feed(r.queue, rest))
	}
	r.pending = isPending(r.codec)
	return true
}

func (c *Conn) traceProtocol(first []byte) {
	if f := c.set.trace.WrongProtocol; f != nil {
		if p := sniff(first); p != "" {
			f(c, p)
		}
	}
}

func (c *Conn) traceRead(n int, err error) {
	if f := c.set.trace.Read; f != nil {
		f(c, n, err)
	}
}
