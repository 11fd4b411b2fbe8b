package duet

import (
	"context"
	"errors"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"duet.example/duet/framing"
	"duet.example/duet/internal/wire"
)

// sendState is the sending half of a Conn: one queue, at most one goroutine
// that writes, so that what one side says leaves in the order in which it was said.
type sendState struct {
	mu      sync.Mutex
	idle    *sync.Cond // on mu: the queue has become empty, or sending has failed; made by who waits for it
	encoder framing.Encoder
	queue   []*outgoing
	bytes   int   // what waits in queue
	writing bool  // somebody is writing, or will
	shut    bool  // CloseWrite or SayBye was called: nothing may follow
	encoded uint8 // messages that encoder has encoded, at most 255
	saidBye atomic.Bool
	finAt   wire.Moment // when FIN had left
	err     error       // sending has failed for good

	feed *Feed // nil for most

	lastOut wire.Moment   // when the last message had left
	lastGap time.Duration // what must lie between it and the next
}

// wait waits for wake. mu is held.
func (o *sendState) wait() {
	if o.idle == nil {
		o.idle = sync.NewCond(&o.mu)
	}
	o.idle.Wait()
}

// wake wakes whoever waits for the queue to become empty. mu is held.
func (o *sendState) wake() {
	if o.idle != nil {
		o.idle.Broadcast()
	}
}

// awaitWriter waits until nobody writes, sending has failed, or ctx has ended. mu is held, but not while it waits.
func (o *sendState) awaitWriter(ctx context.Context) {
	defer context.AfterFunc(ctx, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.wake()
	})()
	for o.writing && o.err == nil && ctx.Err() == nil {
		o.wait()
	}
}

// An outgoing is one message on its way, encoded.
type outgoing struct {
	wire []byte
	body []byte
	gap  time.Duration
	fin  bool // half-close after it; wire may be empty
	raw  bool // bytes and no message
	ctx  context.Context
	sent chan error // nil: nobody waits; otherwise capacity 1

	transfer *Transfer // not nil: its place, with nothing else
}

// A form is how a body goes over the wire.
type form uint8

const (
	asMessage form = iota
	asFarewell
	asBytes // nothing is added
)

// Send sends one message and returns when the system has taken all of it; that
// does not mean that the peer has read it. Messages leave in the order of the calls.
//
// ErrDelimiter: body holds its framing's delimiter; nothing was sent. ErrClosed: this
// side has finished sending. After Kick and Abort, the error is that of the conversation's end.
//
// When ctx ends before the first byte has left, the message is not sent and Send returns ctx.Err(); if ctx was derived from
// [Conn.Context] and has ended with it, the error is that of the conversation's end. When ctx ends later, the conversation is over,
// because half a message has left. A peer that takes nothing for the send timeout ends the conversation as slow-peer.
func (c *Conn) Send(ctx context.Context, body []byte) error { return c.send(ctx, body, asMessage) }

// SendRaw sends exactly the bytes of b, whatever the framing is: no delimiter, no length, nothing refused. It returns when the system
// has taken all of them. They leave in order with messages, and are never taken for the farewell. Trace.Sent has
// them; Stats counts them as bytes and not as a message.
//
// Calls of SendRaw and PostRaw leave without a pause between them. Where a pause is what keeps messages apart, one is
// kept between a message and raw bytes, too.
//
// When ctx ends, what holds for Send holds here.
func (c *Conn) SendRaw(ctx context.Context, b []byte) error { return c.send(ctx, b, asBytes) }

func (c *Conn) send(ctx context.Context, body []byte, how form) error {
	ctx = c.watched(ctx)
	if ctx.Err() != nil {
		return c.contextError(ctx)
	}
	o := &c.out
	o.mu.Lock()
	if err := c.maySend(); err != nil {
		o.mu.Unlock()
		return err
	}
	if !o.acquire() {
		return c.sendQueued(ctx, body, how)
	}
	m := direct.Get().(*outgoing)
	err := c.encode(m, body, how)
	if err == nil {
		o.mu.Unlock()
		c.countWriting(len(m.wire))
		if err = c.writeBytes(ctx, m.wire, m.gap, m.gap); err == nil {
			c.noteSent(m)
		}
		c.countWriting(-len(m.wire))
		o.mu.Lock()
	}
	c.release()
	o.mu.Unlock()
	*m = outgoing{wire: m.wire[:0]}
	if cap(m.wire) <= wire.ChunkSize {
		direct.Put(m)
	}
	return err
}

// direct holds messages, with their buffers, that leave at once. Those that queue have
// buffers of their own, of the right size, as they may be many and stay for long.
var direct = sync.Pool{New: func() any { return new(outgoing) }}

// sendQueued is Send while somebody writes. o.mu is held, and unlocked.
func (c *Conn) sendQueued(ctx context.Context, body []byte, how form) error {
	m := &outgoing{ctx: ctx, sent: make(chan error, 1)}
	err := c.encode(m, body, how)
	if err == nil {
		c.enqueue(m)
	}
	c.out.mu.Unlock()
	if err != nil {
		return err
	}
	return c.awaitSent(ctx, m)
}

// awaitSent waits for the writer. A message that it has not begun is taken out of the queue when ctx ends.
func (c *Conn) awaitSent(ctx context.Context, m *outgoing) error {
	select {
	case err := <-m.sent:
		return err
	case <-ctx.Done():
	}
	if c.withdraw(m) {
		return c.contextError(ctx)
	}
	// The writer has it, and watches ctx itself.
	return <-m.sent
}

// withdraw takes m out of the queue. It returns false if the queue does not hold m any more.
func (c *Conn) withdraw(m *outgoing) bool {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.Index(o.queue, m)
	if i < 0 {
		return false
	}
	o.queue = slices.Delete(o.queue, i, i+1)
	o.bytes -= len(m.wire)
	c.countQueued()
	return true
}

// Post puts one message into the bounded queue and returns at once. Body is
// copied. When the queue is full, the conversation ends as slow-peer and Post returns ErrSlowPeer. While a
// [Transfer] has its turn, Post returns ErrQueueFull instead, and the conversation goes on.
func (c *Conn) Post(body []byte) error { return c.post(body, asMessage) }

// PostRaw is SendRaw through the queue, as Post is Send.
func (c *Conn) PostRaw(b []byte) error { return c.post(b, asBytes) }

func (c *Conn) post(body []byte, how form) error {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := c.maySend(); err != nil {
		return err
	}
	m := &outgoing{wire: make([]byte, 0, len(body)+4)} // most framings add no more
	if err := c.encode(m, body, how); err != nil {
		return err
	}
	if len(o.queue) > 0 && o.bytes+len(m.wire) > c.set.QueueSize {
		if c.isTransferring() {
			return c.error("send", ErrQueueFull)
		}
		c.failSending(ErrSlowPeer)
		return c.error("send", ErrSlowPeer)
	}
	c.enqueue(m)
	return nil
}

// Queued is how many bytes wait for the peer.
func (c *Conn) Queued() int {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.bytes
}

// canSend is nil unless nothing can be sent any more. o.mu is held.
func (c *Conn) canSend() error {
	o := &c.out
	switch {
	case c.rawWanted.Load():
		return c.error("send", ErrRaw)
	case o.err != nil:
		if c.wire.IsLost() {
			c.setEnd(ReasonOf(o.err), o.err)
		}
		return c.error("send", o.err)
	case o.shut:
		return c.error("send", ErrClosed)
	case c.stopReason() == EndHandlerFailed:
		return c.error("send", c.stopError(EndHandlerFailed))
	}
	return nil
}

// maySend is nil unless nobody may begin to send any more, because the conversation is to end. After Shutdown a handler may, until
// it returns. If sending has failed before, encode tells. o.mu is held.
func (c *Conn) maySend() error {
	switch why := c.stopReason(); {
	case why == EndNone, c.out.err != nil, c.rawWanted.Load():
		return nil
	case why == EndShutdown && !c.closing.Load() && !c.wantsAbort():
		return nil
	}
	return c.endError("send")
}

// dropWaiting takes messages whose senders wait, and transfers, out of the queue of a conversation that was stopped.
func (c *Conn) dropWaiting() {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 {
		return // the conversation may have ended, and counts no more
	}
	kept := o.queue[:0]
	for _, m := range o.queue {
		switch {
		case m.transfer != nil:
			m.transfer.refuse(c.stopError(c.stopReason()))
		case m.sent != nil:
			o.bytes -= len(m.wire)
			m.sent <- c.endError("send")
		default:
			kept = append(kept, m)
		}
	}
	clear(o.queue[len(kept):])
	o.queue = kept
	c.countQueued()
}

// encode makes m the message body, or its bytes, into what room its buffer has. o.mu is held.
func (c *Conn) encode(m *outgoing, body []byte, how form) error {
	if err := c.canSend(); err != nil {
		return err
	}
	o := &c.out
	var gap time.Duration
	var b []byte
	var err error
	if how == asBytes {
		b, m.raw = append(m.wire[:0], body...), true
	} else {
		gap = o.encoder.Gap(int(o.encoded))
		b, err = o.encoder.WireEncoding(how == asFarewell).Append(m.wire[:0], body)
	}
	if err != nil {
		return &Error{Op: "send", Addr: addrText(c.RemoteAddr()), Err: err}
	}
	if !m.raw && o.encoded < math.MaxUint8 {
		o.encoded++
	}
	m.wire, m.gap = b, gap
	if c.set.trace.Sent != nil {
		m.body = append([]byte(nil), body...)
	}
	return nil
}

// acquire takes the right to write. It returns false if somebody has it. mu is held.
func (o *sendState) acquire() bool {
	if o.writing {
		return false
	}
	o.writing = true
	return true
}

// release gives up the right to write. A transfer that is next gets it, otherwise a writer for what is queued. o.mu is held.
func (c *Conn) release() {
	o := &c.out
	for len(o.queue) > 0 {
		t := o.queue[0].transfer
		if t == nil {
			go c.writeQueue()
			return
		}
		c.dequeue()
		if t.begin() {
			return
		}
	}
	o.queue = nil
	o.writing = false
	o.wake()
}

// enqueue adds m to the queue and has the queue written. o.mu is held.
func (c *Conn) enqueue(m *outgoing) {
	o := &c.out
	o.queue = append(o.queue, m)
	o.bytes += len(m.wire)
	c.countQueued()
	if o.acquire() {
		c.release()
	}
}

// dequeue takes the first item, which has no bytes, out of the queue. o.mu is held.
func (c *Conn) dequeue() {
	c.out.queue = c.out.queue[1:]
	c.countQueued()
}

// writeQueue is the writer. It has the right to write, and gives it up at a transfer or when the queue is empty.
func (c *Conn) writeQueue() {
	o := &c.out
	o.mu.Lock()
	for len(o.queue) > 0 && o.queue[0].transfer == nil {
		if o.queue[0] == feedTurn {
			c.dequeue()
			o.feed.takeTurn()
			continue
		}
		batch := o.takeBatch()
		c.countQueued()
		o.mu.Unlock()
		err := c.write(batch)
		for _, m := range batch {
			if m.sent != nil {
				m.sent <- err
			}
		}
		o.mu.Lock()
	}
	c.release()
	o.mu.Unlock()
}

// takeBatch takes what may leave in one write: messages that need no gap between
// them, up to a chunk. One whose sender waits with a context goes alone. o.mu is held.
func (o *sendState) takeBatch() []*outgoing {
	n, size := 0, 0
	for _, m := range o.queue {
		alone := m.gap > 0 || m.sent != nil || m.fin || m.transfer != nil || m == feedTurn
		if n > 0 && (alone || size+len(m.wire) > wire.ChunkSize) {
			break
		}
		n++
		size += len(m.wire)
		if alone {
			break
		}
	}
	batch := o.queue[:n:n]
	o.queue = o.queue[n:]
	o.bytes -= size
	return batch
}

// write writes a batch. The caller has the right to write.
func (c *Conn) write(batch []*outgoing) error {
	first, last := batch[0], batch[len(batch)-1]
	ctx := first.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	b := first.wire
	if len(batch) > 1 {
		// takeBatch has seen to it that they fit.
		whole := wire.Chunk()
		defer wire.FreeChunk(whole)
		b = whole[:0]
		for _, m := range batch {
			b = append(b, m.wire...)
		}
	}
	held := len(b) + len(batch)*outgoingSize
	c.countWriting(held)
	err := c.writeBytes(ctx, b, first.gap, last.gap)
	c.countWriting(-held)
	if err != nil {
		return err
	}
	for _, m := range batch {
		if !m.fin || len(m.wire) > 0 {
			c.noteSent(m)
		}
	}
	if last.fin {
		return c.sendFIN()
	}
	return nil
}

// writeBytes writes b, which is to be apart from what left before by gap, and from what follows by after.
func (c *Conn) writeBytes(ctx context.Context, b []byte, gap, after time.Duration) error {
	if err := c.mayWrite(ctx, gap); err != nil || len(b) == 0 {
		return err
	}
	n, err := c.wire.Write(ctx, b, c.set.SendTimeout)
	return c.wrote(ctx, n, err, after)
}

// mayWrite waits for the time of the next message.
func (c *Conn) mayWrite(ctx context.Context, gap time.Duration) error {
	o := &c.out
	o.mu.Lock()
	err := o.err
	o.mu.Unlock()
	if err != nil {
		return c.error("send", err)
	}
	if gap = max(gap, o.lastGap); gap > 0 {
		return c.keepApart(ctx, gap)
	}
	return nil
}

// wrote takes the outcome of a write.
func (c *Conn) wrote(ctx context.Context, n int, err error, after time.Duration) error {
	c.bytesOut.Add(int64(n))
	c.traceWrote(n, err)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return c.sendEnded(ctx, n)
		}
		return c.sendFailed(err)
	}
	c.out.lastOut, c.out.lastGap = c.wire.Now(), after
	return nil
}

// sendEnded is wrote after the context has ended, and n bytes have left.
func (c *Conn) sendEnded(ctx context.Context, n int) error {
	err := c.contextError(ctx)
	if n == 0 {
		return err
	}
	var own *Error
	if !errors.As(err, &own) {
		return c.sendFailed(err)
	}
	c.out.mu.Lock()
	c.failSending(own.Err)
	c.out.mu.Unlock()
	return err
}

func (c *Conn) noteSent(m *outgoing) {
	if !m.raw {
		c.msgsOut.Add(1)
	}
	if f := c.set.trace.Sent; f != nil {
		f(c, m.body)
	}
}

// keepApart waits until a peer that takes one read for one message has had time to
// take the last one. [C-7]
func (c *Conn) keepApart(ctx context.Context, gap time.Duration) error {
	last := c.out.lastOut
	wait := last.After(gap).Since(c.wire.Now())
	if last == 0 || wait <= 0 {
		return nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return c.contextError(ctx)
	}
}

// sendFailed ends the conversation because a write failed.
func (c *Conn) sendFailed(err error) error {
	err = c.panicOfConnection("net.Conn.Write", err)
	switch {
	case !isDead(err):
	case c.wire.IsSocket():
		c.lose(err)
	default:
		c.tellLost() // what has come may still be read, so it is not closed
	}
	if c.wire.IsLost() && errors.Is(err, ErrClosed) {
		err = syscall.ECONNRESET // that is why it was closed
	}
	switch why := c.stopReason(); {
	case why != EndNone && c.wire.IsAbandoned() && !c.wire.IsLost():
		err = c.stopError(why) // the stop has abandoned the write
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = ErrSlowPeer
	}
	if c.closing.Load() && errors.Is(err, ErrClosed) {
		return c.error("send", ErrClosed)
	}
	c.out.mu.Lock()
	c.failSending(err)
	c.out.mu.Unlock()
	return c.error("send", err)
}

// failSending notes that nothing more can be sent. o.mu is held.
func (c *Conn) failSending(err error) {
	o := &c.out
	if o.err == nil {
		o.err = err
	}
	r := ReasonOf(err)
	if r == EndClosed || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		r = EndCut // by the sender, who did not want to wait for the rest
	}
	c.setEnd(r, err)
	o.wake()
	if c.closing.Load() {
		c.wire.Interrupt()
	}
	if r == EndSlowPeer || r == EndCut {
		c.stop(r)
		c.wire.Abandon() // the writer may be waiting
	}
}

func (c *Conn) traceWrote(n int, err error) {
	if f := c.set.trace.Wrote; f != nil {
		f(c, n, err)
	}
}
