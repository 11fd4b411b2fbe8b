package duet

import (
	"errors"
	"syscall"
	"time"
)

// SayBye says the farewell and finishes sending. It returns when both are on
// their way. Receive goes on: it gives what the peer still says, its own farewell,
// and io.EOF at its end or after the close timeout. Where the conversation has no farewell,
// SayBye is CloseWrite. A second SayBye does nothing.
func (c *Conn) SayBye() error {
	if c.set.farewell == "" {
		return c.CloseWrite()
	}
	return c.bye(c.set.farewell)
}

// PostBye is SayBye without waiting: the farewell takes its place in the queue.
func (c *Conn) PostBye() error {
	if c.rawTaken.Load() {
		return c.error("send", ErrRaw)
	}
	if c.out.saidBye.Swap(true) {
		return nil
	}
	c.setEnd(EndFarewell, nil)
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	var last []byte
	if c.set.farewell != "" {
		last = []byte(c.set.farewell)
	}
	err := c.queueLast(last)
	if err == nil {
		c.startWriter()
	}
	return err
}

// CloseWrite finishes sending: the peer reads io.EOF after all that was sent
// before. Receiving goes on.
func (c *Conn) CloseWrite() error {
	if c.rawTaken.Load() {
		return c.error("close", ErrRaw)
	}
	return c.finishSending(nil)
}

// bye says word as the farewell, and remembers why the conversation ends.
func (c *Conn) bye(word string) error {
	if c.rawTaken.Load() {
		return c.error("send", ErrRaw)
	}
	if c.out.saidBye.Swap(true) {
		return nil
	}
	c.setEnd(EndFarewell, nil)
	return c.finishSending([]byte(word))
}

// answerFarewell answers the peer's farewell, once; a farewell that comes after one's own is
// the answer. The receiving goroutine calls it and must not wait: the writer sends it. [C-5] [C-6]
func (c *Conn) answerFarewell() {
	if c.out.saidBye.Swap(true) {
		return
	}
	c.setEnd(EndFarewell, nil)
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if err := c.queueLast([]byte(farewellAnswer(c.set.farewell))); err == nil {
		c.startWriter()
	}
}

// finishSending sends last, if it is not nil, and FIN, and waits until both have left.
func (c *Conn) finishSending(last []byte) error {
	o := &c.out
	o.mu.Lock()
	if o.shut {
		o.mu.Unlock()
		return nil
	}
	err := c.queueLast(last)
	if err == nil {
		c.startWriter()
		for o.writing && o.err == nil {
			o.cond.Wait()
		}
		if o.err != nil {
			err = c.error("send", o.err)
		}
	}
	o.mu.Unlock()
	return err
}

// queueLast queues last and FIN; nothing may follow. o.mu is held.
func (c *Conn) queueLast(last []byte) error {
	o := &c.out
	if o.shut {
		return nil
	}
	m := &outgoing{}
	if last != nil {
		var err error
		if m, err = c.encode(last, true); err != nil {
			return err
		}
	} else if o.err != nil {
		return c.error("send", o.err)
	}
	m.fin = true
	o.shut = true
	c.push(m)
	return nil
}

// sendFIN half-closes the connection, once. Only the writer calls it.
func (c *Conn) sendFIN() error {
	err := c.halfClose()
	c.out.mu.Lock()
	if c.out.finAt.IsZero() {
		c.out.finAt = time.Now()
	}
	c.out.mu.Unlock()
	if c.closing.Load() || c.out.saidBye.Load() {
		c.interrupt() // the peer's time to end runs from now
	}
	return err
}

// halfClose sends FIN. A connection that cannot be half-closed stays open until it is closed.
func (c *Conn) halfClose() error {
	hc, ok := c.nc.(interface{ CloseWrite() error })
	if !ok {
		return nil
	}
	err := hc.CloseWrite()
	if f := c.set.trace.HalfClosed; f != nil {
		f(c, err)
	}
	if err != nil && !errors.Is(err, syscall.ENOTCONN) {
		return c.sendFailed(err)
	}
	return nil
}
