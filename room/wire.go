package room

import (
	"bytes"
	"cmp"

	"duet.example/duet/framing"
	"duet.example/duet/internal/ring"
)

// rowOf returns the row for conversations that send as w does. Its key is w's name. A conversation that adds nothing to its messages
// gets LF, because lines must be told apart in a room.
func rowOf(w framing.WireEncoding) ring.Encoding {
	name := cmp.Or(w.String(), framing.MarkLF.String())
	if _, end := framing.Around(name, 0); len(end) > 0 {
		return ring.Encoding{Key: name, Append: func(dst, body []byte) ([]byte, error) {
			return appendEnded(dst, body, string(end)), nil
		}}
	}
	return ring.Encoding{Key: name, Append: w.Append}
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

// plain is the only row of a relay.
var plain = ring.Encoding{Append: unchanged{}.Append}
