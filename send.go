package duet

import (
	"context"
	"errors"
	"math"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"duet.example/duet/framing"
	"duet.example/duet/internal/wire"
)

// A sendState is the sending half of a Conn. Messages leave in the order of the calls, because one goroutine at a time has the right to
// write, and everything that finds it taken waits in one queue.
type sendState struct {
	mu      sync.Mutex
	free    *sync.Cond // on mu; made on first use. The right to write is free, or sending has failed.
	encoder framing.Encoder
	queue   []*item
	bytes   int         // number of bytes in queue
	writing bool        // the right to write is taken; see acquire
	shut    bool        // nothing may be queued any more: FIN is queued or has left
	encoded uint8       // number of messages that encoder has encoded, at most 255
	finAt   wire.Moment // when FIN left; 0: it has not
	err     error       // why nothing can be sent any more

	feed *Feed // nil for most

	// For the goroutine that has the right to write:
	lastOut wire.Moment   // when the last message left
	lastGap time.Duration // the least time between it and the next
}

// awaitFree waits for signalFree. mu is held, but not while it waits.
func (o *sendState) awaitFree() {
	if o.free == nil {
		o.free = sync.NewCond(&o.mu)
	}
	o.free.Wait()
}

// signalFree wakes the goroutines in awaitFree. mu is held.
func (o *sendState) signalFree() {
	if o.free != nil {
		o.free.Broadcast()
	}
}

// signalAtEnd calls signalFree when ctx ends, unless stop is called before.
func (o *sendState) signalAtEnd(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.signalFree()
	})
}

// awaitWriter waits until the right to write is free, sending has failed, or ctx has ended. mu is held, but not while it waits.
func (o *sendState) awaitWriter(ctx context.Context) {
	if !o.writing {
		return
	}
	defer o.signalAtEnd(ctx)()
	for o.writing && o.err == nil && ctx.Err() == nil {
		o.awaitFree()
	}
}

// An item is one place in the queue: an encoded message, FIN, or a transfer. See also feedTurn.
type item struct {
	wire []byte // the encoded message
	body []byte // the message, for Trace.Sent; nil without that
	gap  time.Duration
	fin  bool            // FIN follows; wire may be empty
	raw  bool            // bytes that are no message
	ctx  context.Context // of the Send that waits; nil: none does
	sent chan error      // the result for that Send, with room for one; nil: none waits

	transfer *Transfer // nil, except in the place of a transfer, which has nothing else
}

// A form is the way in which a body is encoded.
type form uint8

const (
	asMessage form = iota
	asFarewell
	asBytes // nothing is added
)

// Send sends one message. It returns when the system has taken all of it; the peer may not have read it yet. Messages leave in the
// order of the calls. Any goroutine may call Send.
//
// If body holds the framing's delimiter, Send sends nothing and returns ErrDelimiter. If this side has finished sending, it returns
// ErrClosed. After Kick and Abort, it returns the error of the conversation's end.
//
// If ctx ends before the first byte has left, the message is not sent and Send returns ctx.Err(). If ctx was derived from
// [Conn.Context] and has ended with it, the error is that of the conversation's end. If ctx ends later, the conversation ends,
// because a part of a message has left. If the peer takes nothing for the send timeout, the conversation ends as slow-peer.
func (c *Conn) Send(ctx context.Context, body []byte) error { return c.send(ctx, body, asMessage) }

// SendRaw sends exactly the bytes of b in every framing, without a delimiter or a length. It returns when the system
// has taken all of them. They leave in order with messages, and are never the farewell. Trace.Sent is called
// with them. Stats counts them as bytes and not as a message.
//
// Bytes of two calls of SendRaw or PostRaw leave without a pause between them. If the framing keeps messages apart by a pause,
// there is also one between a message and raw bytes.
//
// The context is that of [Conn.Send].
func (c *Conn) SendRaw(ctx context.Context, b []byte) error { return c.send(ctx, b, asBytes) }

func (c *Conn) send(ctx context.Context, body []byte, how form) error {
	ctx = c.waitContext(ctx)
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
	m := direct.Get().(*item)
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
	*m = item{wire: m.wire[:0]}
	if cap(m.wire) <= wire.ChunkSize {
		direct.Put(m)
	}
	return err
}

// direct holds items, with their buffers, for messages that leave at once. Queued messages have
// buffers of their own, of the right size, because they may be many and stay for long.
var direct = sync.Pool{New: func() any { return new(item) }}

// sendQueued is Send if the right to write is taken. It unlocks out.mu, which is held.
func (c *Conn) sendQueued(ctx context.Context, body []byte, how form) error {
	m := &item{ctx: ctx, sent: make(chan error, 1)}
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

// awaitSent waits until m is sent. If ctx ends before its turn, it takes m out of the queue.
func (c *Conn) awaitSent(ctx context.Context, m *item) error {
	select {
	case err := <-m.sent:
		return err
	case <-ctx.Done():
	}
	if c.withdraw(m) {
		return c.contextError(ctx)
	}
	// The writer has m, and watches ctx itself.
	return <-m.sent
}

// withdraw takes m out of the queue. It returns false if the queue does not hold m any more.
func (c *Conn) withdraw(m *item) bool {
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

// Post queues one message and returns at once. It copies body. Any goroutine may call it.
//
// If the queue is full, the conversation ends as slow-peer and Post returns ErrSlowPeer. If the queue is full while a
// [Transfer] has its turn, Post returns ErrQueueFull, and the conversation goes on. The other errors are those of [Conn.Send].
func (c *Conn) Post(body []byte) error { return c.post(body, asMessage) }

// PostRaw queues bytes as Post queues a message. They leave as those of [Conn.SendRaw] do.
func (c *Conn) PostRaw(b []byte) error { return c.post(b, asBytes) }

func (c *Conn) post(body []byte, how form) error {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := c.maySend(); err != nil {
		return err
	}
	m := &item{wire: make([]byte, 0, len(body)+4)} // most framings add no more
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

// Queued returns the number of bytes in the queue.
func (c *Conn) Queued() int {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.bytes
}

// canSend is nil unless nothing can be sent any more. o.mu is held.
func (c *Conn) canSend() error {
	o := &c.out
	switch {
	case c.life.has(rawWanted):
		return c.error("send", ErrRaw)
	case o.err != nil:
		if c.wire.IsLost() {
			c.setEnd(ReasonOf(o.err), o.err)
		}
		return c.error("send", o.err)
	case o.shut:
		return c.error("send", ErrClosed)
	case c.life.request() == EndHandlerFailed:
		return c.error("send", c.life.requestError())
	}
	return nil
}

// maySend is nil unless nobody may begin to send any more, because the conversation is to end. After Shutdown a handler may, until
// it returns. If sending has failed before, encode tells. o.mu is held.
func (c *Conn) maySend() error {
	switch why := c.life.request(); {
	case why == EndNone, c.out.err != nil, c.life.has(rawWanted):
		return nil
	case why == EndShutdown && !c.life.isClosing() && !c.wantsAbort():
		return nil
	}
	return c.endError("send")
}

// dropWaiting takes the messages of waiting senders, and transfers, out of the queue. They fail, because the conversation is to end. Posted
// messages stay.
func (c *Conn) dropWaiting() {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 {
		return // the conversation may have ended, and must not count any more
	}
	kept := o.queue[:0]
	for _, m := range o.queue {
		switch {
		case m.transfer != nil:
			m.transfer.refuse(c.life.requestError())
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

// encode encodes body into m, and uses its buffer. out.mu is held.
func (c *Conn) encode(m *item, body []byte, how form) error {
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

// acquire takes the right to write. It returns false if another goroutine has it. Its holder calls release. mu is held.
func (o *sendState) acquire() bool {
	if o.writing {
		return false
	}
	o.writing = true
	return true
}

// release passes the right to write on: to the transfer that is next, to a writer if something else is, or to nobody. out.mu is held.
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
	o.signalFree()
}

// enqueue adds m to the queue and starts a writer if nobody writes. out.mu is held.
func (c *Conn) enqueue(m *item) {
	o := &c.out
	o.queue = append(o.queue, m)
	o.bytes += len(m.wire)
	c.countQueued()
	if o.acquire() {
		c.release()
	}
}

// dequeue takes the first item, which has no bytes, out of the queue. out.mu is held.
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

// takeBatch takes the items that leave in the next write: messages without a gap between
// them, of at most 64 KiB together. A message whose sender waits leaves alone. mu is held, and a message or FIN is first in the queue.
func (o *sendState) takeBatch() []*item {
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

// write writes a batch in one piece. The caller has the right to write.
func (c *Conn) write(batch []*item) error {
	first, last := batch[0], batch[len(batch)-1]
	ctx := first.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	b := first.wire
	if len(batch) > 1 {
		// takeBatch takes no more than fits.
		whole := wire.Chunk()
		defer wire.FreeChunk(whole)
		b = whole[:0]
		for _, m := range batch {
			b = append(b, m.wire...)
		}
	}
	held := len(b) + len(batch)*itemSize
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

// writeBytes writes b. It leaves at least gap after the bytes before it, and the next bytes leave at least after later. The caller has
// the right to write.
func (c *Conn) writeBytes(ctx context.Context, b []byte, gap, after time.Duration) error {
	if err := c.awaitGap(ctx, gap); err != nil || len(b) == 0 {
		return err
	}
	n, err := c.wire.Write(ctx, b, c.set.SendTimeout)
	return c.wrote(ctx, n, err, after)
}

// awaitGap waits until the gap before the next bytes is over. It fails if nothing can be sent any more.
func (c *Conn) awaitGap(ctx context.Context, gap time.Duration) error {
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

// wrote notes the result of a write.
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

// sendEnded is wrote for a write whose context has ended after n bytes.
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

func (c *Conn) noteSent(m *item) {
	if !m.raw {
		c.msgsOut.Add(1)
	}
	if f := c.set.trace.Sent; f != nil {
		f(c, m.body)
	}
}

// keepApart waits until gap has passed since the last message. A peer that takes one read for one message has read it by then.
func (c *Conn) keepApart(ctx context.Context, gap time.Duration) error {
	last := c.out.lastOut
	wait := last.After(gap).Since(c.wire.Now()) // [C-7]
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
		c.announceLoss() // what has come may still be read, so it is not closed
	}
	if c.wire.IsLost() && errors.Is(err, ErrClosed) {
		err = syscall.ECONNRESET // the reset is why it was closed
	}
	switch why := c.life.request(); {
	case why != EndNone && c.wire.IsAbandoned() && !c.wire.IsLost():
		err = c.life.requestError() // the request has abandoned the write
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = ErrSlowPeer
	}
	if c.life.isClosing() && errors.Is(err, ErrClosed) {
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
		r = EndCut // the sender's context has ended inside a message
	}
	c.setEnd(r, err)
	o.signalFree()
	if c.life.isClosing() {
		c.wire.Interrupt()
	}
	if r == EndSlowPeer || r == EndCut {
		c.requestEnd(r, nil)
		c.wire.Abandon() // the writer may be waiting
	}
}

func (c *Conn) traceWrote(n int, err error) {
	if f := c.set.trace.Wrote; f != nil {
		f(c, n, err)
	}
}
