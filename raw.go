package duet

import (
	"errors"
	"io"
	"net"

	"duet.example/duet/framing"
	"duet.example/duet/internal/wire"
)

// Raw takes over the bytes of the conversation: the handler reads and
// writes them itself, and Send and Receive return ErrRaw from then on. What was
// read ahead comes first; whole messages that wait to be received come in their framing's own form.
// Raw waits until what was posted has been sent. If Raw fails, it has taken nothing over.
//
// The result passes each call on to the connection. It is not the connection itself, and has no SyscallConn. Beside the
// methods of a net.Conn it has CloseWrite, SetLinger and AwaitRead ([ReadAwaiter]). One goroutine may read and one may write at a
// time. io.Copy lets the system copy by itself over TCP, unless the server's Throttle or a func of the trace has to see the bytes.
//
// After Kick and Shutdown, reads and writes fail with os.ErrDeadlineExceeded, and no deadline that the handler sets changes that.
// After Close and Abort, they fail with net.ErrClosed; those that wait return at once.
//
// When the handler returns, the conversation is half-closed, drained and closed as any
// other; it need not close what Raw returned. To have it end for a reason of its own, a handler
// returns an [*Error] with that Reason.
func (c *Conn) Raw() (net.Conn, error) {
	if !c.life.note(rawWanted) {
		return nil, c.error("raw", ErrRaw)
	}
	c.stopReceiving()
	defer c.recv.mu.Unlock()
	if c.life.isClosing() {
		c.life.withdraw(rawWanted)
		return nil, c.error("raw", ErrClosed)
	}
	if err := c.awaitWriter(); err != nil && !c.wire.IsLost() {
		c.life.withdraw(rawWanted)
		return nil, err
	}
	rest := c.readAhead()
	if c.set.budget != nil {
		c.countReceived()
	}
	lost := !c.wire.Detach()
	for lost {
		b, err := c.readRemains(nil, nil)
		if rest = append(rest, b...); err != nil {
			break
		}
	}
	var r *wire.RawConn
	if lost {
		x := &c.makeExtras().remains
		r = c.wire.RawLost(rest, (*rawTap)(c), x.err, x.send)
	} else {
		r = c.wire.Raw(rest, (*rawTap)(c))
	}
	c.life.note(rawTaken)
	if c.Context().Err() != nil {
		c.interruptAll()
	}
	return r, nil
}

// readAhead takes out what was read and was not received: the bytes as they came, if their marks tell them.
func (c *Conn) readAhead() []byte {
	r := &c.recv
	encoding := c.encodingOfReceived()
	var b []byte
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

// CountRaw adds bytes that a handler has read and written itself, to Stats.
func (c *Conn) CountRaw(in, out int64) {
	c.bytesIn.Add(in)
	c.bytesOut.Add(out)
}

// A rawTap is the wire.Tap of a conversation: it sees what passes the connection that Raw returned.
type rawTap Conn

// Sees reports whether the trace or Throttle has to see what passes.
func (t *rawTap) Sees() bool {
	tr := &t.set.trace
	return t.set.throttle != nil || tr.Read != nil || tr.Wrote != nil || tr.HalfClosed != nil
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

// AfterRead tells the trace, of the peer's end once, and asks Throttle.
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
