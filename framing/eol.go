package framing

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// WithEOL returns a framing that receives as f and ends what it sends, the
// farewell too, with eol [F-16]. A body in which a receiver would find eol too early is refused
// with [ErrDelimiter]. With an empty eol nothing is added, and messages
// are spaced as in [Raw]. A second WithEOL replaces the first.
//
// [Length] has no line end: WithEOL returns it unchanged.
func WithEOL(f Framing, eol []byte) Framing {
	if w, ok := f.(withEOL); ok {
		f = w.Framing
	}
	if f == Length {
		return f
	}
	return withEOL{Framing: f, eol: string(eol)}
}

// ParseEOL returns the bytes of a line end: lf, crlf, cr, nul, none, or
// hexadecimal as in 0x0d0a, in upper or lower case. None has no bytes.
func ParseEOL(s string) ([]byte, error) {
	name := strings.ToLower(s)
	switch name {
	case "lf":
		return []byte(ends[lf]), nil
	case "crlf":
		return []byte(ends[crlf]), nil
	case "cr":
		return []byte(ends[cr]), nil
	case "nul":
		return []byte(ends[nul]), nil
	case "none":
		return []byte{}, nil
	}
	if digits, ok := strings.CutPrefix(name, "0x"); ok {
		if eol, err := hex.DecodeString(digits); err == nil && len(eol) > 0 {
			return eol, nil
		}
	}
	return nil, fmt.Errorf("unknown line end %q: it is one of lf, crlf, cr, nul, none, or bytes such as 0x0d0a", s)
}

// withEOL holds eol as a string, so that it is comparable and immutable.
type withEOL struct {
	Framing
	eol string
}

func (w withEOL) New(max int) Codec {
	return &eolCodec{Codec: w.Framing.New(max), eol: w.eol, mark: markOf(w.eol)}
}

type eolCodec struct {
	Codec
	eol  string
	mark string // its name
}

var (
	_ Marker        = (*eolCodec)(nil)
	_ Learner       = (*eolCodec)(nil)
	_ EncodingCodec = (*eolCodec)(nil)
)

func (c *eolCodec) SetEncoding(e Encoding) {
	if ec, ok := c.Codec.(EncodingCodec); ok {
		ec.SetEncoding(e)
	}
}

func (c *eolCodec) Learned() string {
	if l, ok := c.Codec.(Learner); ok {
		return l.Learned()
	}
	return ""
}

func (c *eolCodec) Append(dst, body []byte) ([]byte, error) {
	if c.eol == "" {
		return append(dst, body...), nil
	}
	return appendEnded(dst, body, c.eol)
}

func (c *eolCodec) AppendFarewell(dst, body []byte) ([]byte, error) { return c.Append(dst, body) }

func (c *eolCodec) Gap() time.Duration {
	if c.eol == "" {
		return BareGap
	}
	return 0
}
