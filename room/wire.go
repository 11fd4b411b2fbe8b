package room

import (
	"bytes"
	"encoding/binary"
	"strings"

	"duet.example/duet"
	"duet.example/duet/framing"
	"duet.example/duet/internal/ring"
)

// lengthKey is the key of the rows in which a length stands before each line; those of an end have theirs as their key, after a blank.
const lengthKey = "length"

// encodingOf tells in which row c reads, from how it would send probed, an `x`. Who adds nothing gets LF, for in
// a room lines must be told apart.
func encodingOf(c *duet.Conn, probed string) ring.Encoding {
	switch end, ok := strings.CutPrefix(probed, "x"); {
	case ok && len(end) == 0:
		return ended("\n")
	case ok:
		return ended(end)
	case probed == "\x00\x00\x00\x01x":
		return ring.Encoding{Key: lengthKey, Append: appendLength}
	}
	f, _ := c.Framing()
	return ring.Encoding{Key: "framing " + f.String(), Append: func(dst, body []byte) ([]byte, error) {
		return f.New(framing.DefaultMaxMessage).Append(dst, body)
	}}
}

func appendLength(dst, body []byte) ([]byte, error) {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(body)))
	return append(dst, body...), nil
}

// ended is the row in which each line is followed by end.
func ended(end string) ring.Encoding {
	return ring.Encoding{Key: " " + end, Append: func(dst, body []byte) ([]byte, error) {
		return appendEnded(dst, body, end), nil
	}}
}

// appendEnded appends a line and its end. Where the line holds the end (it cannot be a control character, but somebody may use `;`), a mark
// takes the place of its first byte: a line that reads badly is better than half a line without its name.
func appendEnded(dst, body []byte, end string) []byte {
	from := len(dst)
	dst = append(append(dst, body...), end...)
	mark := byte('?')
	if end[0] == mark {
		mark = '_'
	}
	for {
		i := bytes.Index(dst[from:], []byte(end))
		if i < 0 || i >= len(body) {
			return dst
		}
		dst[from+i] = mark
	}
}

// plain is the only row of a relay: what came, as it came.
var plain = ring.Encoding{Key: "", Append: func(dst, body []byte) ([]byte, error) {
	return append(dst, body...), nil
}}
