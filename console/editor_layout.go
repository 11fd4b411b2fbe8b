package console

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"github.com/clipperhouse/displaywidth"

	"duet.example/duet/internal/screen"
)

// A row is one row of the screen of what is being typed.
type row struct {
	shown      string // as it stands on the screen
	start, end int    // byte offsets in the text
	soft       bool   // the line goes on in the next row
}

// A layout is a text cut into rows of a width.
type layout struct {
	rows []row
	x, y int // the cursor
}

const tabShown = "    "

// joiner (ZWJ) makes one emoji of several. Terminals without grapheme clusters disagree about the width of the result
// among themselves; about that of its parts they agree.
const joiner = "\u200d"

// drawable leaves out, or spells out, what the renderer, measuring by method, could take for another width than the
// terminal: what follows on the row would stand somewhere else, and the end of the row on the next one.
func drawable(s string, method ansi.Method) string {
	if method != ansi.GraphemeWidth {
		s = strings.ReplaceAll(s, joiner, "")
	}
	if strings.IndexFunc(s, wider) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if wider(r) {
			b.WriteString(spelled(r))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// wider reports whether a terminal may draw r on two columns where the renderer, by whichever method, counts one.
func wider(r rune) bool { return displaywidth.Rune(r) == 1 && screen.RuneWidth(r) == 2 }

func spelled(r rune) string { return fmt.Sprintf(`\u%04x`, r) }

// shown is how a cluster is drawn: characters that would be invisible, or move others about, are spelled out.
func shown(cluster string, method ansi.Method) string {
	if len(cluster) == 1 && cluster[0] >= ' ' && cluster[0] < 0x7f {
		return cluster
	}
	if cluster == "\t" {
		return tabShown
	}
	r, n := utf8.DecodeRuneInString(cluster)
	switch {
	case r == utf8.RuneError && n <= 1:
		return "\uFFFD"
	case unicode.IsMark(r):
		return "\u25CC" + cluster // a mark with nothing to stand on gets the dotted circle
	case !unicode.IsGraphic(r):
		return spelled(r)
	}
	return drawable(cluster, method)
}

// fitted is shown, with its width, for rows of width columns.
func fitted(cluster string, width int, method ansi.Method) (string, int) {
	d := shown(cluster, method)
	if w := method.StringWidth(d); w <= width {
		return d, w
	}
	return "\uFFFD", 1
}

// lay cuts s into rows of at most width columns, and finds the cursor.
func lay(s string, at, width int, method ansi.Method) layout {
	width = max(width, 2) // of a wide character
	var l layout
	var b strings.Builder
	start, x := 0, 0
	end := func(to int, soft bool) {
		l.rows = append(l.rows, row{shown: b.String(), start: start, end: to, soft: soft})
		b.Reset()
		start, x = to, 0
	}
	for i := 0; i < len(s); {
		next := nextCluster(s, i)
		if s[i] == '\n' {
			if i == at {
				l.x, l.y = x, len(l.rows)
			}
			end(i, false)
			start = next
			i = next
			continue
		}
		d, w := fitted(s[i:next], width, method)
		if x+w > width && x > 0 {
			end(i, true)
		}
		if i == at {
			l.x, l.y = x, len(l.rows)
		}
		b.WriteString(d)
		x += w
		i = next
	}
	if at >= len(s) {
		l.x, l.y = x, len(l.rows)
	}
	end(len(s), false)
	return l
}

// vertical returns the offset one row up or down (by is -1 or 1) nearest to column goal; ok is false where there is
// no such row.
func (l layout) vertical(s string, by, goal, width int, method ansi.Method) (int, bool) {
	width = max(width, 2)
	y := l.y + by
	if y < 0 || y >= len(l.rows) {
		return 0, false
	}
	r := l.rows[y]
	x, i := 0, r.start
	for i < r.end {
		next := nextCluster(s, i)
		_, w := fitted(s[i:next], width, method)
		if x+w > goal || r.soft && next >= r.end {
			break // the end of a soft row is the start of the next
		}
		x += w
		i = next
	}
	return i, true
}
