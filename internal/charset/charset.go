// Package charset turns the text encodings that peers speak into UTF-8 and back, message by message.
//
// Nothing is replaced in silence: what cannot be decoded stays recognisable, and what cannot be encoded
// is an error that names it.
package charset

import (
	"fmt"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
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

// own are names that the WHATWG index does not know, or takes for something else: it reads Latin-1 and
// ASCII as windows-1252, which is wrong for bytes that a device means as they are.
var own = map[string]Encoding{
	"iso-8859-1": {"iso-8859-1", charmap.ISO8859_1},
	"us-ascii":   {asciiName, nil},
	"ibm437":     {"ibm437", charmap.CodePage437},
	"ibm850":     {"ibm850", charmap.CodePage850},
}

var aliases = map[string]string{
	"utf8": utf8Name, "ascii": "us-ascii",
	"latin1": "iso-8859-1", "latin-1": "iso-8859-1", "l1": "iso-8859-1", "iso8859-1": "iso-8859-1",
	"iso88591": "iso-8859-1", "iso_8859-1": "iso-8859-1", "cp819": "iso-8859-1", "ibm819": "iso-8859-1",
	"cp437": "ibm437", "cp850": "ibm850",
	"cp932": "shift_jis", "cp936": "gbk", "cp949": "euc-kr", "cp950": "big5",
}

// Lookup finds an encoding by one of the names that the WHATWG Encoding Standard lists, or ascii,
// latin1 (the real ISO 8859-1, not windows-1252), cp437, cp850, cp932, cp936, cp949 and cp950; case and
// blanks around it do not count. Encodings in which a line end is not the byte 0x0A, or which remember
// something from one message to the next, are refused, for messages are cut before they are decoded.
func Lookup(name string) (*Encoding, error) {
	key := strings.ToLower(strings.TrimSpace(name))
	if alias, ok := aliases[key]; ok {
		key = alias
	}
	if e, ok := own[key]; ok {
		return &e, nil
	}
	enc, err := htmlindex.Get(key)
	if err != nil && strings.HasPrefix(key, "utf-32") {
		return nil, fmt.Errorf("encoding %q cannot be used: %s", name, wideLineEnd)
	}
	if err != nil {
		return nil, fmt.Errorf("unknown encoding %q: for example utf-8, latin1, gb18030, big5, shift_jis, euc-kr or windows-1251", name)
	}
	canonical, err := htmlindex.Name(enc)
	if err != nil {
		return nil, fmt.Errorf("encoding %q: %w", name, err)
	}
	switch canonical {
	case utf8Name:
		return &Encoding{name: utf8Name}, nil
	case "utf-16le", "utf-16be":
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
