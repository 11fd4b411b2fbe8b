package framing

import "time"

// Raw has no delimiter. A message ends when the peer pauses for [Quiet], when it holds [MaxBare] bytes or as many as
// the limit allows, or when it is [MaxAge] old. A pause inside a character of text ends no message.
//
// Raw sends exactly the bytes of each body, and nothing for an empty one.
var Raw Framing = raw{}

// Times and sizes of [Raw] and [Auto].
const (
	// Quiet is the length of the pause that ends a message without a delimiter.
	Quiet = 20 * time.Millisecond
	// LineQuiet is the length of the pause after which Auto takes the unfinished line of a line peer for a message.
	LineQuiet = time.Second
	// MaxAge is the longest time that a message without a delimiter takes to arrive.
	MaxAge = time.Second
	// MaxBare is the greatest length of a message without a delimiter, in bytes.
	MaxBare = 64 << 10
	// BareGap is the least time between two messages that are sent without a delimiter.
	BareGap = 50 * time.Millisecond
)

// A raw is the framing and its encoder.
type raw struct{}

func (raw) New(max int) (Decoder, Encoder) {
	return &rawDecoder{piece: min(limitOf(max), MaxBare)}, raw{}
}

func (raw) String() string { return "raw" }

func (raw) WireEncoding(bool) WireEncoding { return bare }

func (raw) Gap(int) time.Duration { return BareGap }

type rawDecoder struct {
	buffer
	piece    int      // the greatest length of a message
	encoding Encoding // nil: UTF-8
	burst    burst
}

var _ TimedDecoder = (*rawDecoder)(nil)

func (d *rawDecoder) SetEncoding(e Encoding) {
	d.encoding, d.burst = e, burst{}
	d.burst.add(e, d.buf)
}

func (d *rawDecoder) Feed(dst []Message, b []byte) ([]Message, error) {
	d.burst.add(d.encoding, b)
	dst, d.buf = cutPieces(dst, d.buf, b, d.piece, d.encoding)
	return dst, nil
}

// cutPieces adds b to buf and cuts off messages of piece bytes. No piece ends inside a character of e. It returns the new
// buffer, which is nil if it is empty.
func cutPieces(dst []Message, buf, b []byte, piece int, e Encoding) (msgs []Message, rest []byte) {
	if len(buf) >= piece {
		// Auto has waited for a line end until here. Its bytes are cut as if they arrived now. Otherwise the messages would
		// depend on how the network cut the bytes. The rest is a copy, because a slice would keep the whole buffer in memory.
		dst, buf = cutPieces(dst, nil, buf, piece, e)
	}
	for len(buf)+len(b) >= piece {
		n := piece - len(buf)
		body := join(buf, b[:n])
		buf, b = nil, b[n:]
		// A character goes whole to the next piece, unless it is longer than a piece.
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

func (d *rawDecoder) Patience() (quiet, age time.Duration) {
	return barePatience(d.buf, d.burst.inCharacter())
}

// barePatience returns the Patience for bytes that a pause makes a message. A pause inside a character does not: the decoder waits
// for the rest of the character until the message is MaxAge old.
func barePatience(buf []byte, inCharacter bool) (quiet, age time.Duration) {
	switch {
	case buf == nil:
		return 0, 0
	case inCharacter: // [F-6]
		return 0, MaxAge
	}
	return Quiet, MaxAge
}

func (d *rawDecoder) Pause(dst []Message, quiet, age time.Duration) []Message {
	if d.buf != nil && (quiet >= Quiet && !d.burst.inCharacter() || age >= MaxAge) {
		dst = append(dst, Message{Body: exact(d.buffer.Rest())})
	}
	if d.buf == nil && quiet >= Quiet {
		d.burst = burst{} // age ends a message, but not the burst
	}
	return dst
}

func (d *rawDecoder) End(dst []Message) ([]Message, error) {
	if d.buf != nil {
		dst = append(dst, Message{Body: exact(d.Rest())})
	}
	return dst, nil
}

func (d *rawDecoder) Rest() []byte {
	d.burst = burst{}
	return d.buffer.Rest()
}
