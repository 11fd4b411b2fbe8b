package screen

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"
)

// view finds the clusters of safe text, and what terminals make of a whole cluster; RuneWidth says what its parts take.
// The sequences of a Style take no column.
var view = displaywidth.Options{ControlSequences: true}

// maxCluster is the number of code points that a terminal is trusted to draw in the place of one; the
// longest recommended emoji has ten.
const maxCluster = 16

const ellipsis = "…"

// Width is the number of columns of a safe string; the sequences of a [Style] count 0.
func Width(s string) int {
	n := 0
	for g := view.StringGraphemes(s); g.Next(); {
		n += clusterWidth(g.Value(), g.Width())
	}
	return n
}

// Cut shortens a safe string to at most width columns, with … as the last one, at the boundary of a
// grapheme cluster. The sequences of a [Style] are kept whole, and those of the part that was cut off
// still have their effect, so that no style runs on. Where there is no column there is no text.
func Cut(s string, width int) string {
	if len(s) <= width && strings.IndexByte(s, esc) < 0 {
		return s
	}
	if width <= 0 {
		return ""
	}
	at, pos, columns := 0, 0, 0
	for g := view.StringGraphemes(s); g.Next(); {
		columns += clusterWidth(g.Value(), g.Width())
		if columns > width {
			return s[:at] + ellipsis + sequences(s[at:])
		}
		pos += len(g.Value())
		if columns < width {
			at = pos
		}
	}
	return s
}

const esc = 0x1b

// sequences returns the style sequences of s. Of equal ones only the last is kept, for each sets
// attributes to fixed values: a long line of a hostile peer leaves two sequences behind, not a million.
func sequences(s string) string {
	var kept []string
	for {
		i := strings.IndexByte(s, esc)
		if i < 0 {
			return strings.Join(kept, "")
		}
		s = s[i:]
		g := view.StringGraphemes(s)
		g.Next()
		seq := g.Value()
		if j := slices.Index(kept, seq); j >= 0 {
			kept = slices.Delete(kept, j, j+1)
		}
		kept = append(kept, seq)
		s = s[len(seq):]
	}
}

// MaxWidth is the number of columns of a safe string on the terminal that draws it widest: it may draw the parts of a
// cluster side by side. Rows that are made by MaxWidth are never wrapped by a terminal. The sequences of a [Style] count 0.
func MaxWidth(s string) int {
	n := 0
	for g := view.StringGraphemes(s); g.Next(); {
		n += maxClusterWidth(g.Value(), g.Width())
	}
	return n
}

func maxClusterWidth(cluster string, width int) int {
	if cluster[0] < utf8.RuneSelf && len(cluster) == 1 {
		return width
	}
	if cluster[0] == esc {
		return 0
	}
	sum := 0
	for _, r := range cluster {
		sum += RuneWidth(r)
	}
	return max(sum, clusterWidth(cluster, width))
}

//go:generate go run width_gen.go

// A columnRange is code points from lo to hi that take so many columns.
type columnRange struct {
	lo, hi rune
	n      uint8
}

// RuneWidth is the number of columns that a code point takes by itself: 0, 1 or 2. Where the tables of Unicode and of
// glibc disagree, it is the larger. Characters of ambiguous width take as many as in glibc's locale C.UTF-8.
func RuneWidth(r rune) int {
	switch { // what most text consists of; this only saves time
	case r >= ' ' && r < 0x7f:
		return 1
	case r >= 0x4e00 && r <= 0x9fff:
		return 2
	}
	at, found := slices.BinarySearchFunc(columns, r, func(c columnRange, r rune) int {
		switch {
		case c.hi < r:
			return -1
		case c.lo > r:
			return 1
		}
		return 0
	})
	if !found {
		return 1
	}
	return int(columns[at].n)
}

// clusterWidth corrects the width of a cluster where terminals agree on a larger one: half width voicing marks and two
// vowels of Thai and Lao have a column of their own, a cluster takes no less than each of its parts, and a cluster
// nobody can draw as one is drawn as its parts.
func clusterWidth(cluster string, width int) int {
	if cluster[0] < utf8.RuneSelf && len(cluster) < 4 || cluster[0] == esc {
		return width
	}
	own, runes, sum := 0, 0, 0
	for i, r := range cluster {
		runes++
		w := RuneWidth(r)
		sum += w
		width = max(width, w)
		if i == 0 {
			continue
		}
		switch r {
		case 0xff9e, 0xff9f, 0x0e33, 0x0eb3:
			own++
		}
	}
	if runes > maxCluster {
		return max(sum, width)
	}
	return width + own
}
