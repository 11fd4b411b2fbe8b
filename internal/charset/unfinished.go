package charset

import (
	"errors"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	textunicode "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// decoded are buffers for text that is looked at and thrown away: a conversation must not keep one.
var decoded = sync.Pool{New: func() any { return new([4 << 10]byte) }}

// Unfinished returns how many bytes at the end of b begin a character whose rest has not arrived, at
// most 3, and whether the bytes before them are text: valid in this encoding, and without control
// characters except TAB, CR, LF and ESC. b begins where a character begins. Where characters are single
// bytes none is unfinished, and b is not looked at: the result is 0 and true.
func (e *Encoding) Unfinished(b []byte) (tail int, text bool) {
	text = true
	if e.singleBytes() {
		return 0, text
	}
	dec := e.coder().NewDecoder()
	buf := decoded.Get().(*[4 << 10]byte)
	defer decoded.Put(buf)
	for len(b) > 0 {
		nDst, nSrc, err := dec.Transform(buf[:], b, false)
		text = text && e.isText(buf[:nDst], b[:nSrc])
		b = b[nSrc:]
		if err != nil && !errors.Is(err, transform.ErrShortDst) {
			break
		}
	}
	switch {
	case len(b) == 0:
		return 0, text
	case e.beginsCharacter(b):
		return len(b), text
	}
	return 0, false
}

func (e *Encoding) singleBytes() bool {
	if e.IsUTF8() {
		return false
	}
	_, ok := e.enc.(*charmap.Charmap)
	return ok || e.enc == nil
}

// coder is the encoding itself, also for UTF-8.
func (e *Encoding) coder() encoding.Encoding {
	if e.IsUTF8() {
		return textunicode.UTF8
	}
	return e.enc
}

// isText reports whether out, which was decoded from b, is text.
func (e *Encoding) isText(out, b []byte) bool {
	for i := 0; i < len(out); {
		r, n := utf8.DecodeRune(out[i:])
		switch {
		case r == utf8.RuneError:
			return e.decodesAll(b)
		case isControl(r):
			return false
		}
		i += n
	}
	return true
}

// decodesAll reports whether the peer wrote each U+FFFD in b, and no other control characters than text may hold.
func (e *Encoding) decodesAll(b []byte) bool {
	dec := e.coder().NewDecoder()
	for len(b) > 0 {
		char, n := decodeOne(dec, b)
		if r, _ := utf8.DecodeRune(char); isControl(r) || !e.decoded(char, b[:n]) {
			return false
		}
		b = b[n:]
	}
	return true
}

// isControl reports whether r is a control character that text does not hold.
func isControl(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\r\n\x1b", r) }

// completions are such that each beginning of a character of two or three bytes, in each encoding, is a
// character with one of them behind it, if perhaps one that is not assigned.
var completions = []string{"\xa1", "0", "\x810"}

// beginsCharacter reports whether b, at which a decoder waits for more, can become a character. Decoders wait
// until they have as many bytes as the longest character, also where the second byte shows that there is none.
func (e *Encoding) beginsCharacter(b []byte) bool {
	switch {
	case e.IsUTF8():
		return !utf8.FullRune(b)
	case len(b) == 1:
		return true
	}
	for _, rest := range completions {
		out, err := e.coder().NewDecoder().Bytes(append(b[:len(b):len(b)], rest...))
		if err == nil && utf8.RuneCount(out) == 1 {
			return true
		}
	}
	return false
}
