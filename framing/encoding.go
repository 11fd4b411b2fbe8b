package framing

import (
	"encoding/binary"
	"unicode/utf8"
)

// An Encoding is a text encoding. [Raw] and [Auto] ask it where characters end, so that a pause inside a character ends no
// message. Several goroutines may use it at the same time.
type Encoding interface {
	// Unfinished returns the number of bytes at the end of b, at most 3, that begin a character whose rest has not arrived.
	// It also reports whether the bytes before them are text: valid in this encoding, and without control characters
	// except TAB, CR, LF and ESC. A character begins at b[0]. An encoding in which each character is one byte returns 0 and
	// true.
	Unfinished(b []byte) (tail int, text bool)
}

// A burst is the bytes between two pauses. It knows whether they are text, and which of them begin a character. The zero
// burst has no bytes. It is small, because each decoder of Raw and Auto has one.
type burst struct {
	begun [maxUnfinished]byte // the beginning of a character
	n     uint8               // how many bytes of begun are in use; notText if the burst is not text
}

const (
	// maxUnfinished is the greatest length of the beginning of a character.
	maxUnfinished = 3
	notText       = 0xff
)

// inCharacter reports whether the burst ends inside a character of text.
func (s *burst) inCharacter() bool { return s.n > 0 && s.n != notText }

// add adds the next bytes of the burst. It looks at each byte once, however the bytes are cut.
func (s *burst) add(e Encoding, b []byte) {
	if s.inCharacter() && len(b) > 0 {
		b = s.resume(e, b)
	}
	if s.n == notText || len(b) == 0 {
		return
	}
	s.scan(e, b)
}

// scan looks at bytes that begin with a character.
func (s *burst) scan(e Encoding, b []byte) {
	tail, text := unfinished(e, b)
	if !text {
		s.n = notText
		return
	}
	s.n = uint8(copy(s.begun[:], b[len(b)-tail:]))
}

// resume looks at the character that has begun, together with bytes from b. It returns the bytes of b that are still to be scanned.
func (s *burst) resume(e Encoding, b []byte) []byte {
	const few = 16 // more than the longest character
	joined := make([]byte, 0, few)
	joined = append(joined, s.begun[:s.n]...)
	n := min(len(b), few-len(joined))
	joined = append(joined, b[:n]...)
	s.scan(e, joined)
	if s.n == notText || n == len(b) {
		return nil
	}
	return b[n-int(s.n):]
}

// unfinished calls e.Unfinished and bounds its answer. If e is nil, the encoding is UTF-8.
func unfinished(e Encoding, b []byte) (tail int, text bool) {
	if e == nil {
		return unfinishedUTF8(b)
	}
	tail, text = e.Unfinished(b)
	return max(0, min(tail, len(b), maxUnfinished)), text
}

// openTail returns the number of bytes at the end of a piece that begin a character. The piece need not be text.
func openTail(e Encoding, piece []byte) int {
	if e != nil {
		tail, _ := unfinished(e, piece)
		return tail
	}
	for n := 1; n < utf8.UTFMax && n <= len(piece); n++ {
		if b := piece[len(piece)-n]; utf8.RuneStart(b) {
			if b >= utf8.RuneSelf && !utf8.FullRune(piece[len(piece)-n:]) {
				return n
			}
			break
		}
	}
	return 0
}

func unfinishedUTF8(b []byte) (tail int, text bool) {
	for len(b) > 0 {
		b = b[plainPrefix(b):]
		for range wordSize {
			if len(b) == 0 {
				break
			}
			r, size := rune(b[0]), 1
			if r >= utf8.RuneSelf {
				r, size = utf8.DecodeRune(b)
			}
			switch {
			case r == utf8.RuneError && size == 1 && !utf8.FullRune(b):
				return len(b), true
			case r == utf8.RuneError && size == 1 || isControl(r):
				return 0, false
			}
			b = b[size:]
		}
	}
	return 0, true
}

// isControl reports whether r is a control character that text does not hold.
func isControl(r rune) bool {
	switch r {
	case '\t', '\n', '\r', '\x1b':
		return false
	}
	return r < ' ' || r >= '\x7f' && r < '\u00a0' // [F-6]
}

// wordSize is the number of bytes that plainPrefix looks at together.
const wordSize = 8

// plainPrefix returns the length of a prefix of b that is printable ASCII. It looks at whole words only, so that a large burst
// costs little. The prefix may go on by less than a word.
func plainPrefix(b []byte) (n int) {
	const (
		ones  = 0x0101_0101_0101_0101
		highs = 0x80 * ones
		space = ' ' * ones
	)
	for ; len(b)-n >= wordSize; n += wordSize {
		// The highest bit of a byte is set if it is set in the byte (v), or the byte is below the space (v-space), or it is
		// DEL (v+ones). A carry reaches other bytes only after one of these.
		if v := binary.LittleEndian.Uint64(b[n:]); (v|(v-space)|(v+ones))&highs != 0 {
			break
		}
	}
	return n
}
