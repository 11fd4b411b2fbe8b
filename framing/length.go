package framing

import (
	"encoding/binary"
	"math"
	"time"
)

// Length puts the length of each message before it, in four bytes, the highest first. A body may hold any bytes. If the
// stream ends inside a message, the decoder returns [ErrCut].
var Length Framing = length{}

// headSize is the number of bytes that hold the length.
const headSize = 4

// A length is the framing, its encoder and its wire encoding.
type length struct{}

func (length) New(max int) (Decoder, Encoder) { return &lengthDecoder{max: limitOf(max)}, length{} }

func (length) String() string { return "length" }

func (length) WireEncoding(bool) WireEncoding { return length{} }

func (length) Gap(int) time.Duration { return 0 }

// Append returns ErrTooLong if the length of the body needs more than four bytes.
func (length) Append(dst, body []byte) ([]byte, error) {
	if uint64(len(body)) > math.MaxUint32 {
		return dst, ErrTooLong
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(body)))
	return append(dst, body...), nil
}

type lengthDecoder struct {
	untimed
	buffer       // the part of the body that has arrived
	err    error // returned by each call from now on
	max    int
	head   [headSize]byte
	have   uint8 // how many bytes of head have arrived
}

var _ TimedDecoder = (*lengthDecoder)(nil)

func (d *lengthDecoder) Feed(dst []Message, b []byte) ([]Message, error) {
	for d.err == nil && len(b) > 0 {
		if d.have < headSize {
			n := copy(d.head[d.have:], b)
			d.have += uint8(n)
			b = b[n:]
			if d.have < headSize {
				break
			}
		}
		announced := binary.BigEndian.Uint32(d.head[:])
		if uint64(announced) > uint64(d.max) {
			// The header is only the peer's claim, so no byte of the body is kept.
			d.buf, d.have, d.err = nil, 0, ErrTooLong
			break
		}
		size := int(announced)
		missing := size - len(d.buf)
		if len(b) < missing {
			if len(b) > 0 {
				d.buf = extend(d.buf, b, size)
			}
			break
		}
		dst = append(dst, Message{Body: d.complete(b[:missing], size), Mark: MarkLength})
		d.buf, d.have, b = nil, 0, b[missing:]
	}
	return dst, d.err
}

// complete returns the body, of which b is the last part. The buffer never has more room than the body needs. If it has as much,
// it becomes the body.
func (d *lengthDecoder) complete(b []byte, size int) []byte {
	if cap(d.buf) == size && size > 0 {
		return append(d.buf, b...)
	}
	return join(d.buf, b)
}

// End keeps the bytes of the message that was cut. Rest returns them.
func (d *lengthDecoder) End(dst []Message) ([]Message, error) {
	if d.err == nil && d.have > 0 {
		d.err = ErrCut
	}
	return dst, d.err
}

// Rest includes the header.
func (d *lengthDecoder) Rest() []byte {
	if d.have == 0 {
		return nil
	}
	rest := join(d.head[:d.have], d.buf)
	d.buf, d.have = nil, 0
	return rest
}
