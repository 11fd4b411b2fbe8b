package duet

import (
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"duet.example/duet/framing"
	"duet.example/duet/internal/wire"
)

// A recvState is the receiving half of a Conn. The goroutine that receives holds mu, which guards all fields.
type recvState struct {
	mu      sync.Mutex
	decoder framing.TimedDecoder
	queue   []framing.Message // complete messages that Receive has not returned
	head    int
	first   [1]framing.Message // where queue begins: most reads complete one message

	lastRead     wire.Moment // when bytes last came
	messageBegan wire.Moment // when the first bytes of the unfinished message came
	idleSince    wire.Moment // from when on the peer's silence counts as idle
	handling     bool        // the handler has a message: the peer is not idle meanwhile
	unfinished   bool        // bytes have come that are not a whole message
	started      bool        // bytes have come
	fin          bool        // the peer's FIN has come, or another end of its bytes
	heldBack     bool        // the peer is not read, because the budget is used up
	err          error       // why nothing more comes; io.EOF after the peer's FIN or farewell
}

// Receive waits for the next message. At the peer's end, or at its farewell, it returns io.EOF, after all messages that came before.
// Other errors are an [*Error] with the ending as its Reason. When ctx ends, Receive returns ctx.Err(). Nothing that has arrived is
// lost then: the conversation goes on, and Receive may be called again.
//
// Receive answers the peer's farewell, unless this side has said its own. What the peer sends after its farewell is not received:
// [Conn.Close] throws it away. With Options.ShowFarewell, Receive returns the farewell as a message, and then io.EOF. In both cases
// [Conn.Result] tells the farewell from the peer's end. After this side's own farewell, Receive goes on until the peer's.
func (c *Conn) Receive(ctx context.Context) (Message, error) {
	return c.receive(ctx, false, nil)
}

// Bounds of what [Conn.ReceiveBatch] returns at once.
const (
	batchMessages = 256
	batchBytes    = 64 << 10
)

// ReceiveBatch waits for a message as Receive does. It appends it to dst, and also the messages that have arrived with it: at most 256
// in all, and none after the first 64 KiB of bodies. It returns the extended slice, which is dst itself if there is an error.
func (c *Conn) ReceiveBatch(ctx context.Context, dst []Message) ([]Message, error) {
	_, err := c.receive(ctx, false, &dst)
	return dst, err
}

// Messages is Receive in a range loop. The loop ends where Receive returns io.EOF. Any other error is its last element.
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

// ReceivePartial is Receive for a handler that shows messages to a person. If the framing is framing.Auto, it also returns unfinished
// messages, with Partial set.
func (c *Conn) ReceivePartial(ctx context.Context) (Message, error) {
	return c.receive(ctx, true, nil)
}

// receive is Receive, ReceivePartial and ReceiveBatch. It waits in its own frame and keeps little on the stack, because an idle
// conversation, with its handler, must fit in 2 KiB.
func (c *Conn) receive(ctx context.Context, withPartial bool, batch *[]Message) (m Message, err error) {
	c.recv.mu.Lock()
	defer c.recv.mu.Unlock()
	c.resumeIdleTime()
	for {
		if c.nextMessage(&m) {
			if c.isHidden(&m, withPartial) {
				continue
			}
			c.recv.handling = true
			if batch != nil {
				*batch = c.appendArrived(append(*batch, m), len(m.Body))
			}
			return m, nil
		}
		if err = c.receiveError(ctx); err != nil {
			c.leaveBudget()
			return Message{}, err
		}
		ready, err := c.prepareWait(ctx)
		switch {
		case err != nil:
			return Message{}, err
		case !ready:
			continue
		case c.needsNoWatch(ctx):
			// The end of this context interrupts the read anyway. To watch it here would cost 1.6 KB in each conversation.
			c.wire.Read(c.readLimit())
		default:
			c.readUntilDone(ctx)
		}
		if err = c.handleRead(c.got()); err != nil {
			c.leaveBudget()
			return Message{}, err
		}
	}
}

// isHidden reports whether Receive passes over m: a part of a message, or the farewell, that its caller does not want.
func (c *Conn) isHidden(m *Message, withPartial bool) bool {
	return m.Partial && !withPartial || m.Farewell && !c.set.ShowFarewell
}

// appendArrived appends messages that have arrived to a batch that has one message, of size bytes.
func (c *Conn) appendArrived(batch []Message, size int) []Message {
	var m Message
	for n := 1; n < batchMessages && size < batchBytes && c.nextMessage(&m); {
		if c.isHidden(&m, false) {
			continue
		}
		batch = append(batch, m)
		size += len(m.Body)
		n++
	}
	return batch
}

// resumeIdleTime has the peer's silence count again, once the handler has done with a message.
func (c *Conn) resumeIdleTime() {
	if r := &c.recv; r.handling {
		r.handling = false
		if c.set.IdleTimeout > 0 {
			r.idleSince = c.wire.Now()
		}
	}
}

// nextMessage takes the next complete message from the queue. It returns false if there is none.
func (c *Conn) nextMessage(to *Message) bool {
	r := &c.recv
	if r.head == len(r.queue) {
		return false
	}
	m := Message{Body: r.queue[r.head].Body, Partial: r.queue[r.head].Partial, Mark: r.queue[r.head].Mark}
	r.queue[r.head] = framing.Message{}
	if r.head++; r.head == len(r.queue) {
		// A longer queue is not kept: an idle conversation would hold it.
		r.queue, r.head = r.first[:0], 0
	}
	if c.set.budget != nil {
		c.countTaken()
	}
	if !m.Partial {
		c.msgsIn.Add(1)
		if IsFarewell(m.Body, c.set.Farewell) {
			m.Farewell = true
			c.answerFarewell()
			c.endReceiving()
		}
	}
	if f := c.set.trace.Received; f != nil {
		f(c, m)
	}
	*to = m
	return true
}

// endReceiving drops the bytes that have arrived after the peer's farewell. From now on, Receive returns io.EOF.
func (c *Conn) endReceiving() {
	// Nothing is received after the peer's farewell. [C-5]
	r := &c.recv
	r.queue, r.head = r.first[:0], 0
	r.decoder.Rest()
	r.unfinished = false
	if r.err == nil {
		r.err = io.EOF
	}
	if c.set.budget != nil {
		c.countReceived()
	}
}

// receiveError returns the error of a Receive that has nothing to wait for; nil if it may wait.
func (c *Conn) receiveError(ctx context.Context) error {
	// The context is asked first. If the conversation has ended it, the reason is found below.
	ended := c.waitContext(ctx).Err()
	if c.life.has(rawWanted) {
		return c.error("receive", ErrRaw)
	}
	if c.life.isClosing() {
		return c.endError("receive")
	}
	if r := c.recv.err; r != nil {
		if errors.Is(r, io.EOF) {
			return io.EOF
		}
		return c.error("receive", r)
	}
	if c.life.request() != EndNone {
		return c.endError("receive")
	}
	return ended
}

func (c *Conn) error(op string, err error) error {
	r, _ := c.Result()
	return &Error{Op: op, Addr: addrText(c.RemoteAddr()), Reason: r, Err: err}
}

// prepareWait sets the deadline for a wait. If ready is false, something has changed, and the caller starts again.
func (c *Conn) prepareWait(ctx context.Context) (ready bool, err error) {
	if c.applyChanges() || c.set.throttle != nil && c.awaitThrottle(ctx) {
		return false, nil
	}
	if c.set.budget != nil && c.mustWaitForBudget() {
		return c.awaitBudget(ctx)
	}
	until, kind := c.nextDeadline()
	if until != 0 && c.wire.Now() >= until {
		return false, c.handleDeadline(kind)
	}
	return c.wire.Arm(until, kind == dueIdle), nil
}

// readUntilDone is wire.Read, except that the end of ctx interrupts it.
func (c *Conn) readUntilDone(ctx context.Context) {
	ran := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		c.wire.Interrupt()
		close(ran)
	})
	c.wire.Read(c.readLimit())
	if !stop() {
		<-ran
	}
}

// handleRead processes the result of one read.
func (c *Conn) handleRead(b []byte, err error) error {
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
		c.handlePeerEnd()
		return nil
	}
	return c.handleReadError(err)
}

// handleReadError processes an error of the connection. It is not inlined, because its variables would take room on the stack of an
// idle conversation.
//
//go:noinline
func (c *Conn) handleReadError(err error) error {
	r := &c.recv
	err = c.panicOfConnection("net.Conn.Read", err)
	if isDead(err) {
		c.loseRead(err)
	}
	c.traceRead(0, err)
	r.fin = true
	switch {
	case c.life.isClosing() || c.life.request() != EndNone && (errors.Is(err, net.ErrClosed) || c.wire.IsAbandoned()):
		// This side has closed the connection, and knows the reason.
		return c.receiveError(context.Background())
	case c.life.has(farewellSaid):
		// The peer has closed without reading our farewell, so its system sends a reset. It had sent all it wanted.
		r.err = io.EOF
		return nil
	}
	r.err = err
	return c.fail("receive", err)
}

// feed gives the decoder the bytes of one read.
func (c *Conn) feed(b []byte) {
	r := &c.recv
	now := c.wire.Now()
	if quiet := now.Since(r.lastRead); r.started && !r.unfinished && quiet >= framing.Quiet && c.set.throttle == nil {
		// No deadline was set for this pause, but a new burst begins here.
		r.queue = r.decoder.Pause(r.queue, quiet, 0)
	}
	r.lastRead, r.idleSince = now, now
	c.bytesIn.Add(int64(len(b)))
	c.traceRead(len(b), nil)
	if !r.started {
		r.started = true
		c.traceProtocol(b)
	}
	had := len(r.queue)
	c.keepDecoded(r.decoder.Feed(r.queue, b))
	if !r.unfinished || len(r.queue) > had {
		r.messageBegan = r.lastRead
	}
	r.unfinished = hasUnfinished(r.decoder)
}

// keepDecoded stores the queue that the decoder has extended. Its error ends the conversation, unless the peer's farewell stands before
// the fault.
func (c *Conn) keepDecoded(queue []framing.Message, err error) {
	r := &c.recv
	r.queue = queue
	if err != nil && !c.hasFarewell() {
		r.err = err
		c.setEnd(ReasonOf(err), err)
	}
}

// hasFarewell reports whether the queue has the peer's farewell.
func (c *Conn) hasFarewell() bool {
	r := &c.recv
	return slices.ContainsFunc(r.queue[r.head:], func(m framing.Message) bool {
		return !m.Partial && IsFarewell(m.Body, c.set.Farewell)
	})
}

// An untimed is a decoder that waits for no pause, with the methods of one that does.
type untimed struct{ framing.Decoder }

func (untimed) Patience() (quiet, age time.Duration) { return 0, 0 }

func (untimed) Pause(dst []framing.Message, _, _ time.Duration) []framing.Message { return dst }

func (untimed) SetEncoding(framing.Encoding) {}

// timed returns d itself, unless it waits for no pause.
func timed(d framing.Decoder) framing.TimedDecoder {
	if t, ok := d.(framing.TimedDecoder); ok {
		return t
	}
	return untimed{d}
}

// hasUnfinished reports whether d has bytes of a message that a pause would show or end.
func hasUnfinished(d framing.TimedDecoder) bool {
	quiet, age := d.Patience()
	return quiet > 0 || age > 0
}

// handlePeerEnd processes the peer's FIN. Bytes without a delimiter before it are a message.
func (c *Conn) handlePeerEnd() {
	r := &c.recv
	r.err, r.fin = io.EOF, true
	// The rest counts, and what was said before is answered. [C-9]
	c.keepDecoded(r.decoder.End(r.queue))
	r.unfinished = false
	if errors.Is(r.err, io.EOF) {
		c.setEnd(EndPeerClosed, nil)
	}
}

// applyChanges applies what SetFraming and SetEncoding have set. It reports whether there was anything.
func (c *Conn) applyChanges() bool {
	x := c.extras.Load()
	if x == nil {
		return false
	}
	r := &c.recv
	x.mu.Lock()
	next, encoding, changed := x.next, x.encoding, x.hasChanged
	x.next, x.before, x.hasChanged = nil, nil, false
	x.mu.Unlock()
	if next == nil && !changed {
		return false
	}
	var rest []byte
	if next != nil {
		rest, r.decoder = r.decoder.Rest(), next
	}
	if changed || encoding != nil {
		r.decoder.SetEncoding(encoding)
	}
	if len(rest) > 0 {
		c.keepDecoded(r.decoder.Feed(r.queue, rest))
	}
	r.unfinished = hasUnfinished(r.decoder)
	return true
}

// traceProtocol tells the trace if the peer's first bytes look like another protocol.
func (c *Conn) traceProtocol(first []byte) {
	if f := c.set.trace.WrongProtocol; f != nil {
		if p := sniff(first); p != "" {
			f(c, p)
		}
	}
}

// traceRead tells the trace of a read.
func (c *Conn) traceRead(n int, err error) {
	if f := c.set.trace.Read; f != nil {
		f(c, n, err)
	}
}

// stopReceiving locks recv.mu. If a goroutine receives, it interrupts it; otherwise it sets no deadline.
func (c *Conn) stopReceiving() {
	if !c.recv.mu.TryLock() {
		c.wire.Interrupt()
		c.recv.mu.Lock()
	}
}

// reclaimLimit is how long the end of a conversation waits for calls that still use the connection that Raw returned. These calls have
// been interrupted, so the limit matters only if the connection ignores deadlines.
const reclaimLimit = time.Second

// reclaim takes back the bytes that Raw has given away. It returns false if a call still uses them. recv.mu is held.
func (c *Conn) reclaim() bool { return !c.life.has(rawTaken) || c.wire.Reclaim(reclaimLimit) }

// A dueKind names the action at a deadline.
type dueKind uint8

const (
	duePause    dueKind = iota // the decoder learns of a pause
	dueIdle                    // the idle timeout is over
	dueFarewell                // the peer's time after our farewell is over
)

// nextDeadline returns the earliest deadline if the peer stays silent, and its kind. It returns zero if there is none.
func (c *Conn) nextDeadline() (deadline wire.Moment, kind dueKind) {
	r := &c.recv
	add := func(d wire.Moment, k dueKind) {
		if deadline == 0 || d < deadline {
			deadline, kind = d, k
		}
	}
	if r.unfinished {
		quiet, age := r.decoder.Patience()
		if quiet > 0 {
			add(r.lastRead.After(quiet), duePause)
		}
		if age > 0 {
			add(r.messageBegan.After(age), duePause)
		}
	}
	if c.set.IdleTimeout > 0 {
		add(r.idleSince.After(c.set.IdleTimeout), dueIdle)
	}
	if d := c.farewellDeadline(); d != 0 {
		add(d, dueFarewell)
	}
	return deadline, kind
}

// farewellDeadline returns when the peer's time to end after our farewell is over. It returns zero if our farewell has not left.
func (c *Conn) farewellDeadline() wire.Moment {
	if !c.life.has(farewellSaid) {
		return 0
	}
	fin, _ := c.sent()
	if fin == 0 {
		return 0
	}
	return fin.After(c.set.CloseTimeout)
}

// handleDeadline does what is due. It reads, so it must not be inlined where the conversation waits: its frame would count there.
//
//go:noinline
func (c *Conn) handleDeadline(kind dueKind) error {
	r := &c.recv
	if kind != dueFarewell {
		// A late scheduler is no pause: bytes that have come meanwhile are read first. [C-8]
		c.wire.TryRead()
		if b, err := c.got(); len(b) > 0 || err != nil {
			return c.handleRead(b, err)
		}
	}
	switch kind {
	case dueFarewell:
		// The peer has had its time to end. Close does the rest.
		r.err = io.EOF
		return nil
	case dueIdle:
		r.err = ErrIdle
		return c.fail("receive", ErrIdle)
	}
	now := c.wire.Now()
	r.queue = r.decoder.Pause(r.queue, now.Since(r.lastRead), now.Since(r.messageBegan))
	r.unfinished = hasUnfinished(r.decoder)
	return nil
}
