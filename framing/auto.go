package framing

import (
	"bytes"
	"sync/atomic"
	"time"
)

// Auto learns from the peer what a message is: a line, or what has arrived when
// the peer pauses [F-7]. It sends LF until the peer has spoken, and
// then what the peer uses: CRLF, LF or nothing [F-11].
//
// Its messages depend on the bytes and on the pauses between them, not on how
// the network cuts the bytes. For that a codec may ask for one pause, its Patience,
// with nothing pending: the one after the first lines, from which it learns
// that they were a burst. After it an idle conversation needs no clock.
//
// In what it sends every LF is a line end, also towards a peer that uses CRLF:
// a body that holds one is refused with [ErrDelimiter], unless the peer is bare.
var Auto Framing = auto{}

// A Learner is a codec that learns from what the peer sends; [Auto]'s does.
// Any goroutine may call it at any time.
type Learner interface {
	// Learned says what the peer sends: "lines (LF)", "lines (CRLF)",
	// "bare (no line end)", or "" where that is not known yet.
	Learned() string
}

const (
	// LineQuiet is the pause after which the unfinished line of a line peer is a message.
	LineQuiet = time.Second
	// maxPartial is the longest unfinished line that is shown. A prompt is
	// shorter, and each showing copies all of it.
	maxPartial = 64 << 10
	// spacedUnknown is how many messages leave with a gap while the
	// peer has said nothing: enough for a person, too few to slow a program down.
	spacedUnknown = 16
)

type auto struct{}

func (auto) New(max int) Codec { return &autoCodec{max: limitOf(max)} }

func (auto) String() string { return "auto" }

// What the receiving side takes the peer for.
const (
	unknownPeer uint8 = iota
	linePeer
	barePeer
)

// What the sending side uses. Lines are believed at their first line end, as
// an answer may leave before the burst has ended.
const (
	sendUnknown uint32 = iota
	sendLF
	sendCRLF
	sendBare
)

type autoCodec struct {
	buf      []byte // what belongs to no message yet; nil if nothing does
	max      int
	encoding Encoding      // nil: UTF-8; of the receiving goroutine
	shown    uint32        // length of buf when it was shown last, at most maxPartial
	style    atomic.Uint32 // written by the receiving goroutine, read by the sending one

	burst   burst // of a peer that is no line peer; of the receiving goroutine
	peer    uint8 // of the receiving goroutine
	tooLong bool  // of the receiving goroutine
	sent    uint8 // of the sending goroutine: messages that were sent, up to spacedUnknown
}

var (
	_ Learner       = (*autoCodec)(nil)
	_ EncodingCodec = (*autoCodec)(nil)
)

func (c *autoCodec) SetEncoding(e Encoding) {
	c.encoding, c.burst = e, burst{}
	c.burst.add(e, c.buf)
}

func (c *autoCodec) Learned() string {
	switch c.style.Load() {
	case sendLF:
		return "lines (LF)"
	case sendCRLF:
		return "lines (CRLF)"
	case sendBare:
		return "bare (no line end)"
	}
	return ""
}

func (c *autoCodec) Feed(dst []Message, b []byte) ([]Message, error) {
	if c.tooLong {
		return dst, ErrTooLong
	}
	if c.peer != linePeer {
		c.burst.add(c.encoding, b)
	}
	for len(b) > 0 && c.peer != barePeer {
		end, next := lf.cut(c.buf, b)
		size := len(c.buf) + end
		if next == 0 {
			size = lf.open(c.buf, b)
		}
		switch {
		case size > c.max && c.peer == linePeer:
			c.drop()
			c.tooLong = true
			return dst, ErrTooLong
		case size > c.max:
			c.learn(barePeer, sendBare) // no line so far, and no room to wait for one [F-8]
		case next == 0:
			c.buf = extend(c.buf, b, c.max+1)
			return dst, nil
		default:
			c.ended(next - end)
			dst = append(dst, Message{Body: join(lf.body(c.buf, b, end)), Mark: lf.mark(next - end)})
			c.drop()
			b = b[next:]
		}
	}
	if c.peer == barePeer {
		dst, c.buf = feedPieces(dst, c.buf, b, min(c.max, MaxBare), c.encoding)
	}
	return dst, nil
}

// ended learns from a line end of size bytes.
func (c *autoCodec) ended(size int) {
	style := sendLF
	if size == 2 {
		style = sendCRLF
	}
	if c.style.Load() != style {
		c.style.Store(style)
	}
}

func (c *autoCodec) learn(peer uint8, style uint32) {
	c.peer = peer
	c.style.Store(style)
}

func (c *autoCodec) drop() { c.buf, c.shown = nil, 0 }

func (c *autoCodec) Patience() (quiet, age time.Duration) {
	switch {
	case c.peer == unknownPeer && c.buf == nil && c.style.Load() != sendUnknown:
		return Quiet, 0 // does this burst end with its line? [F-7]
	case c.buf == nil:
		return 0, 0
	case c.peer != linePeer:
		return barePatience(c.buf, c.burst.inCharacter())
	case c.toShow():
		return Quiet, 0
	}
	return LineQuiet, 0
}

// toShow reports whether the unfinished line has something that was not shown.
func (c *autoCodec) toShow() bool {
	return len(c.buf) != int(c.shown) && len(c.buf) <= maxPartial && lf.open(c.buf, nil) > 0
}

func (c *autoCodec) Pause(dst []Message, quiet, age time.Duration) []Message {
	switch {
	case quiet >= Quiet && c.peer == linePeer:
		return c.pauseLine(dst, quiet)
	case quiet >= Quiet && (c.buf == nil || !c.burst.inCharacter()):
		return c.endBurst(dst, quiet)
	case age >= MaxAge && c.peer != linePeer && c.buf != nil:
		c.learn(barePeer, sendBare)
		if quiet >= Quiet {
			c.burst = burst{} // age ends a message, but not the burst
		}
		return c.bare(dst)
	}
	return dst
}

func (c *autoCodec) pauseLine(dst []Message, quiet time.Duration) []Message {
	switch {
	case c.buf == nil:
	case quiet >= LineQuiet:
		dst = append(dst, unfinishedLine(c.Rest(), c.max))
	case c.toShow():
		// A CR at the end may be half a line end, and is not shown.
		dst = append(dst, Message{Body: join(c.buf[:lf.open(c.buf, nil)], nil), Partial: true})
		c.shown = uint32(len(c.buf))
	}
	return dst
}

// endBurst is what a pause means as long as the peer is no line peer.
func (c *autoCodec) endBurst(dst []Message, quiet time.Duration) []Message {
	c.burst = burst{}
	switch {
	case c.buf == nil && c.peer == unknownPeer && c.style.Load() != sendUnknown:
		c.peer = linePeer
	case c.buf == nil:
	case c.peer == unknownPeer && c.style.Load() == sendCRLF:
		// "Welcome CRLF login: ": who writes CRLF speaks a line protocol, and this is its prompt. [F-7]
		c.peer = linePeer
		return c.pauseLine(dst, quiet)
	case c.buf[len(c.buf)-1] == '\n': // of a bare peer: others' lines are gone already [F-10]
		c.peer = linePeer
		for b := c.Rest(); len(b) > 0; {
			end, next := lf.cut(nil, b)
			c.ended(next - end)
			dst = append(dst, Message{Body: join(lf.body(nil, b, end)), Mark: lf.mark(next - end)})
			b = b[next:]
		}
	default:
		c.learn(barePeer, sendBare)
		return c.bare(dst)
	}
	return dst
}

// bare gives what is there as one message, or as two where that would exceed the limit.
func (c *autoCodec) bare(dst []Message) []Message {
	b := c.take()
	if len(b) > c.max {
		dst = append(dst, Message{Body: join(b[:c.max], nil)})
		b = join(b[c.max:], nil)
	}
	return append(dst, Message{Body: exact(b)})
}

func (c *autoCodec) End(dst []Message) ([]Message, error) {
	switch {
	case c.tooLong:
		return dst, ErrTooLong
	case c.peer == linePeer:
		return c.pauseLine(dst, LineQuiet), nil
	}
	return c.endBurst(dst, LineQuiet), nil
}

func (c *autoCodec) Rest() []byte {
	c.burst = burst{}
	return c.take()
}

// take takes out what is pending.
func (c *autoCodec) take() []byte {
	b := c.buf
	c.drop()
	return b
}

func (c *autoCodec) Append(dst, body []byte) ([]byte, error) {
	switch style := c.style.Load(); {
	case style == sendBare:
		return append(dst, body...), nil
	case style != sendCRLF:
		return lf.appendTo(dst, body)
	case bytes.IndexByte(body, '\n') >= 0:
		return dst, ErrDelimiter
	}
	return crlf.appendTo(dst, body)
}

// AppendFarewell sends the word alone to a peer that has not spoken: a plain
// peer compares it as it is, and the half-close that follows ends it for others.
func (c *autoCodec) AppendFarewell(dst, body []byte) ([]byte, error) {
	if c.style.Load() == sendUnknown {
		return append(dst, body...), nil
	}
	return c.Append(dst, body)
}

func (c *autoCodec) Sent() {
	if c.sent < spacedUnknown {
		c.sent++
	}
}

func (c *autoCodec) Gap() time.Duration {
	switch style := c.style.Load(); {
	case style == sendBare, style == sendUnknown && c.sent < spacedUnknown:
		return BareGap
	}
	return 0
}
