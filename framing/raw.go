package framing

import (
	"time"
	"unicode/utf8"
)

// Raw takes for a message what has arrived when the peer pauses for [Quiet],
// or 64 KiB, or what has arrived in [MaxAge] [F-6]; less than 64 KiB if the limit is lower. A pause within a
// character of UTF-8 does not count.
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
	buf   []byte
	piece int
}

// feedPieces adds b to buf and cuts off whatever makes a whole piece. It
// returns the new buffer, nil if nothing is left.
func feedPieces(dst []Message, buf, b []byte, piece int) (msgs []Message, rest []byte) {
	if len(buf) >= piece {
		// Auto has waited for a line end until here. What it holds is cut as if it arrived now, or the
		// messages would depend on how the network cut it. The rest is a copy, as it would hold all of the buffer.
		dst, buf = feedPieces(dst, nil, buf, piece)
	}
	for len(buf)+len(b) >= piece {
		n := piece - len(buf)
		body := join(buf, b[:n])
		buf, b = nil, b[n:]
		// A character is not cut in two, where the piece has room for it.
		if tail := openTail(body); tail < len(body) {
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
	dst, c.buf = feedPieces(dst, c.buf, b, c.piece)
	return dst, nil
}

func (c *rawCodec) Patience() (quiet, age time.Duration) { return barePatience(c.buf) }

// barePatience is the Patience for bytes that a pause makes a message. A pause inside
// a character of UTF-8 is none: the rest of it is waited for, for as long as a message may take. [F-6]
func barePatience(buf []byte) (quiet, age time.Duration) {
	switch {
	case buf == nil:
		return 0, 0
	case openRune(buf):
		return 0, MaxAge
	}
	return Quiet, MaxAge
}

// openRune reports whether buf ends with the beginning of a character of UTF-8.
func openRune(buf []byte) bool { return openTail(buf) > 0 }

// openTail is how many bytes at the end of buf are the beginning of a character of UTF-8.
func openTail(buf []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(buf); n++ {
		if b := buf[len(buf)-n]; utf8.RuneStart(b) {
			if b >= utf8.RuneSelf && !utf8.FullRune(buf[len(buf)-n:]) {
				return n
			}
			break
		}
	}
	return 0
}

func (c *rawCodec) Pause(dst []Message, quiet, age time.Duration) []Message {
	if c.buf != nil && (quiet >= Quiet && !openRune(c.buf) || age >= MaxAge) {
		dst = append(dst, Message{Body: exact(c.Rest())})
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
	rest := c.buf
	c.buf = nil
	return rest
}

func (c *rawCodec) Append(dst, body []byte) ([]byte, error) { return append(dst, body...), nil }

func (c *rawCodec) AppendFarewell(dst, body []byte) ([]byte, error) {
	return append(dst, body...), nil
}

func (c *rawCodec) Gap() time.Duration { return BareGap }
