package desk

import "duet.example/duet/internal/charset"

// An Encoding is the text encoding of a peer. Nil and the zero Encoding are UTF-8. It has no state: any number of
// goroutines may use it.
type Encoding = charset.Encoding

// An UnencodableError names the first character of a text that an Encoding does not have.
type UnencodableError = charset.UnencodableError

// ParseEncoding returns the encoding with this name: utf-8, gb18030, shift_jis, latin1 or another one of the WHATWG
// Encoding Standard (https://encoding.spec.whatwg.org/). It refuses encodings in which a line end is not the byte
// 0x0A, and encodings that keep a state between messages.
func ParseEncoding(name string) (*Encoding, error) { return charset.Lookup(name) }
