package framing

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// WithEOL returns a framing that receives as f does and ends the messages that it sends, and the farewell, with eol.
//
// A body in which a receiver would find eol too early is refused with [ErrDelimiter]. An empty eol adds nothing, and messages are kept
// apart by [BareGap]. A second WithEOL replaces the first. [Length] has no line end: WithEOL returns it unchanged.
func WithEOL(f Framing, eol []byte) Framing {
	if w, ok := f.(withEOL); ok {
		f = w.Framing
	}
	if f == Length {
		return f
	}
	return withEOL{Framing: f, eol: string(eol)}
}

// ParseEOL returns the bytes of a line end. The names are lf, crlf, cr, nul, none, and hexadecimal bytes as in 0x0d0a, in upper or
// lower case. None has no bytes.
func ParseEOL(s string) ([]byte, error) {
	name := strings.ToLower(s)
	if name == "none" {
		return []byte{}, nil
	}
	for _, e := range endings {
		if e.name == name {
			return []byte(e.bytes), nil
		}
	}
	if digits, ok := strings.CutPrefix(name, "0x"); ok {
		if eol, err := hex.DecodeString(digits); err == nil && len(eol) > 0 {
			return eol, nil
		}
	}
	return nil, fmt.Errorf("unknown line end %q: it is one of lf, crlf, cr, nul, none, or bytes such as 0x0d0a", s)
}

// A withEOL is the framing of [WithEOL]. A string makes it comparable and immutable.
type withEOL struct {
	Framing
	eol string
}

func (w withEOL) New(max int) (Decoder, Encoder) {
	decoder, encoder := w.Framing.New(max)
	return decoder, &eolEncoder{Encoder: encoder, end: endingOf(w.eol)}
}

// An eolEncoder uses a line end of its own in place of its framing's.
type eolEncoder struct {
	Encoder // the framing's; only asked what it has learned
	end     ending
}

var _ Learner = (*eolEncoder)(nil)

func (e *eolEncoder) WireEncoding(bool) WireEncoding { return &e.end }

func (e *eolEncoder) Gap(int) time.Duration {
	if e.end.bytes == "" {
		return BareGap
	}
	return 0
}

func (e *eolEncoder) Learned() string {
	if l, ok := e.Encoder.(Learner); ok {
		return l.Learned()
	}
	return ""
}

// An ending is the wire encoding that puts the same bytes behind each body, or none.
type ending struct{ bytes, name string }

// endings holds those of the delimited framings, in the order of their constants.
var endings = [...]ending{lf: {"\n", "lf"}, crlf: {"\r\n", "crlf"}, cr: {"\r", "cr"}, nul: {"\x00", "nul"}}

// bare is the ending without bytes.
var bare = new(ending)

func endingOf(eol string) ending {
	if eol == "" {
		return *bare
	}
	for _, e := range endings {
		if e.bytes == eol {
			return e
		}
	}
	return ending{bytes: eol, name: "0x" + hex.EncodeToString([]byte(eol))}
}

func (e *ending) String() string { return e.name }

// Append refuses a body if a receiver that cuts at the first ending would not receive that body.
func (e *ending) Append(dst, body []byte) ([]byte, error) {
	// The clause is [F-13].
	switch end := e.bytes; {
	case end == "":
		return append(dst, body...), nil
	case end == "\n" && len(body) > 0 && body[len(body)-1] == '\r':
		return dst, ErrDelimiter
	case len(end) == 1:
		if bytes.IndexByte(body, end[0]) >= 0 {
			return dst, ErrDelimiter
		}
		return append(append(dst, body...), end...), nil
	}
	// The end of the body and the beginning of the ending may form an ending too, so both are searched.
	whole := append(append(dst, body...), e.bytes...)
	if bytes.Index(whole[len(dst):], []byte(e.bytes)) != len(body) {
		return dst, ErrDelimiter
	}
	return whole, nil
}
