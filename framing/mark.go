package framing

import (
	"encoding/binary"
	"encoding/hex"
)

// A Mark says what marked a message on the wire without being a part of its body: a delimiter behind it, or its
// length before it. The zero Mark is nothing.
type Mark uint8

// The marks of messages that are received.
const (
	NoMark Mark = iota
	MarkLF
	MarkCRLF
	MarkCR
	MarkNUL
	MarkLength
)

// marks holds the names in the order of the constants, in part those that [ParseEOL] takes.
var marks = [...]string{"", "lf", "crlf", "cr", "nul", "length"}

// String is the name of the mark: "lf", "crlf", "cr", "nul", "length", or empty for NoMark.
func (m Mark) String() string { return marks[m] }

// A Marker is a codec that knows how it marks what it sends. All codecs of this package do.
type Marker interface {
	// SendMark names what Append, or AppendFarewell, would put around a body if it were called now:
	// the name of a Mark, or the bytes of another line end as in "0x0d0a0a". The goroutine that calls
	// Append calls it.
	SendMark(farewell bool) string
}

// Around returns the bytes that a mark of this name puts before and behind a body of size bytes on the wire. Both are
// nil for an empty name and for one that is not known.
func Around(mark string, size int) (before, after []byte) {
	switch mark {
	case "", "none":
		return nil, nil
	case marks[MarkLength]:
		return binary.BigEndian.AppendUint32(nil, uint32(size)), nil
	}
	after, _ = ParseEOL(mark)
	return nil, after
}

// markOf names a line end.
func markOf(eol string) string {
	for d, end := range ends {
		if end == eol {
			return marks[delimited(d).mark(len(end))]
		}
	}
	if eol == "" {
		return ""
	}
	return "0x" + hex.EncodeToString([]byte(eol))
}

// mark is the mark of a message that ended with size bytes.
func (d delimited) mark(size int) Mark {
	switch {
	case d == cr:
		return MarkCR
	case d == nul:
		return MarkNUL
	case size == len(ends[crlf]):
		return MarkCRLF
	}
	return MarkLF
}

func (c *delimitedCodec) SendMark(bool) string { return markOf(ends[c.kind]) }

func (c *lengthCodec) SendMark(bool) string { return MarkLength.String() }

func (c *rawCodec) SendMark(bool) string { return "" }

func (c *autoCodec) SendMark(farewell bool) string {
	switch style := c.style.Load(); {
	case style == sendBare, style == sendUnknown && farewell:
		return ""
	case style == sendCRLF:
		return MarkCRLF.String()
	}
	return MarkLF.String()
}

func (c *eolCodec) SendMark(bool) string { return c.mark }
