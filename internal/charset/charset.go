// Package charset turns the text encodings that peers speak into UTF-8 and back, message by message.
//
// Nothing is replaced in silence: what cannot be decoded stays recognisable, and what cannot be encoded
// is an error that names it.
package charset

import (
	"fmt"
	"strings"

	"golang.org/x/text/encoding"
)

// Encoding is a text encoding. Nil and the zero Encoding are UTF-8: bytes pass as they are, also those
// that are no UTF-8. An Encoding has no state; any number of goroutines may use it.
type Encoding struct {
	name string
	enc  encoding.Encoding // nil where ascii is all there is, and for UTF-8
}

const (
	utf8Name  = "utf-8"
	asciiName = "us-ascii"
)

// Lookup finds an encoding by one of the names that the WHATWG Encoding Standard lists, or ascii,
// latin1 (the real ISO 8859-1, not windows-1252), cp437, cp850, cp932, cp936, cp949 and cp950; case and
// blanks around it do not count. Encodings in which a line end is not the byte 0x0A, or which remember
// something from one message to the next, are refused, for messages are cut before they are decoded.
func Lookup(name string) (*Encoding, error) {
	label := strings.ToLower(strings.TrimSpace(name))
	canonical, enc := byLabel(label)
	if strings.HasPrefix(label, "utf-32") {
		canonical = "utf-32"
	}
	switch canonical {
	case "":
		return nil, fmt.Errorf("unknown encoding %q: for example utf-8, latin1, gb18030, big5, shift_jis, euc-kr or windows-1251", name)
	case "utf-16le", "utf-16be", "utf-32":
		return nil, fmt.Errorf("encoding %q cannot be used: %s", name, wideLineEnd)
	case "iso-2022-jp":
		return nil, fmt.Errorf("encoding %q cannot be used: its shifts last beyond one message; shift_jis and euc-jp have none", name)
	case "replacement", "x-user-defined":
		return nil, fmt.Errorf("encoding %q cannot be used: there is no safe way to decode it", name)
	}
	return &Encoding{name: canonical, enc: enc}, nil
}

const wideLineEnd = "a line end in it is not the byte 0x0A, and messages are cut there before they are decoded"

// Name is the canonical name, in lower case.
func (e *Encoding) Name() string {
	if e == nil || e.name == "" {
		return utf8Name
	}
	return e.name
}

// IsUTF8 reports whether e is UTF-8, as nil and the zero Encoding are.
func (e *Encoding) IsUTF8() bool { return e.Name() == utf8Name }

// UnencodableError says that a text cannot be sent in an encoding.
type UnencodableError struct {
	Rune     rune   // the first character that cannot be encoded; U+FFFD with Invalid
	Offset   int    // where it stands, in bytes
	Encoding string // the canonical name
	Invalid  bool   // the text is not UTF-8 there, so that there is no character
}

func (e *UnencodableError) Error() string {
	if e.Invalid {
		return fmt.Sprintf("byte %d of the text is not UTF-8 and cannot be encoded in %s", e.Offset, e.Encoding)
	}
	return fmt.Sprintf("%q (%U) cannot be encoded in %s", e.Rune, e.Rune, e.Encoding)
}
