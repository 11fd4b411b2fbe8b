package duet

import (
	"errors"
	"syscall"
)

// SayBye says the farewell and finishes sending. It returns when both are on
// their way. Receive goes on: it gives what the peer still says, its own farewell,
// and io.EOF at its end or after the close timeout. Where the conversation has no farewell,
// SayBye is CloseWrite. A second SayBye does nothing.
func (c *Conn) SayBye() error {
	if c.set.Farewell == "" {
		return c.CloseWrite()
	}
	if first, err := c.beginBye(); !first {
		return err
	}
	return c.finishSending([]byte(c.set.Farewell))
}

// PostBye is SayBye without waiting: the farewell takes its place in the queue.
func (c *Conn) PostBye() error {
	if c.rawWanted.Load() {
		return c.error("send", ErrRaw)
	}
	var last []byte
	if c.set.Farewell != "" {
		if first, err := c.beginBye(); !first {
			return err
		}
		last = []byte(c.set.Farewell)
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.queueLast(last)
}

// CloseWrite finishes sending: the peer reads io.EOF after all that was sent
// before. It waits for what is queued, also if the farewell was posted or answered before. Receiving goes on.
func (c *Conn) CloseWrite() error {
	if c.rawWanted.Load() {
		return c.error("close", ErrRaw)
	}
	return c.finishSending(nil)
}

// beginBye remembers why the conversation ends; false where the farewell was said before or cannot be.
func (c *Conn) beginBye() (first bool, err error) {
	if c.rawWanted.Load() {
		return false, c.error("send", ErrRaw)
	}
	if c.out.saidBye.Swap(true) {
		return false, nil
	}
	c.setEnd(EndFarewell, nil)
	return true, nil
}

// answerFarewell queues the answer to the peer's farewell, unless this side has said its own: then the peer's is the answer. The goroutine
// that receives calls it. It does not wait, because the writer sends the answer. [C-3] [C-5]
func (c *Conn) answerFarewell() {
	if c.out.saidBye.Swap(true) {
		return
	}
	c.peerSaidBye()
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shut && o.finAt != 0 {
		o.finAt = c.wire.Now() // the peer's time to end runs from its farewell
	}
	_ = c.queueLast([]byte(farewellAnswer(c.set.Farewell)))
}

// finishSending sends last, if it is not nil, and FIN, and waits until both have left.
func (c *Conn) finishSending(last []byte) error {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := c.queueLast(last); err != nil {
		return err
	}
	for o.writing && o.err == nil {
		o.wait()
	}
	if o.err != nil && (o.finAt == 0 || !errors.Is(o.err, ErrClosed)) { // closed after all had left is no failure
		return c.error("send", o.err)
	}
	return nil
}

// queueLast queues last, if it is not nil, and FIN, and has them written; nothing may follow. A farewell
// that cannot be sent in this framing is left out: the peer's io.EOF says the same. o.mu is held.
func (c *Conn) queueLast(last []byte) error {
	o := &c.out
	if o.shut {
		return nil
	}
	if o.err != nil {
		return c.error("send", o.err)
	}
	m := &outgoing{}
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
	if c.closing.Load() || c.out.saidBye.Load() {
		c.wire.Interrupt() // the peer's time to end runs from now
	}
	return err
}

// finishWriting is sendFIN for the receiver, who need not be told.
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
	if !c.wire.CanHalfClose() || c.finSent.Swap(true) {
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
