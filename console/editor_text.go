package console

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"
)

// A text is what is being typed, and the cursor in it. The cursor moves over, and deletes, whole characters as a person
// sees them (extended grapheme clusters, Unicode Annex 29), however many code points they are made of.
type text struct {
	s    string
	at   int // byte offset of the cursor, always at the start of a cluster or the end
	goal int // column wanted by a run of vertical moves, plus 1; 0: none
}

// nextCluster returns the end of the cluster that starts at i.
func nextCluster(s string, i int) int {
	if i < len(s) && s[i] < utf8.RuneSelf && (i+1 == len(s) || s[i+1] < utf8.RuneSelf) {
		return i + 1
	}
	g := displaywidth.StringGraphemes(s[i:])
	if !g.Next() {
		return len(s)
	}
	return i + len(g.Value())
}

// lineStart returns where the line that holds i starts.
func lineStart(s string, i int) int { return strings.LastIndexByte(s[:i], '\n') + 1 }

// lineEnd returns where the line that holds i ends, before its line break.
func lineEnd(s string, i int) int {
	if n := strings.IndexByte(s[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(s)
}

// snap moves the cursor forward to where a cluster starts, after an edit that may have joined what stood apart.
func (t *text) snap() {
	for i := lineStart(t.s, t.at); i < t.at; {
		if i = nextCluster(t.s, i); i > t.at {
			t.at = i
		}
	}
}

func (t *text) set(s string) { *t = text{s: s, at: len(s)} }

func (t *text) insert(s string) {
	t.s = t.s[:t.at] + s + t.s[t.at:]
	t.at += len(s)
	t.snap()
	t.goal = 0
}

// left returns the start of the cluster before the cursor.
func (t *text) left() int {
	if t.at == 0 {
		return 0
	}
	last := lineStart(t.s, t.at)
	if last == t.at {
		return t.at - 1
	}
	for i := last; i < t.at; i = nextCluster(t.s, i) {
		last = i
	}
	return last
}

// right returns the end of the cluster under the cursor.
func (t *text) right() int {
	if t.at == len(t.s) {
		return t.at
	}
	return nextCluster(t.s, t.at)
}

func (t *text) home() int { return lineStart(t.s, t.at) }
func (t *text) end() int  { return lineEnd(t.s, t.at) }

func inWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || r == '_'
}

func notBlank(r rune) bool {
	return !unicode.IsSpace(r)
}

// wordLeft returns the start of the word before the cursor; in says what a word is made of.
func (t *text) wordLeft(in func(rune) bool) int {
	s := strings.TrimRightFunc(t.s[:t.at], func(r rune) bool { return !in(r) })
	return len(strings.TrimRightFunc(s, in))
}

// wordRight returns the end of the word after the cursor.
func (t *text) wordRight(in func(rune) bool) int {
	s := strings.TrimLeftFunc(t.s[t.at:], func(r rune) bool { return !in(r) })
	return len(t.s) - len(strings.TrimLeftFunc(s, in))
}

// move puts the cursor at i.
func (t *text) move(i int) {
	t.at, t.goal = i, 0
	t.snap()
}

// cut deletes what stands between the cursor and i, on either side, and returns it.
func (t *text) cut(i int) string {
	from, to := min(i, t.at), max(i, t.at)
	gone := t.s[from:to]
	t.s = t.s[:from] + t.s[to:]
	t.at, t.goal = from, 0
	t.snap()
	return gone
}

// replace puts s between from and the cursor.
func (t *text) replace(from int, s string) {
	t.cut(from)
	t.insert(s)
}
