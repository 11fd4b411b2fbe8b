package duet

import (
	"context"
	"errors"
	"io"
	"net"

	"duet.example/duet/framing"
	"duet.example/duet/internal/wire"
)

// Raw takes over the bytes of the conversation. The handler reads and writes them itself from then on, and Send and Receive return
// ErrRaw. The bytes that were read ahead come first. Whole messages that were not received come as the bytes that were read.
//
// Raw waits until everything that was posted has been sent. If ctx ends first, it returns ctx.Err(); if ctx was derived from
// [Conn.Context] and has ended with it, the error is that of the conversation's end. If Raw fails, for this or any other reason, the
// conversation goes on unchanged: it can still send and receive.
//
// The result passes each call on to the connection. It is not the connection itself, and has no SyscallConn. In addition to the
// methods of a net.Conn it has CloseWrite, SetLinger and AwaitRead ([ReadAwaiter]). One goroutine may read and one may write at a
// time. Stats counts the bytes.
//
// io.Copy lets the system copy by itself over TCP, unless the server's Throttle or a func of the trace has to see the bytes. Stats then
// follows in pieces of at most 1 MiB. A copy to a unix socket is counted at its end.
//
// After Kick and Shutdown, reads and writes fail with os.ErrDeadlineExceeded, and no deadline that the handler sets changes that.
// After Close and Abort, they fail with net.ErrClosed; those that wait return at once.
//
// When the handler returns, the conversation is half-closed, drained and closed like any other. The handler need not close the
// result. To end the conversation for another reason, the handler returns an [*Error] with that Reason.
func (c *Conn) Raw(ctx context.Context) (net.Conn, error) {
	if err := c.claim(ctx); err != nil {
		return nil, err
	}
	defer c.recv.mu.Unlock()
	nc := c.giveRaw()
	c.life.note(rawTaken)
	if c.Context().Err() != nil {
		c.interruptAll()
	}
	return nc, nil
}

// giveRaw gives the connection away, with the bytes that were read ahead. recv.mu is held.
func (c *Conn) giveRaw() *wire.RawConn {
	ahead := c.readAhead()
	if c.set.budget != nil {
		c.countReceived()
	}
	if !c.wire.Detach() {
		return c.giveLost(ahead)
	}
	return c.wire.Raw(ahead, (*rawTap)(c))
}

// giveLost is giveRaw for a connection that is lost. The bytes that were still read from it come after ahead.
//
//go:noinline
func (c *Conn) giveLost(ahead []byte) *wire.RawConn {
	for {
		b, err := c.readRemains(nil, nil)
		c.bytesIn.Add(int64(len(b)))
		if ahead = append(ahead, b...); err != nil {
			x := &c.makeExtras().remains
			return c.wire.RawLost(ahead, (*rawTap)(c), x.err, x.send)
		}
	}
}

// claim waits until everything that was posted has been sent. Then it keeps all others from sending and receiving, and locks recv.mu. If
// it fails, it has changed nothing.
func (c *Conn) claim(ctx context.Context) error {
	o := &c.out
	o.mu.Lock()
	err := c.awaitQueue(ctx)
	if err == nil {
		c.life.note(rawWanted)
	}
	o.mu.Unlock()
	if err != nil {
		return err
	}
	c.stopReceiving()
	o.mu.Lock()
	defer o.mu.Unlock()
	// Receive may have answered a farewell in the meantime.
	c.life.withdraw(rawWanted)
	if err := c.awaitQueue(ctx); err != nil {
		c.recv.mu.Unlock()
		return err
	}
	c.life.note(rawWanted)
	return nil
}

// awaitQueue waits until the queue is empty and nobody writes. The queue of a lost connection never empties. out.mu is held.
func (c *Conn) awaitQueue(ctx context.Context) error {
	o := &c.out
	if o.writing && o.err == nil {
		defer o.signalAtEnd(ctx)()
	}
	for {
		switch {
		case c.life.has(rawWanted):
			return c.error("raw", ErrRaw)
		case c.life.isClosing():
			return c.error("raw", ErrClosed)
		case o.err != nil && !c.wire.IsLost():
			return c.error("raw", o.err)
		case ctx.Err() != nil:
			return c.contextError(ctx)
		case !o.writing || o.err != nil:
			return nil
		}
		o.awaitFree()
	}
}

// readAhead removes the bytes that were read and not received, and returns them as they came. Most conversations have none, and have no
// room on the stack for more than to find that.
func (c *Conn) readAhead() []byte {
	r := &c.recv
	if r.head == len(r.queue) {
		return r.decoder.Rest()
	}
	return c.encodeReceived()
}

// encodeReceived is readAhead if there are messages. Their marks tell the bytes; a message without a mark is encoded again. recv.mu is held.
//
//go:noinline
func (c *Conn) encodeReceived() (b []byte) {
	r := &c.recv
	encoding := c.encodingOfReceived()
	for ; r.head < len(r.queue); r.head++ {
		m := r.queue[r.head]
		switch {
		case m.Partial:
		case m.Mark != framing.NoMark:
			before, after := framing.Around(m.Mark.String(), len(m.Body))
			b = append(append(append(b, before...), m.Body...), after...)
		default:
			if w, err := encoding.Append(b, m.Body); err == nil {
				b = w
			}
		}
	}
	r.queue, r.head = nil, 0
	return append(b, r.decoder.Rest()...)
}

// encodingOfReceived returns the wire encoding of the framing that receives. If SetFraming was called, it may not be the one that sends.
func (c *Conn) encodingOfReceived() framing.WireEncoding {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	encoder := c.out.encoder
	if x := c.extras.Load(); x != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.next != nil {
			encoder = x.before
		}
	}
	return encoder.WireEncoding(false)
}

// A rawTap is the wire.Tap of a conversation. It sees the bytes that pass the connection that Raw has returned.
type rawTap Conn

// Sees reports whether the trace or Throttle has to see the bytes.
func (t *rawTap) Sees() bool {
	tr := &t.set.trace
	return t.set.throttle != nil || tr.Read != nil || tr.Wrote != nil || tr.HalfClosed != nil
}

// Count adds to Stats.
func (t *rawTap) Count(in, out int64) {
	t.bytesIn.Add(in)
	t.bytesOut.Add(out)
}

// BeforeRead waits as long as Throttle wants.
func (t *rawTap) BeforeRead() error {
	c := (*Conn)(t)
	if c.set.throttle == nil {
		return nil
	}
	if r := c.makeExtras().refused; r != nil {
		return c.error("receive", r)
	}
	return c.awaitRawThrottle()
}

// AfterRead calls the trace and Throttle. The trace learns of the peer's end once.
func (t *rawTap) AfterRead(n int, err error) {
	c := (*Conn)(t)
	if again := errors.Is(err, io.EOF) && c.makeExtras().rawEOF.Swap(true); !again {
		c.traceRead(n, err)
	}
	if n > 0 && c.set.throttle != nil {
		c.makeExtras().refused = c.throttle(n)
	}
}

func (t *rawTap) AfterWrite(n int, err error) { (*Conn)(t).traceWrote(n, err) }

func (t *rawTap) HalfClose() error { return (*Conn)(t).halfClose() }

func (t *rawTap) AfterReset(err error) {
	if f := t.set.trace.Reset; f != nil {
		f((*Conn)(t), err)
	}
}
