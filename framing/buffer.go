package framing

// minBuffer is the smallest buffer for pending bytes: below it, pieces of a few
// bytes would cost an allocation each.
const minBuffer = 64

// join returns head and tail in a slice of their own, exactly sized.
//
// Like extend it is not inlined: the frames of codecs must be small, for they stand on the stack of a
// conversation, whose 2 KiB would grow and not shrink again.
//
//go:noinline
func join(head, tail []byte) []byte {
	body := make([]byte, len(head)+len(tail))
	copy(body[copy(body, head):], tail)
	return body
}

// exact returns buf in a slice without spare room, buf itself if it has none.
// The caller gives buf up.
func exact(buf []byte) []byte {
	if len(buf) == cap(buf) {
		return buf
	}
	return join(buf, nil)
}

// extend appends b to buf. It grows by doubling, so that a byte at a time costs
// little, but never beyond limit, which buf and b together must not exceed:
// append alone would round up.
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

// limitOf is the limit that New was asked for. The highest is a little below the
// highest int, so that a delimiter can be added to it.
func limitOf(n int) int {
	if n <= 0 {
		return DefaultMaxMessage
	}
	return min(n, int(^uint(0)>>1)-8)
}
