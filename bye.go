package duet

import (
	"context"
	"errors"
	"syscall"
)

// SayBye sends the farewell and finishes sending. It returns when the system has the farewell and everything before it. If ctx ends first,
// it returns ctx.Err(), and the farewell still leaves when its turn comes. If ctx was derived from [Conn.Context] and has ended with
// it, the error is that of the conversation's end.
//
// Receiving goes on: Receive returns the messages that the peer still sends, its farewell, and io.EOF at its end or after the close
// timeout. In a conversation without a farewell, SayBye is CloseWrite. A second SayBye does nothing.
func (c *Conn) SayBye(ctx context.Context) error {
	if c.set.Farewell == "" {
		return c.CloseWrite(ctx)
	}
	if first, err := c.beginFarewell(); !first {
		return err
	}
	return c.finishSending(ctx, []byte(c.set.Farewell))
}

// PostBye is SayBye without waiting. The farewell takes its place in the queue.
func (c *Conn) PostBye() error {
	if c.life.has(rawWanted) {
		return c.error("send", ErrRaw)
	}
	var last []byte
	if c.set.Farewell != "" {
		if first, err := c.beginFarewell(); !first {
			return err
		}
		last = []byte(c.set.Farewell)
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.queueLast(last)
}

// CloseWrite finishes sending. The peer reads io.EOF after everything that was sent before. CloseWrite returns when the system has all
// of it, also if the farewell was posted or answered before. The context is that of [Conn.SayBye]. Receiving goes on.
func (c *Conn) CloseWrite(ctx context.Context) error {
	if c.life.has(rawWanted) {
		return c.error("close", ErrRaw)
	}
	return c.finishSending(ctx, nil)
}

// beginFarewell notes that the conversation ends with this side's farewell. first is false if the farewell was sent before or cannot be
// sent.
func (c *Conn) beginFarewell() (first bool, err error) {
	if c.life.has(rawWanted) {
		return false, c.error("send", ErrRaw)
	}
	if !c.life.note(farewellSaid) {
		return false, nil
	}
	c.setEnd(EndFarewell, nil)
	return true, nil
}

// answerFarewell queues the answer to the peer's farewell, unless this side has said its own: then the peer's is the answer. The goroutine
// that receives calls it. It does not wait, because the writer sends the answer. [C-3] [C-5]
func (c *Conn) answerFarewell() {
	if !c.life.note(farewellSaid) {
		return
	}
	c.life.peerSaidFarewell()
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shut && o.finAt != 0 {
		o.finAt = c.wire.Now() // the peer's time to end runs from its farewell
	}
	_ = c.queueLast([]byte(farewellAnswer(c.set.Farewell)))
}

// finishSending queues last, if it is not nil, and FIN. It waits until both have left or ctx ends.
func (c *Conn) finishSending(ctx context.Context, last []byte) error {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := c.queueLast(last); err != nil {
		return err
	}
	ctx = c.waitContext(ctx)
	o.awaitWriter(ctx)
	switch {
	case o.finAt != 0 && (o.err == nil || errors.Is(o.err, ErrClosed)):
		return nil // all had left before the conversation was closed
	case o.err != nil:
		return c.error("send", o.err)
	}
	return c.contextError(ctx)
}

// queueLast queues last, if it is not nil, and FIN. Nothing may follow. If the framing cannot encode last, FIN leaves alone. out.mu is
// held.
func (c *Conn) queueLast(last []byte) error {
	o := &c.out
	if o.shut {
		return nil
	}
	if o.err != nil {
		return c.error("send", o.err)
	}
	m := &item{}
	if last != nil {
		_ = c.encode(m, last, asFarewell)
	}
	m.fin = true
	o.shut = true
	c.enqueue(m)
	return nil
}

// sendFIN half-closes the connection, once. Only the writer calls it.
func (c *Conn) sendFIN() error {
	err := c.finishWriting()
	if c.life.isClosing() || c.life.has(farewellSaid) {
		c.wire.Interrupt() // the peer's time to end runs from now
	}
	return err
}

// finishWriting is sendFIN for the goroutine that receives, which needs no interrupt.
func (c *Conn) finishWriting() error {
	err := c.halfClose()
	c.out.mu.Lock()
	if c.out.finAt == 0 {
		c.out.finAt = c.wire.Now()
	}
	c.out.mu.Unlock()
	return err
}

// halfClose sends FIN, once. A connection that cannot be half-closed stays open until it is closed.
func (c *Conn) halfClose() error {
	if !c.wire.CanHalfClose() || !c.life.note(finSent) {
		return nil
	}
	_, err := c.wire.HalfClose()
	if f := c.set.trace.HalfClosed; f != nil {
		f(c, err)
	}
	if err != nil && !errors.Is(err, syscall.ENOTCONN) {
		return c.sendFailed(err)
	}
	return nil
}
