package charset

import "unicode/utf8"

// Encode turns text into bytes for the wire, or fails with an [*UnencodableError] and no bytes. What it
// returns decodes to s again.
func (e *Encoding) Encode(s string) ([]byte, error) {
	if e.IsUTF8() || isASCII([]byte(s)) {
		return []byte(s), nil
	}
	if e.enc != nil {
		if b, err := e.enc.NewEncoder().Bytes([]byte(s)); err == nil && string(e.Decode(b)) == s {
			return b, nil
		}
	}
	return nil, e.firstUnencodable(s)
}

func (e *Encoding) firstUnencodable(s string) error {
	for i, r := range s {
		_, n := utf8.DecodeRuneInString(s[i:])
		char := s[i : i+n]
		if r == utf8.RuneError && n == 1 {
			return &UnencodableError{Rune: r, Offset: i, Encoding: e.Name(), Invalid: true}
		}
		if r < utf8.RuneSelf {
			continue
		}
		if e.enc != nil {
			if b, err := e.enc.NewEncoder().Bytes([]byte(char)); err == nil && string(e.Decode(b)) == char {
				continue
			}
		}
		return &UnencodableError{Rune: r, Offset: i, Encoding: e.Name()}
	}
	return &UnencodableError{Rune: utf8.RuneError, Encoding: e.Name(), Invalid: true}
}
