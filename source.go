package duet

import "context"

// A Source gives bytes for a conversation's wire that were made elsewhere, for many conversations at once: the ring of a room. They
// leave beside what is sent and posted, whole messages at a time.
type Source interface {
	// Next gives what is to be sent next: whole messages, as they go over the wire, and how many they are. No bytes:
	// there is nothing now. The bytes must never change, for a slow peer takes them when it likes. An error ends the conversation, with the
	// reason that it stands for (ReasonOf), and so does a panic, as EndHandlerFailed. One goroutine at a time calls Next, which must neither wait nor call the Conn.
	Next() (wire []byte, messages int, err error)
}

// A SourceEnder is a [Source] that holds something until its conversation has ended.
type SourceEnder interface {
	Source
	// EndSource is called once, when Next is not called any more.
	EndSource()
}

// sourced is what a conversation with a Source holds. It is under sendState.mu.
type sourced struct {
	from  Source
	more  bool   // Next may have something
	rest  []byte // what Next gave and the system has not taken
	count int    // of messages, for rest
	last  bool   // the source wrote last, so the queue may go first
	drain bool   // nothing is added any more: what it has goes before FIN
}

// SetSource gives the conversation a source, once and before the first Pump. What it gives is not in Trace.Sent, nor are its messages kept apart by the
// framing's Gap. When the handler has returned, what the source still has is sent before the farewell and FIN; until then the farewell, from either side, cuts it off.
func (c *Conn) SetSource(s Source) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.source = &sourced{from: s}
}

// Pump hands what one Next of the source gives to the system, as far as that takes it, and never waits.
//
// busy: this conversation goes on by itself, and calls Next until there is nothing, because its peer does not take it as fast or because
// something else is being sent; so it says, too, when nothing can be sent any more. Not busy: if the source has more, it is to be
// pumped again.
func (c *Conn) Pump() (busy bool) {
	o := &c.out
	o.mu.Lock()
	s := o.source
	switch {
	case s == nil:
		o.mu.Unlock()
		return false
	case o.err != nil || o.shut:
		o.mu.Unlock()
		return true
	case o.writing:
		s.more = true // whoever writes looks at it before the end
		o.mu.Unlock()
		return true
	case !c.wire.IsSocket() || o.lastGap > 0:
		s.more = true
		c.startWriter()
		o.mu.Unlock()
		return true
	}
	o.writing, s.more = true, false
	o.mu.Unlock()
	b, n, err := s.next()
	if err != nil {
		c.sourceFailed(err)
	} else if len(b) > 0 {
		c.pumpBytes(s, b, n)
	}
	return c.pumped(s)
}

// pumpBytes writes b, of n messages, without waiting. The caller has the right to write.
func (c *Conn) pumpBytes(s *sourced, b []byte, n int) {
	k, err := c.wire.TryWrite(b)
	c.bytesOut.Add(int64(k))
	c.traceWrote(k, err)
	switch {
	case err != nil:
		_ = c.sendFailed(err)
	case k < len(b):
		c.out.mu.Lock()
		s.rest, s.count = b[k:], n
		c.out.mu.Unlock()
	default:
		c.msgsOut.Add(int64(n))
	}
}

// pumped hands the right to write on, if something came meanwhile.
func (c *Conn) pumped(s *sourced) (busy bool) {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	s.last = true
	if len(o.queue) > 0 || o.sourceIsNext() {
		s.more = true // who is busy calls Next until there is nothing
		go c.writeQueue()
		return true
	}
	o.writing = false
	o.wake()
	return o.err != nil || o.shut
}

// sourceIsNext reports whether the source is to be asked before the queue goes on. o.mu is held.
func (o *sendState) sourceIsNext() bool {
	s := o.source
	switch {
	case s == nil || o.err != nil:
		return false
	case len(s.rest) > 0:
		return true
	case !s.more || o.shut && !s.drain:
		return false
	}
	// Otherwise they take turns; FIN waits for all.
	return !s.last || len(o.queue) == 0 || o.queue[0].fin
}

// writeSourced writes what the source gives next. Only the writer calls it.
func (c *Conn) writeSourced() {
	o := &c.out
	o.mu.Lock()
	s := o.source
	b, n := s.rest, s.count
	s.rest = nil
	s.last = true
	if b == nil {
		s.more = false
	}
	o.mu.Unlock()
	if b == nil {
		var err error
		if b, n, err = s.next(); err != nil {
			c.sourceFailed(err)
			return
		}
		if len(b) == 0 {
			return
		}
		o.mu.Lock()
		s.more = true
		o.mu.Unlock()
	}
	if c.writeBytes(context.Background(), b, 0, 0) == nil {
		c.msgsOut.Add(int64(n))
	}
}

// drainSource has all that the source still gives sent before FIN. It reports whether there is a source. o.mu is held.
func (o *sendState) drainSource() bool {
	if o.source == nil {
		return false
	}
	o.source.more, o.source.drain = true, true
	return true
}
