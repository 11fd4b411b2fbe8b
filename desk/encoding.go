package desk

import "duet.example/duet/internal/charset"

// An Encoding is what peers' text is in. Nil and the zero Encoding are UTF-8. It has no state; any number of
// goroutines may use it.
type Encoding = charset.Encoding

// An UnencodableError says which character of a text an Encoding does not have.
type UnencodableError = charset.UnencodableError

// ParseEncoding finds an encoding by name: utf-8, gb18030, shift_jis, latin1 and what else the WHATWG
// Encoding Standard lists (https://encoding.spec.whatwg.org/). Those in which a line end is not the byte 0x0A, or which
// remember something from one message to the next, are refused.
func ParseEncoding(name string) (*Encoding, error) { return charset.Lookup(name) }
