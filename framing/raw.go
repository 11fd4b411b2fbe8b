package framing

import "time"

// Raw takes for a message what has arrived when the peer pauses for [Quiet],
// or 64 KiB, or what has arrived in [MaxAge] [F-6]; less than 64 KiB if the limit is lower.
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
		// Auto may have waited for a line end until here.
		for ; len(buf) >= piece; buf = buf[piece:] {
			dst = append(dst, Message{Body: join(buf[:piece], nil)})
		}
		// A copy, as the remainder would hold all of the buffer.
		buf = extend(nil, buf, piece)
	}
	for len(buf)+len(b) >= piece {
		n := piece - len(buf)
		dst = append(dst, Message{Body: join(buf, b[:n])})
		buf, b = nil, b[n:]
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

func (c *rawCodec) Patience() (quiet, age time.Duration) {
	if c.buf == nil {
		return 0, 0
	}
	return Quiet, MaxAge
}

func (c *rawCodec) Pause(dst []Message, quiet, age time.Duration) []Message {
	if c.buf != nil && (quiet >= Quiet || age >= MaxAge) {
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
