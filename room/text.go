package room

import (
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"

	"duet.example/duet/internal/charset"
	"duet.example/duet/internal/screen"
)

// maxLine is how many bytes of what a peer said make one line; what is longer goes on in the next, labelled again. Spelled
// out, every byte is four at the most: a line stays below framing.DefaultMaxMessage, so that nobody
// can end the others by what their own limit does not let in.
const maxLine = 64 << 10

// nextLine cuts the first line off text: it ends at a line end of any kind that some program takes for one (LF, CR, VT, FF,
// NEL, U+2028, U+2029), or at maxLine.
func nextLine(text []byte) (line, rest []byte) {
	for i, c := range text {
		if i == maxLine {
			return cutRune(text)
		}
		if n := lineEnd(c, text[i:]); n > 0 {
			return text[:i], text[i+n:]
		}
	}
	return text, nil
}

// lineEnd is how long the line end is that text, whose first byte is c, begins with; 0 where it begins with none.
func lineEnd(c byte, text []byte) int {
	switch {
	case c >= '\n' && c <= '\r':
		return 1
	case c < 0xc2:
		return 0
	case c == 0xc2 && len(text) > 1 && text[1] == 0x85:
		return 2
	case c == 0xe2 && len(text) > 2 && text[1] == 0x80 && text[2]&^1 == 0xa8:
		return 3
	}
	return 0
}

// cutRune cuts text at maxLine, or before the character that stands there.
func cutRune(text []byte) (line, rest []byte) {
	at := maxLine
	for at > maxLine-utf8.UTFMax && !utf8.RuneStart(text[at]) {
		at--
	}
	return text[:at], text[at:]
}

// safe is the form of a line that others get: one line, with nothing in it that steers a terminal.
func safe(line []byte) string {
	return screen.Line(screen.Untrusted(line), screen.Style{})
}

// appendText appends text in encoding e. What e does not have is spelled out, as \u{4f60}.
func appendText(dst []byte, e *charset.Encoding, text string) []byte {
	if e == nil {
		return append(dst, text...)
	}
	b, err := e.Encode(text)
	if err == nil {
		return append(dst, b...)
	}
	// One by one, as looking for the next that is missing again and again takes too long where all are.
	for _, r := range text {
		if b, err = e.Encode(string(r)); err == nil {
			dst = append(dst, b...)
		} else {
			dst = fmt.Appendf(dst, `\u{%x}`, r)
		}
	}
	return dst
}

// A batch is lines in the making, one behind the other in one buffer.
type batch struct {
	buf  []byte
	ends []int
}

// add adds a line of parts.
func (b *batch) add(e *charset.Encoding, parts ...string) {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	b.buf = slices.Grow(b.buf, size)
	for _, p := range parts {
		b.buf = appendText(b.buf, e, p)
	}
	b.ends = append(b.ends, len(b.buf))
}

// addBytes adds a line that is in its encoding already.
func (b *batch) addBytes(line []byte) {
	b.buf = append(b.buf, line...)
	b.ends = append(b.ends, len(b.buf))
}

// batches are those of members who have been welcomed, for the next.
var batches = sync.Pool{New: func() any { return new(batch) }}

// spare gives b back, unless a long history was in it.
func (b *batch) spare() {
	if cap(b.buf) <= 8<<10 {
		b.buf, b.ends = b.buf[:0], b.ends[:0]
		batches.Put(b)
	}
}

func (b *batch) empty() bool { return len(b.ends) == 0 }

// bodies are the lines. They are the batch's own.
func (b *batch) bodies() [][]byte {
	all := make([][]byte, len(b.ends))
	from := 0
	for i, to := range b.ends {
		all[i] = b.buf[from:to:to]
		from = to
	}
	return all
}
