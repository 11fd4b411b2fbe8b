package console

import (
	"fmt"
	"strings"

	"duet.example/duet/framing"
	"duet.example/duet/internal/screen"
)

// A dump holds the bytes of a message as they stand on the wire. bytes[from:to] is the body; the framing added the rest.
type dump struct {
	bytes    []byte
	from, to int
}

// dumpOf is the dump of a message with a mark (desk.Event).
func dumpOf(body []byte, mark string) dump {
	before, after := framing.Around(mark, len(body))
	d := dump{bytes: body, from: len(before), to: len(before) + len(body)}
	if len(before)+len(after) > 0 {
		d.bytes = append(append(append(make([]byte, 0, d.to+len(after)), before...), body...), after...)
	}
	return d
}

const (
	// wholeDump is how wide the lines of `hexdump -C` are.
	wholeDump = 78
	// group is how many bytes stand together: two groups are a line where there is room for them.
	group = 8
)

// dumpLines shows bytes in the layout of `hexdump -C`. It dims the bytes that are not of the body. Behind a label and a time
// whole lines are too wide for most terminals: there each has half as many bytes.
func (s *Session) dumpLines(d dump, before ...string) []string {
	if len(d.bytes) == 0 {
		return []string{"(empty)"}
	}
	room := wholeDump
	if f, ok := s.face.(interface{ Columns() int }); ok {
		room = f.Columns() - 1 - len(before)
		for _, part := range before {
			room -= screen.Width(part)
		}
	}
	groups := 1
	if room >= wholeDump {
		groups = 2
	}
	lines := make([]string, 0, (len(d.bytes)+groups*group-1)/(groups*group))
	for at := 0; at < len(d.bytes); at += groups * group {
		lines = append(lines, s.style.dumpLine(d, at, groups))
	}
	return lines
}

// dumpLine is the line of a dump that begins at a byte.
func (st style) dumpLine(d dump, at, groups int) string {
	var digits, letters strings.Builder
	var dimDigits, dimLetters bool
	end := min(at+groups*group, len(d.bytes))
	for i := at; i < at+groups*group; i++ {
		added := i < end && (i < d.from || i >= d.to)
		if !added {
			st.dim(&digits, &dimDigits, false)
		}
		switch {
		case i == at:
		case i == at+group:
			digits.WriteString("  ")
		default:
			digits.WriteString(" ")
		}
		if i >= end {
			digits.WriteString("  ")
			continue
		}
		c := d.bytes[i]
		st.dim(&digits, &dimDigits, added)
		st.dim(&letters, &dimLetters, added)
		fmt.Fprintf(&digits, "%02x", c)
		if c < ' ' || c > '~' {
			c = '.'
		}
		letters.WriteByte(c)
	}
	st.dim(&digits, &dimDigits, false)
	st.dim(&letters, &dimLetters, false)
	return fmt.Sprintf("%08x  %s  |%s|", at, &digits, &letters)
}

// dim has b go on dimmed, or not, where it is otherwise now.
func (st style) dim(b *strings.Builder, now *bool, wanted bool) {
	if *now == wanted {
		return
	}
	*now = wanted
	if wanted {
		b.WriteString(st.noticeOn)
	} else {
		b.WriteString(st.off)
	}
}
