package framing

import (
	"encoding/binary"
	"math"
	"time"
)

// Length puts the length of each message before it, in four bytes, the highest
// first [F-5]. Any byte may stand in a body. A stream that ends inside a message gives
// [ErrCut].
var Length Framing = length{}

// headSize is how many bytes say the length.
const headSize = 4

type length struct{}

func (length) New(max int) Codec { return &lengthCodec{max: limitOf(max)} }

func (length) String() string { return "length" }

type lengthCodec struct {
	buf  []byte // what has arrived of the body
	err  error
	max  int
	head [headSize]byte
	have uint8 // bytes of head that have arrived
}

func (c *lengthCodec) Feed(dst []Message, b []byte) ([]Message, error) {
	for c.err == nil && len(b) > 0 {
		if c.have < headSize {
			n := copy(c.head[c.have:], b)
			c.have += uint8(n)
			b = b[n:]
			if c.have < headSize {
				break
			}
		}
		announced := binary.BigEndian.Uint32(c.head[:])
		if uint64(announced) > uint64(c.max) {
			// Refused before a byte of it is kept: the header is the peer's claim.
			c.buf, c.have, c.err = nil, 0, ErrTooLong
			break
		}
		size := int(announced)
		missing := size - len(c.buf)
		if len(b) < missing {
			if len(b) > 0 {
				c.buf = extend(c.buf, b, size)
			}
			break
		}
		dst = append(dst, Message{Body: c.complete(b[:missing], size), Mark: MarkLength})
		c.buf, c.have, b = nil, 0, b[missing:]
	}
	return dst, c.err
}

// complete returns the body of which b is the last part. The buffer never has
// more room than the body needs, so a full one is handed over as it is.
func (c *lengthCodec) complete(b []byte, size int) []byte {
	if cap(c.buf) == size && size > 0 {
		return append(c.buf, b...)
	}
	return join(c.buf, b)
}

func (c *lengthCodec) Patience() (quiet, age time.Duration) { return 0, 0 }

func (c *lengthCodec) Pause(dst []Message, _, _ time.Duration) []Message { return dst }

// End keeps what was cut for Rest.
func (c *lengthCodec) End(dst []Message) ([]Message, error) {
	if c.err == nil && c.have > 0 {
		c.err = ErrCut
	}
	return dst, c.err
}

// Rest includes the header.
func (c *lengthCodec) Rest() []byte {
	if c.have == 0 {
		return nil
	}
	rest := join(c.head[:c.have], c.buf)
	c.buf, c.have = nil, 0
	return rest
}

// Append returns ErrTooLong for a body whose length does not fit into the header.
func (c *lengthCodec) Append(dst, body []byte) ([]byte, error) {
	if uint64(len(body)) > math.MaxUint32 {
		return dst, ErrTooLong
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(body)))
	return append(dst, body...), nil
}

func (c *lengthCodec) AppendFarewell(dst, body []byte) ([]byte, error) {
	return c.Append(dst, body)
}

func (c *lengthCodec) Sent() {}

func (c *lengthCodec) Gap() time.Duration { return 0 }
