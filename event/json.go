package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// The errors of a line.
var (
	// ErrVersion means that the line has another version of the schema, or none.
	ErrVersion = errors.New("not version 1 of the schema")
	// ErrLineTooLong means that the line is longer than the limit of the Reader.
	ErrLineTooLong = errors.New("line too long")
	// ErrNotText means that the line is not UTF-8, or has half a character (a lone surrogate such as \ud800).
	ErrNotText = errors.New("not UTF-8 text")

	errNoType = errors.New(`no "type"`)
)

// timeFormat is RFC 3339 with microseconds, in UTC.
const timeFormat = "2006-01-02T15:04:05.000000Z"

// A timestamp is the JSON of a time.
type timestamp time.Time

// IsZero reports whether the option omitzero leaves the time out.
func (t timestamp) IsZero() bool { return time.Time(t).IsZero() }

func (t timestamp) MarshalText() ([]byte, error) {
	return time.Time(t).UTC().AppendFormat(nil, timeFormat), nil
}

func (t *timestamp) UnmarshalText(b []byte) error {
	got, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return fmt.Errorf("time: want RFC 3339, as %s", timeFormat)
	}
	got = got.UTC().Truncate(time.Microsecond)
	if y := got.Year(); y < 1 || y > 9999 {
		return fmt.Errorf("time: no year of four digits in UTC")
	}
	*t = timestamp(got)
	return nil
}

// encode returns a struct as one JSON object that is safe to print.
func encode(wire any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(wire); err != nil {
		return nil, err
	}
	return escapeUnseen(bytes.TrimSuffix(b.Bytes(), []byte{'\n'})), nil
}

// escapeUnseen writes characters that a terminal does not simply show as \uXXXX: DEL, and beyond ASCII the characters of C1,
// bidi and format characters, line separators, and characters that Unicode has not assigned. In JSON they stand only in
// strings.
func escapeUnseen(b []byte) []byte {
	first := bytes.IndexFunc(b, unseen)
	if first < 0 {
		return b
	}
	out := append(make([]byte, 0, len(b)+64), b[:first]...)
	for rest := b[first:]; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		switch {
		case !unseen(r):
			out = append(out, rest[:n]...)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		rest = rest[n:]
	}
	return out
}

func unseen(r rune) bool { return r == 0x7f || r >= 0x80 && !unicode.IsGraphic(r) }

// decodeVersioned decodes a line of a server. It skips unknown fields.
func decodeVersioned(b []byte, wire any, version *int) error {
	if _, err := decodeObject(b, wire, false); err != nil {
		return err
	}
	if *version != Version {
		return fmt.Errorf("%w: %d", ErrVersion, *version)
	}
	return nil
}

// unmarshal is json.Unmarshal with errors that mention JSON only, and not Go.
func unmarshal(b []byte, v any) error { return plain(json.Unmarshal(b, v)) }

// plain returns an error of package json without the words of Go.
func plain(err error) error {
	if bad, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("no JSON object: %w", bad)
	}
	if bad, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return &fieldError{bad}
	}
	return err
}

// A fieldError is the error for a value that does not fit its field.
type fieldError struct{ err *json.UnmarshalTypeError }

func (e *fieldError) Error() string {
	if e.err.Field == "" {
		return "no JSON object: " + e.err.Value
	}
	return fmt.Sprintf("%q cannot be %s", e.err.Field, e.err.Value)
}

func (e *fieldError) Unwrap() error { return e.err }

// checkText returns ErrNotText for text in which encoding/json would silently replace something.
func checkText(b []byte) error {
	if !utf8.Valid(b) || loneSurrogate(b) {
		return ErrNotText
	}
	return nil
}

// loneSurrogate reports whether a \uXXXX in b is half of a character.
func loneSurrogate(b []byte) bool {
	for i := bytes.IndexByte(b, '\\'); i >= 0 && i+1 < len(b); {
		step := 2
		if r := escaped(b[i:]); utf16.IsSurrogate(r) {
			if utf16.DecodeRune(r, escaped(b[i+6:])) == unicode.ReplacementChar {
				return true
			}
			step = 12
		}
		i += step
		next := bytes.IndexByte(b[min(i, len(b)):], '\\')
		if next < 0 {
			return false
		}
		i += next
	}
	return false
}

// escaped returns the value of the \uXXXX at the start of b, or -1 if there is none.
func escaped(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return r
}
