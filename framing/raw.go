package framing

import "time"

// Raw takes for a message what has arrived when the peer pauses for [Quiet],
// or 64 KiB, or what has arrived in [MaxAge]; less than 64 KiB if the limit is lower. A pause inside a
// character of text does not count; the codec is an [EncodingCodec].
// It sends exactly the bytes of each body, nothing for an empty one.
var Raw Framing = raw{}

// Times and sizes of [Raw] and [Auto].
const (
	// Quiet is the pause that ends a message which nothing else ends.
	Quiet = 20 * time.Millisecond
	// MaxAge is how long such a message may take to arrive.
	MaxAge = time.Second
	// MaxBare is how long, in bytes, such a message may be.
	MaxBare = 64 << 10
	// BareGap is the least time between two messages that nothing marks the
	// end of: the peer sees them apart.
	BareGap = 50 * time.Millisecond
)

type raw struct{}

func (raw) New(max int) Codec { return &rawCodec{piece: min(limitOf(max), MaxBare)} }

func (raw) String() string { return "raw" }

type rawCodec struct {
	buf      []byte
	piece    int
	encoding Encoding // nil: UTF-8
	burst    burst
}

var _ EncodingCodec = (*rawCodec)(nil)

func (c *rawCodec) SetEncoding(e Encoding) {
	c.encoding, c.burst = e, burst{}
	c.burst.add(e, c.buf)
}

// feedPieces adds b to buf and cuts off whatever makes a whole piece. It
// returns the new buffer, nil if nothing is left. A piece does not end inside a character of e.
func feedPieces(dst []Message, buf, b []byte, piece int, e Encoding) (msgs []Message, rest []byte) {
	if len(buf) >= piece {
		// Auto has waited for a line end until here. What it holds is cut as if it arrived now, or the
		// messages would depend on how the network cut it. The rest is a copy, as it would hold all of the buffer.
		dst, buf = feedPieces(dst, nil, buf, piece, e)
	}
	for len(buf)+len(b) >= piece {
		n := piece - len(buf)
		body := join(buf, b[:n])
		buf, b = nil, b[n:]
		// A character is not cut in two, where the piece has room for it.
		if tail := openTail(e, body); tail < len(body) {
			buf = join(body[len(body)-tail:], nil)
			body = body[:len(body)-tail]
		}
		dst = append(dst, Message{Body: body})
	}
	if len(b) > 0 {
		buf = extend(buf, b, piece)
	}
	if len(buf) == 0 {
		buf = nil
	}
	return dst, buf
}

func (c *rawCodec) Feed(dst []Message, b []byte) ([]Message, error) {
	c.burst.add(c.encoding, b)
	dst, c.buf = feedPieces(dst, c.buf, b, c.piece, c.encoding)
	return dst, nil
}

func (c *rawCodec) Patience() (quiet, age time.Duration) {
	return barePatience(c.buf, c.burst.inCharacter())
}

// barePatience is the Patience for bytes that a pause makes a message. A pause inside a character
// is none: the rest of it is waited for, for as long as a message may take. [F-6]
func barePatience(buf []byte, inCharacter bool) (quiet, age time.Duration) {
	switch {
	case buf == nil:
		return 0, 0
	case inCharacter:
		return 0, MaxAge
	}
	return Quiet, MaxAge
}

func (c *rawCodec) Pause(dst []Message, quiet, age time.Duration) []Message {
	if c.buf != nil && (quiet >= Quiet && !c.burst.inCharacter() || age >= MaxAge) {
		dst = append(dst, Message{Body: exact(c.take())})
	}
	if c.buf == nil && quiet >= Quiet {
		c.burst = burst{} // age ends a message, but not the burst
	}
	return dst
}

func (c *rawCodec) End(dst []Message) ([]Message, error) {
	if c.buf != nil {
		dst = append(dst, Message{Body: exact(c.Rest())})
	}
	return dst, nil
}

func (c *rawCodec) Rest() []byte {
	c.burst = burst{}
	return c.take()
}

// take takes out what is pending.
func (c *rawCodec) take() []byte {
	b := c.buf
	c.buf = nil
	return b
}

func (c *rawCodec) Append(dst, body []byte) ([]byte, error) { return append(dst, body...), nil }

func (c *rawCodec) AppendFarewell(dst, body []byte) ([]byte, error) {
	return append(dst, body...), nil
}

func (c *rawCodec) Sent() {}

func (c *rawCodec) Gap() time.Duration { return BareGap }
