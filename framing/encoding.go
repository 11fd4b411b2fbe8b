package framing

import (
	"encoding/binary"
	"unicode/utf8"
)

// An Encoding says where characters end in one text encoding. [Raw] and [Auto] ask it, so that
// a pause inside a character ends no message. Any number of goroutines may use it.
type Encoding interface {
	// Unfinished returns how many bytes at the end of b begin a character whose rest has not
	// arrived, at most 3, and whether the bytes before them are text: valid in this encoding, and without
	// control characters except TAB, CR, LF and ESC. b begins where a character begins. An
	// encoding whose characters are single bytes returns 0 and true.
	Unfinished(b []byte) (tail int, text bool)
}

// An EncodingCodec is a codec that needs to know the peer's text encoding; those of [Raw] and [Auto] do.
type EncodingCodec interface {
	Codec
	// SetEncoding changes the encoding. Nil is UTF-8, with which a codec begins. The goroutine that
	// calls Feed calls it.
	SetEncoding(e Encoding)
}

// A burst is what a codec has seen of the bytes between two pauses: whether they are text, and which of
// them begin a character. The zero burst has no bytes. It is small because each codec has one.
type burst struct {
	begun [maxUnfinished]byte // the beginning of a character
	n     uint8               // how many bytes of begun count; notText if the burst is not text
}

const (
	// maxUnfinished is the length of the longest beginning of a character.
	maxUnfinished = 3
	notText       = 0xff
)

// inCharacter reports whether the burst ends inside a character of text [F-6].
func (s *burst) inCharacter() bool { return s.n > 0 && s.n != notText }

// add takes the next bytes of the burst. It looks at each byte once, however they are cut.
func (s *burst) add(e Encoding, b []byte) {
	if s.inCharacter() && len(b) > 0 {
		b = s.resume(e, b)
	}
	if s.n == notText || len(b) == 0 {
		return
	}
	s.note(b, e)
}

// note looks at bytes that begin with a character.
func (s *burst) note(b []byte, e Encoding) {
	tail, text := unfinished(e, b)
	if !text {
		s.n = notText
		return
	}
	s.n = uint8(copy(s.begun[:], b[len(b)-tail:]))
}

// resume looks at the character that has begun, with the bytes that come next, and returns the bytes
// that remain to be looked at.
func (s *burst) resume(e Encoding, b []byte) []byte {
	const few = 16 // more than the longest character
	joined := make([]byte, 0, few)
	joined = append(joined, s.begun[:s.n]...)
	taken := min(len(b), few-len(joined))
	joined = append(joined, b[:taken]...)
	s.note(joined, e)
	if s.n == notText || taken == len(b) {
		return nil
	}
	return b[taken-int(s.n):]
}

// unfinished is e.Unfinished, of UTF-8 if e is nil.
func unfinished(e Encoding, b []byte) (tail int, text bool) {
	if e == nil {
		return unfinishedUTF8(b)
	}
	tail, text = e.Unfinished(b)
	return max(0, min(tail, len(b), maxUnfinished)), text
}

// openTail returns how many bytes at the end of a piece begin a character. The piece need not be text.
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

// isControl reports whether r is a control character that text does not hold [F-6].
func isControl(r rune) bool {
	switch r {
	case '\t', '\n', '\r', '\x1b':
		return false
	}
	return r < ' ' || r >= '\x7f' && r < '\u00a0'
}

// wordSize is how many bytes plainPrefix takes at a time.
const wordSize = 8

// plainPrefix returns the length of a beginning of b that is printable ASCII. It takes words and leaves
// the rest: a large burst costs little.
func plainPrefix(b []byte) (n int) {
	const (
		ones  = 0x0101_0101_0101_0101
		highs = 0x80 * ones
		space = ' ' * ones
	)
	for ; len(b)-n >= wordSize; n += wordSize {
		// The highest bit of a byte is set if the byte has it (v), is below the space (v-space) or is
		// DEL (v+ones). A carry reaches other bytes only if one of these is so.
		if v := binary.LittleEndian.Uint64(b[n:]); (v|(v-space)|(v+ones))&highs != 0 {
			break
		}
	}
	return n
}
