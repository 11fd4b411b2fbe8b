package framing

import "encoding/binary"

// A Mark names the bytes that stood around the body of a received message: a delimiter behind it, or its length before it.
type Mark uint8

// The marks of received messages.
const (
	NoMark Mark = iota
	MarkLF
	MarkCRLF
	MarkCR
	MarkNUL
	MarkLength
)

// marks holds the names in the order of the constants. Those of delimiters are known to ParseEOL.
var marks = [...]string{"", "lf", "crlf", "cr", "nul", "length"}

// String returns the name of the mark: "lf", "crlf", "cr", "nul", "length", or "" for NoMark.
func (m Mark) String() string { return marks[m] }

// Around returns the bytes before and behind a body of size bytes on the wire. The name is that of a [Mark] or of a
// [WireEncoding]. Both results are nil if it is empty or unknown.
func Around(name string, size int) (before, after []byte) {
	switch name {
	case "", "none":
		return nil, nil
	case marks[MarkLength]:
		return binary.BigEndian.AppendUint32(nil, uint32(size)), nil
	}
	after, _ = ParseEOL(name)
	return nil, after
}

// mark returns the mark of a message that ended with size bytes.
func (d delimited) mark(size int) Mark {
	switch {
	case d == cr:
		return MarkCR
	case d == nul:
		return MarkNUL
	case size == len("\r\n"):
		return MarkCRLF
	}
	return MarkLF
}
