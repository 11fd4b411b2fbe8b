package charset

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/encoding"
)

var replacement = []byte("\ufffd")

// Decode turns a message into UTF-8. A byte that cannot be decoded stays as it is, so that the result is
// invalid UTF-8 at that place and is shown as \xNN. Where such bytes would by accident read as a
// character of UTF-8, the first of them becomes the text \xNN instead. The result may be b itself.
func (e *Encoding) Decode(b []byte) []byte {
	if e.IsUTF8() || isASCII(b) {
		return b
	}
	if e.enc == nil {
		return appendUndecoded(make([]byte, 0, len(b)), b)
	}
	out, err := e.enc.NewDecoder().Bytes(b)
	if err == nil && !bytes.Contains(out, replacement) {
		return out
	}
	return e.decodeEach(b)
}

// decodeEach decodes character by character: the decoders below put U+FFFD for what they cannot decode,
// and so do not tell which bytes those were.
func (e *Encoding) decodeEach(b []byte) []byte {
	out := make([]byte, 0, len(b)+len(b)/2)
	dec, bad := e.enc.NewDecoder(), 0 // bad: how many bytes before at were not decoded
	for at := 0; at < len(b); {
		char, n := decodeOne(dec, b[at:])
		if e.decoded(char, b[at:at+n]) {
			out = appendUndecoded(out, b[at-bad:at])
			out = append(out, char...)
			at, bad = at+n, 0
			continue
		}
		// Only the first byte is given up: an ASCII character must not vanish in a broken pair.
		at, bad = at+1, bad+1
		for ; n > 1 && at < len(b) && b[at] >= utf8.RuneSelf; n-- {
			at, bad = at+1, bad+1
		}
	}
	return appendUndecoded(out, b[len(b)-bad:])
}

// decodeOne decodes the first character of b and says how many bytes it took.
func decodeOne(dec *encoding.Decoder, b []byte) (char []byte, n int) {
	dst := make([]byte, 2*utf8.UTFMax)
	for end := 1; end <= len(b); end++ {
		dec.Reset()
		nDst, nSrc, _ := dec.Transform(dst, b[:end], end == len(b))
		if nSrc > 0 {
			return dst[:nDst], nSrc
		}
	}
	return nil, 1
}

// decoded tells a U+FFFD that the peer wrote from one that stands for undecodable bytes.
func (e *Encoding) decoded(char, from []byte) bool {
	if !bytes.Contains(char, replacement) {
		return len(char) > 0
	}
	written, err := e.coder().NewEncoder().Bytes(replacement)
	return err == nil && bytes.Equal(written, from)
}

// appendUndecoded appends a run of bytes that could not be decoded. What follows a run begins a
// character, so that only bytes within it can read as UTF-8 together.
func appendUndecoded(dst, run []byte) []byte {
	for len(run) > 0 {
		_, n := utf8.DecodeRune(run)
		if n > 1 {
			dst = append(dst, '\\', 'x', hex[run[0]>>4], hex[run[0]&15])
		} else {
			dst = append(dst, run[0])
		}
		run = run[1:]
	}
	return dst
}

const hex = "0123456789abcdef"

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
