package duet

import (
	"context"
	"errors"
	"slices"
)

// A Source supplies bytes to a conversation that were made elsewhere, for many conversations at once. The ring of a room is one. They
// leave between the messages that are sent and posted.
type Source interface {
	// Next returns what is sent next: whole messages in the form in which they leave, and their number. It returns no bytes if there
	// is nothing now. The bytes must never change, because a slow peer takes them later. An error ends the conversation with the
	// reason that ReasonOf returns for it. A panic ends it as EndHandlerFailed.
	//
	// One goroutine at a time calls Next. It must not wait, and must not call the Conn.
	Next() (wire []byte, messages int, err error)
	// Detached is called once, at the end of the conversation. Next is not called any more.
	Detached()
}

// A Feed connects a [Source] with its conversation. [Conn.Attach] makes it.
type Feed struct {
	conn   *Conn
	source Source

	// Under sendState.mu:
	queued   bool // feedTurn is in the queue
	draining bool // the source gets no more messages: those that it has leave before FIN
}

// feedTurn stands in the queue for the conversation's feed.
var feedTurn = new(item)

// Attach makes s the conversation's source, before the conversation's end. It panics if the conversation has a source already. The
// owner of the source calls [Feed.Wake] each time that the source has something new.
//
// Trace.Sent is not called for bytes of a source, and the framing's Gap is not kept between its messages. When the handler has returned,
// the source's remaining bytes are sent before the farewell and FIN. A farewell before that, from either side, cuts them off.
func (c *Conn) Attach(s Source) *Feed {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.out.feed != nil {
		panic("duet: the conversation has a source already")
	}
	c.out.feed = &Feed{conn: c, source: s}
	return c.out.feed
}

// Wake has the source's next bytes sent. It never waits. If nothing else is being sent, it calls Next once and hands the bytes to the
// system itself. Any goroutine may call it.
//
// If busy is true, the conversation calls Next again by itself, until there is nothing. The reason is a peer that takes the bytes slowly, or
// something else that is being sent. It is also true after sending has failed or finished. If busy is false and the source has more, the
// caller calls Wake again.
func (f *Feed) Wake() (busy bool) {
	c, o := f.conn, &f.conn.out
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.err != nil || o.shut:
		return true
	case o.writing || o.lastGap > 0 || !c.wire.IsSocket():
		f.enqueue()
		return true
	}
	o.acquire()
	o.mu.Unlock()
	rest, messages := f.tryNext()
	o.mu.Lock()
	if len(rest) > 0 {
		f.enqueue()
		go f.finish(rest, messages)
		return true
	}
	if len(o.queue) > 0 {
		f.enqueue() // because busy will be true
	}
	c.release()
	return o.writing || o.err != nil || o.shut
}

// next calls Next. A panic of it becomes an error.
func (f *Feed) next() (wire []byte, messages int, err error) {
	defer func() {
		if v := recover(); v != nil {
			wire, messages, err = nil, 0, newPanicError("Source.Next", v)
		}
	}()
	return f.source.Next()
}

// tryNext writes what Next returns, without waiting. It returns the bytes that the system has not taken. The caller has the right to write.
func (f *Feed) tryNext() (rest []byte, messages int) {
	c := f.conn
	b, messages, err := f.next()
	switch {
	case err != nil:
		c.sourceFailed(err)
		return nil, 0
	case len(b) == 0:
		return nil, 0
	}
	n, err := c.wire.TryWrite(b)
	c.bytesOut.Add(int64(n))
	c.traceWrote(n, err)
	switch {
	case err != nil:
		_ = c.sendFailed(err)
	case n < len(b):
		return b[n:], messages
	default:
		c.msgsOut.Add(int64(messages))
	}
	return nil, 0
}

// finish writes the rest of what Next has returned, and then the queue. It has the right to write.
func (f *Feed) finish(rest []byte, messages int) {
	f.write(rest, messages)
	f.conn.writeQueue()
}

// write writes b. The caller has the right to write.
func (f *Feed) write(b []byte, messages int) {
	if f.conn.writeBytes(context.Background(), b, 0, 0) == nil {
		f.conn.msgsOut.Add(int64(messages))
	}
}

// enqueue gives the feed a place in the queue, before FIN. sendState.mu is held.
func (f *Feed) enqueue() {
	if f.queued {
		return
	}
	f.queued = true
	o := &f.conn.out
	if n := len(o.queue); o.shut && n > 0 {
		o.queue = slices.Insert(o.queue, n-1, feedTurn)
		return
	}
	f.conn.enqueue(feedTurn)
}

// takeTurn writes what Next returns, and takes another place in the queue. The caller has the right to write. sendState.mu is held, except
// while it calls Next and writes.
func (f *Feed) takeTurn() {
	c, o := f.conn, &f.conn.out
	f.queued = false
	if o.err != nil || o.shut && !f.draining {
		return
	}
	o.mu.Unlock()
	b, messages, err := f.next()
	if err != nil {
		c.sourceFailed(err)
	} else if len(b) > 0 {
		f.write(b, messages)
	}
	o.mu.Lock()
	if len(b) > 0 {
		f.enqueue()
	}
}

// detach calls Detached at the end of the conversation.
func (f *Feed) detach() {
	defer f.conn.recoverIn("Source.Detached")
	f.source.Detached()
}

// drainFeed has all that the source still has sent before FIN. It returns false if there is no source. o.mu is held.
func (o *sendState) drainFeed() bool {
	if o.feed == nil {
		return false
	}
	o.feed.draining = true
	o.feed.enqueue()
	return true
}

// sourceFailed ends the conversation because Next has returned err or panicked. Nothing more is sent.
func (c *Conn) sourceFailed(err error) {
	// The request is noted first, so that it has err as its cause. It is obeyed once nothing can be sent any more.
	first := c.life.requestEnd(ReasonOf(err), err)
	_ = c.sendFailed(err)
	c.setEnd(ReasonOf(err), err)
	if p := (*PanicError)(nil); errors.As(err, &p) {
		c.panicked(p)
	}
	if first {
		c.obeyRequest()
	}
}
