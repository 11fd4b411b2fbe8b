package duettest

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// Faults are what a [Proxy] or [Chaos] does to a connection. The zero Faults pass everything on: bytes, half-close each way,
// and reset. A reset stays behind the bytes before it. A receiver that does not read those bytes learns of the reset when
// it writes, at most 1 s later.
type Faults struct {
	Up   Direction // from the client to the server
	Down Direction // from the server to the client

	// Seed starts the random numbers of Jitter, Pieces and Cut. Each direction of each connection has its own numbers: the
	// same seed gives the same numbers for a proxy's n-th connection.
	Seed uint64
}

// Direction is what happens to the bytes that go one way. The zero value of each field changes nothing.
//
// The four Offsets count the bytes that were passed on in this direction since the connection was made. If several are
// equal, the first in this list holds.
type Direction struct {
	// ResetAfter resets the connection: both sides get a RST. A receiver that had room for the bytes before the RST has
	// got them.
	ResetAfter Offset

	// CutAfter closes the connection: both sides get a FIN and no more bytes. For 1 s, bytes that they
	// still send are dropped. Later bytes are answered with a RST.
	CutAfter Offset

	// HalfCloseAfter sends FIN to the receiver and drops all bytes after it. The other direction goes on.
	HalfCloseAfter Offset

	// BlackHoleAfter drops all bytes after it, and also the sender's FIN and RST. The connection stays open. SetFaults ends
	// this fault, but a dropped FIN does not come back.
	BlackHoleAfter Offset

	// FlipByte is the position of one byte whose lowest bit is inverted. The first byte has position 1.
	FlipByte int64

	Latency time.Duration // the delay of each byte, FIN and RST
	Jitter  time.Duration // the most of a random delay in addition to Latency; the order stays

	// Rate is the number of bytes that pass in a second.
	Rate int

	// Pieces cuts each chunk into small writes. A chunk is what one read returned, at most 32 KiB. Each write is a segment of
	// its own.
	Pieces Pieces

	// Cut, if set, is used instead of Pieces. It can look at the bytes. It is called once for each connection. The function
	// that it returns is called for each chunk, in order, and returns the lengths of the pieces. The rest of the chunk is
	// one more piece. See [CutLines] and [CutLengths].
	Cut func(rng *rand.Rand) func(chunk []byte) []int
}

// Offset is the number of bytes after which a fault begins. Zero: never. [AtOnce]: before the first byte.
type Offset int64

// AtOnce is the [Offset] of a fault that begins as soon as the connection is made, before the first byte. A reset may
// then come while the client still connects: its dial fails with syscall.ECONNRESET.
const AtOnce Offset = -1

// reached reports whether the fault has begun after n bytes.
func (o Offset) reached(n int64) bool { return o < 0 || o > 0 && n >= int64(o) }

// Pieces says how bytes are cut into small writes. The zero Pieces do not cut.
type Pieces struct {
	// Min and Max are the smallest and the largest piece in bytes. All sizes between them are equally likely. A Min below 1
	// is 1. A Max below 1 does not cut.
	Min, Max int

	// UpTo is the length in bytes of the longest chunk that is cut, or with CutLines and CutLengths of the longest message.
	// Zero: all are cut.
	UpTo int
}

// cut appends to dst the lengths of the pieces of n bytes.
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

// CutLines returns a function for [Direction.Cut] that cuts messages which end with delim, each by itself. A message longer
// than p.UpTo is not cut, except at the end of a chunk. If only its first bytes are in a chunk, these may be cut.
func CutLines(delim byte, p Pieces) func(*rand.Rand) func([]byte) []int {
	return func(rng *rand.Rand) func([]byte) []int {
		before := 0 // bytes of the present message in earlier chunks
		return func(chunk []byte) (pieces []int) {
			for len(chunk) > 0 {
				n := bytes.IndexByte(chunk, delim) + 1
				complete := n > 0
				if !complete {
					n = len(chunk)
				}
				if p.UpTo > 0 && before+n > p.UpTo {
					pieces = append(pieces, n)
				} else {
					pieces = p.cut(pieces, n, rng)
				}
				if before += n; complete {
					before = 0
				}
				chunk = chunk[n:]
			}
			return pieces
		}
	}
}

// CutLengths returns a function for [Direction.Cut] that cuts messages which begin with their length in 4 bytes, big endian,
// each by itself, and these 4 bytes too. A body longer than p.UpTo is not cut, except at the end of a chunk.
func CutLengths(p Pieces) func(*rand.Rand) func([]byte) []int {
	return func(rng *rand.Rand) func([]byte) []int {
		var head []byte // the length of the next message, as far as it has come
		var left int64  // bytes of the present message's body that have not come
		isLong := false // the present message is longer than UpTo
		anyLength := p  // for a part of a message: only the length of the whole counts for UpTo
		anyLength.UpTo = 0
		return func(chunk []byte) (pieces []int) {
			for len(chunk) > 0 {
				if left == 0 {
					n := min(4-len(head), len(chunk))
					head = append(head, chunk[:n]...)
					if len(head) == 4 {
						left = int64(binary.BigEndian.Uint32(head))
						isLong = p.UpTo > 0 && left > int64(p.UpTo)
						head = head[:0]
					}
					pieces = anyLength.cut(pieces, n, rng)
					chunk = chunk[n:]
					continue
				}
				n := int(min(left, int64(len(chunk))))
				if isLong {
					pieces = append(pieces, n)
				} else {
					pieces = anyLength.cut(pieces, n, rng)
				}
				left -= int64(n)
				chunk = chunk[n:]
			}
			return pieces
		}
	}
}
