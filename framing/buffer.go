package framing

import "time"

// minBuffer is the smallest room of a buffer in bytes. With less, pieces of a few bytes would cost an allocation each.
const minBuffer = 64

// A buffer holds the bytes of an unfinished message. Decoders embed it.
type buffer struct {
	buf []byte // nil if no message is unfinished
}

func (b *buffer) Held() int { return cap(b.buf) }

func (b *buffer) Shrink() { b.buf = exact(b.buf) }

func (b *buffer) Rest() []byte {
	rest := b.buf
	b.buf = nil
	return rest
}

// An untimed decoder ends no message at a pause. It has the methods of a TimedDecoder all the same, so that a conversation keeps no
// wrapper for it.
type untimed struct{}

func (untimed) Patience() (quiet, age time.Duration) { return 0, 0 }

func (untimed) Pause(dst []Message, _, _ time.Duration) []Message { return dst }

func (untimed) SetEncoding(Encoding) {}

// join returns head and tail in a new slice without spare room.
//
// Neither join nor extend is inlined, because the frames of decoders must be small. They stand on the stack of a conversation.
// It has 2 KiB, and would grow and not shrink again.
//
//go:noinline
func join(head, tail []byte) []byte {
	body := make([]byte, len(head)+len(tail))
	copy(body[copy(body, head):], tail)
	return body
}

// exact returns the bytes of buf in a slice without spare room. That is buf itself if it has none. The caller does not use
// buf any more.
func exact(buf []byte) []byte {
	if len(buf) == cap(buf) {
		return buf
	}
	return join(buf, nil)
}

// extend appends b to buf. The room doubles, so that single bytes cost little, but never exceeds limit; append would round it up.
// Both together are at most limit bytes.
//
//go:noinline
func extend(buf, b []byte, limit int) []byte {
	need := len(buf) + len(b)
	if need > cap(buf) {
		grown := make([]byte, len(buf), max(need, min(max(2*cap(buf), minBuffer), limit)))
		copy(grown, buf)
		buf = grown
	}
	return append(buf, b...)
}

// limitOf returns the limit in bytes that the argument of New means. It is at most 8 below the highest int, so that a delimiter
// can be added to it.
func limitOf(n int) int {
	if n <= 0 {
		return DefaultMaxMessage
	}
	return min(n, int(^uint(0)>>1)-8)
}
