package duettest

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// Faults says what a [Proxy] or [Chaos] does to a connection. The zero Faults passes everything on:
// bytes, half-close each way, and reset. A reset keeps its place behind the bytes before it, so that a
// receiver that does not read learns of it late, or when it writes: within a second.
type Faults struct {
	Up   Direction // from the client to the server
	Down Direction // from the server to the client

	// Seed starts the random numbers of Jitter and Pieces. Every direction of every connection has
	// its own, so that the same seed gives the same numbers for a proxy's n-th connection.
	Seed uint64
}

// Direction says what happens to what goes one way. The zero value of each field changes nothing.
//
// The four Offsets say after how many bytes something happens; if several name the same place, the
// one that stands first here wins. They count the bytes that were passed on in this direction since
// the connection was made.
type Direction struct {
	// ResetAfter resets the connection: both sides get a RST. A receiver that had room for the
	// bytes before it has them.
	ResetAfter Offset

	// CutAfter closes the connection: both sides get a FIN and no byte more. What they still send
	// is thrown away for a second, if they do not close themselves, and reset after that.
	CutAfter Offset

	// HalfCloseAfter sends FIN to the receiver and throws away what follows. The other direction
	// goes on.
	HalfCloseAfter Offset

	// BlackHoleAfter throws away what follows, the sender's FIN and RST too, and keeps the
	// connection open, until SetFaults ends it; a FIN that was thrown away does not come back.
	BlackHoleAfter Offset

	// FlipByte is the place, counted from 1, of one byte whose lowest bit is inverted.
	FlipByte int64

	Latency time.Duration // delay of each byte, FIN and RST
	Jitter  time.Duration // random delay on top, from 0 up to this; the order stays

	// Rate is how many bytes pass in a second.
	Rate int

	// Pieces cuts what was read at once into small writes, each a segment of its own.
	Pieces Pieces

	// Cut takes the place of Pieces where it has to be known what the bytes are. It is called once
	// for each connection, and what it returns, once for each chunk of up to 32 KiB that was read,
	// in order, and answers with the lengths of the pieces; what they do not cover is one piece
	// more. See [CutLines] and [CutLengths].
	Cut func(rng *rand.Rand) func(chunk []byte) []int
}

// Offset is a number of bytes after which something happens: 0 is never, [AtOnce] before the first.
type Offset int64

// AtOnce is the [Offset] of what happens before the first byte, as soon as the connection is made. A
// reset may then meet the client while it connects: its dial fails with syscall.ECONNRESET.
const AtOnce Offset = -1

// reached tells whether it is time after n bytes.
func (o Offset) reached(n int64) bool { return o < 0 || o > 0 && n >= int64(o) }

// Pieces says how bytes are cut into small writes. The zero value does not cut.
type Pieces struct {
	// Min and Max are the bounds of a piece in bytes; the sizes between them are equally likely.
	// Min below 1 is 1; Max below 1 does not cut.
	Min, Max int

	// UpTo spares what is longer, in bytes: a chunk, or with CutLines and CutLengths a message. 0
	// spares nothing.
	UpTo int
}

// cut appends to dst the lengths of the pieces of something n bytes long.
func (p Pieces) cut(dst []int, n int, rng *rand.Rand) []int {
	if p.Max < 1 || p.UpTo > 0 && n > p.UpTo {
		return append(dst, n)
	}
	low := max(p.Min, 1)
	for n > 0 {
		size := min(n, low+rng.IntN(max(p.Max-low, 0)+1))
		dst = append(dst, size)
		n -= size
	}
	return dst
}

// CutLines is for [Direction.Cut]: messages that end with delim are cut one by one, and those
// longer than p.UpTo pass whole, apart from where a chunk ends. A long message whose first bytes
// end a chunk may have these cut.
func CutLines(delim byte, p Pieces) func(*rand.Rand) func([]byte) []int {
	return func(rng *rand.Rand) func([]byte) []int {
		before := 0 // how much of the present message earlier chunks held
		return func(chunk []byte) (pieces []int) {
			for len(chunk) > 0 {
				n := bytes.IndexByte(chunk, delim) + 1
				ended := n > 0
				if !ended {
					n = len(chunk)
				}
				if p.UpTo > 0 && before+n > p.UpTo {
					pieces = append(pieces, n)
				} else {
					pieces = p.cut(pieces, n, rng)
				}
				if before += n; ended {
					before = 0
				}
				chunk = chunk[n:]
			}
			return pieces
		}
	}
}

// CutLengths is for [Direction.Cut]: messages that begin with their length in four bytes, big
// endian, are cut one by one, the four bytes too, and those whose body is longer than p.UpTo pass
// whole, apart from where a chunk ends.
func CutLengths(p Pieces) func(*rand.Rand) func([]byte) []int {
	return func(rng *rand.Rand) func([]byte) []int {
		var head []byte // of the next message, as far as it is known
		var left int64  // of the present message's body
		whole := false  // the present message is longer than UpTo
		always := p     // for a part of a message, whose own length does not count
		always.UpTo = 0
		return func(chunk []byte) (pieces []int) {
			for len(chunk) > 0 {
				if left == 0 {
					n := min(4-len(head), len(chunk))
					head = append(head, chunk[:n]...)
					if len(head) == 4 {
						left = int64(binary.BigEndian.Uint32(head))
						whole = p.UpTo > 0 && left > int64(p.UpTo)
						head = head[:0]
					}
					pieces = always.cut(pieces, n, rng)
					chunk = chunk[n:]
					continue
				}
				n := int(min(left, int64(len(chunk))))
				if whole {
					pieces = append(pieces, n)
				} else {
					pieces = always.cut(pieces, n, rng)
				}
				left -= int64(n)
				chunk = chunk[n:]
			}
			return pieces
		}
	}
}
