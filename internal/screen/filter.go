package screen

import (
	"bytes"
	"unicode/utf8"
)

const (
	// maxMarks is how many combining marks a base may carry: enough for pointed Hebrew and Vietnamese,
	// too few to write over the lines above.
	maxMarks = 4
	// maxJoins is how many U+200D an emoji may hold; the longest recommended sequence has three.
	maxJoins = 4
)

type verdict uint8

const (
	pass    verdict = iota
	spell           // to be spelled out
	tab             // to become blanks
	lineEnd         // LF or CRLF
	more            // cannot be decided before more bytes are there
)

// place is what stands before the next character, as far as that matters for what may follow.
type place uint8

const (
	nothing place = iota // line start, a blank, something spelled out
	base
	keycapBase // 0-9 # *
	emojiBase
	emojiSelected // an emoji and U+FE0F
	emojiToned    // an emoji and a skin tone
	joined        // an emoji and U+200D; an emoji is known to follow
)

// filter decides character by character. It looks back only through its own fields and forward at most
// one character. The zero filter stands at the start of a line.
type filter struct {
	place place
	marks uint8
	joins uint8
}

// next judges the first character of b, which is not empty, and moves past it: n is its length, 2 for
// CRLF. Unless atEOF, the verdict may be more; then n is 0 and nothing has changed.
func (f *filter) next(b []byte, atEOF bool) (n int, v verdict) {
	if c := b[0]; c < utf8.RuneSelf {
		return f.ascii(b, atEOF)
	}
	if !atEOF && !utf8.FullRune(b) {
		return 0, more
	}
	r, n := utf8.DecodeRune(b)
	if r == utf8.RuneError && n == 1 {
		*f = filter{}
		return 1, spell
	}
	v = f.judge(r, b[n:], atEOF)
	switch v {
	case more:
		return 0, more
	case spell:
		*f = filter{}
	}
	return n, v
}

func (f *filter) ascii(b []byte, atEOF bool) (int, verdict) {
	switch c := b[0]; {
	case c > ' ' && c < 0x7f:
		*f = filter{place: asciiPlace(c)}
		return 1, pass
	case c == '\r':
		if len(b) == 1 && !atEOF {
			return 0, more
		}
		*f = filter{}
		if len(b) > 1 && b[1] == '\n' {
			return 2, lineEnd
		}
		return 1, spell
	case c == ' ':
		*f = filter{}
		return 1, pass
	case c == '\t':
		*f = filter{}
		return 1, tab
	case c == '\n':
		*f = filter{}
		return 1, lineEnd
	default:
		*f = filter{}
		return 1, spell
	}
}

func asciiPlace(c byte) place {
	switch {
	case c == ' ':
		return nothing
	case c >= '0' && c <= '9', c == '#', c == '*':
		return keycapBase
	default:
		return base
	}
}

// judge decides about r, which is not ASCII; rest is what follows it.
func (f *filter) judge(r rune, rest []byte, atEOF bool) verdict {
	switch kindOf(r) {
	case graphic:
		*f = filter{place: base}
		return pass
	case emoji:
		joins := uint8(0)
		if f.place == joined {
			joins = f.joins
		}
		*f = filter{place: emojiBase, joins: joins}
		return pass
	case wideBlank:
		*f = filter{}
		return pass
	case mark:
		if f.place == nothing || f.marks == maxMarks {
			return spell
		}
		f.place = base
		f.marks++
		return pass
	case skinTone:
		if f.place != emojiBase {
			return spell
		}
		f.place = emojiToned
		return pass
	case selector:
		return f.selector(rest, atEOF)
	case joiner:
		return f.joiner(rest, atEOF)
	default:
		return spell
	}
}

// keycap is U+20E3, which makes a key of a digit and U+FE0F.
var keycap = []byte("\u20e3")

func (f *filter) selector(rest []byte, atEOF bool) verdict {
	switch f.place {
	case emojiBase:
		f.place = emojiSelected
		return pass
	case keycapBase:
		if bytes.HasPrefix(rest, keycap) {
			f.place = base
			return pass
		}
		if !atEOF && bytes.HasPrefix(keycap, rest) {
			return more
		}
	}
	return spell
}

func (f *filter) joiner(rest []byte, atEOF bool) verdict {
	switch f.place {
	case emojiBase, emojiSelected, emojiToned:
	default:
		return spell
	}
	if f.joins == maxJoins {
		return spell
	}
	if !utf8.FullRune(rest) && !atEOF {
		return more
	}
	if r, _ := utf8.DecodeRune(rest); r < utf8.RuneSelf || kindOf(r) != emoji {
		return spell
	}
	f.place = joined
	f.joins++
	return pass
}

// plain returns how many bytes at the start of b stand in the output as they are.
func (f *filter) plain(b []byte) int {
	for i := 0; i < len(b); {
		if c := b[i]; c >= ' ' && c < 0x7f {
			for i++; i < len(b) && b[i] >= ' ' && b[i] < 0x7f; i++ {
			}
			*f = filter{place: asciiPlace(b[i-1])}
			continue
		}
		n, v := f.next(b[i:], true)
		if v != pass {
			return i
		}
		i += n
	}
	return len(b)
}

const hex = "0123456789abcdef"

// appendSpelled spells one character out: a byte, or the UTF-8 of a code point.
func appendSpelled(dst, char []byte) []byte {
	switch {
	case char[0] == '\n':
		return append(dst, '\\', 'n')
	case len(char) == 1:
		return append(dst, '\\', 'x', hex[char[0]>>4], hex[char[0]&15])
	}
	r, n := utf8.DecodeRune(char)
	switch {
	case n == 1:
		return append(dst, '\\', 'x', hex[char[0]>>4], hex[char[0]&15])
	case r <= 0x9f:
		return append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
	}
	dst = append(dst, '\\', 'u', '{')
	digits := 4
	for digits < 6 && r>>(4*digits) != 0 {
		digits++
	}
	for digits--; digits >= 0; digits-- {
		dst = append(dst, hex[r>>(4*digits)&15])
	}
	return append(dst, '}')
}
