package console

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"duet.example/duet/internal/screen"
)

func TestLay(t *testing.T) {
	const family = "\U0001F468\u200D\U0001F469\u200D\U0001F467"
	tests := []struct {
		name  string
		s     string
		at    int
		width int
		rows  string // joined by |
		x, y  int
	}{
		{"empty", "", 0, 10, "", 0, 0},
		{"ends within", "abc", 3, 10, "abc", 3, 0},
		{"fills the row", "abcdefghij", 10, 10, "abcdefghij", 10, 0},
		{"wraps", "abcdefghijk", 11, 10, "abcdefghij|k", 1, 1},
		{"at the wrap, on the next row", "abcdefghijk", 10, 10, "abcdefghij|k", 0, 1},
		{"a wide one does not fit", "abc中d", 3, 4, "abc|中d", 0, 1},
		{"wide", "中文字", 6, 10, "中文字", 4, 0},
		{"lines", "a\nb\n", 4, 10, "a|b|", 0, 2},
		{"end of a line", "ab\ncd", 2, 10, "ab|cd", 2, 0},
		{"start of a line", "ab\ncd", 3, 10, "ab|cd", 0, 1},
		{"a blank line", "a\n\nb", 2, 10, "a||b", 0, 1},
		{"combining", "e\u0301x", 3, 10, "e\u0301x", 1, 0},
		{"family, by its parts", family + "x", len(family), 10, strings.ReplaceAll(family, joiner, "") + "x", 6, 0},
		{"tab", "\tx", 1, 10, "    x", 4, 0},
		{"invisible", "\u200bx", 3, 10, `\u200bx`, 6, 0},
		{"turned round", "\u202ex", 3, 10, `\u202ex`, 6, 0},
		{"a mark alone", "\u0301x", 2, 10, "\u25CC\u0301x", 1, 0},
	}
	for _, tt := range tests {
		l := lay(tt.s, tt.at, tt.width, ansi.WcWidth)
		var rows []string
		for _, r := range l.rows {
			rows = append(rows, r.shown)
		}
		if got := strings.Join(rows, "|"); got != tt.rows || l.x != tt.x || l.y != tt.y {
			t.Errorf("%s: %q, cursor %d,%d; want %q, cursor %d,%d", tt.name, got, l.x, l.y, tt.rows, tt.x, tt.y)
		}
	}
}

func TestVertical(t *testing.T) {
	s := "中文中文\nab\n中文中文"
	l := lay(s, 9, 20, ansi.WcWidth) // column 6 of the first line
	down, ok := l.vertical(s, 1, 6, 20, ansi.WcWidth)
	if !ok || s[down:] != "\n中文中文" {
		t.Errorf("one down: %d, %v; want the end of the short line", down, ok)
	}
	l = lay(s, down, 20, ansi.WcWidth)
	if down, ok = l.vertical(s, 1, 5, 20, ansi.WcWidth); !ok || s[down:] != "中文" {
		t.Errorf("two down: %d, %v; want before the wide character that holds column 5", down, ok)
	}
	if _, ok = lay(s, down, 20, ansi.WcWidth).vertical(s, 1, 0, 20, ansi.WcWidth); ok {
		t.Error("there is nothing below the last row")
	}
	wrapped := lay("abcdef", 5, 3, ansi.WcWidth)
	if at, ok := wrapped.vertical("abcdef", -1, 3, 3, ansi.WcWidth); !ok || at != 2 {
		t.Errorf("up to the end of a wrapped row: %d, %v; want 2", at, ok)
	}
}

func TestText(t *testing.T) {
	const flag = "\U0001F1E9\U0001F1EA" // two code points
	var x text
	x.insert("a" + flag + "e\u0301中")
	for _, want := range []string{"a" + flag + "e\u0301", "a" + flag, "a", "", ""} {
		x.cut(x.left())
		if x.s != want || x.at != len(want) {
			t.Fatalf("after backspace: %q at %d, want %q", x.s, x.at, want)
		}
	}
	x.insert("e")
	x.insert("x")
	x.move(1)
	x.insert("\u0301")
	if x.s != "e\u0301x" || x.at != 3 {
		t.Errorf("a combining mark: %q at %d", x.s, x.at)
	}
	x.set("one two\nthree")
	x.move(x.home())
	if x.at != 8 {
		t.Errorf("home of the second line: %d, want 8", x.at)
	}
	x.cut(x.left())
	if x.s != "one twothree" || x.at != 7 {
		t.Errorf("the line break: %q at %d", x.s, x.at)
	}
	if got := x.cut(x.wordLeft(inWord)); got != "two" || x.s != "one three" {
		t.Errorf("cut word %q, left %q", got, x.s)
	}
	x.move(0)
	if got := x.wordRight(inWord); got != 3 {
		t.Errorf("end of the word: %d, want 3", got)
	}
	x.set("/fra")
	x.replace(0, "/framing ")
	if x.s != "/framing " || x.at != 9 {
		t.Errorf("replaced: %q at %d", x.s, x.at)
	}
}

func TestWalk(t *testing.T) {
	h := &History{entries: []string{"one", "two"}}
	w := newWalk(h)
	steps := []struct {
		by   int
		from string
		want string
		ok   bool
	}{
		{1, "draft", "", false},
		{-1, "draft", "two", true},
		{-1, "two, changed", "one", true},
		{-1, "one", "", false},
		{1, "one", "two, changed", true},
		{1, "two, changed", "draft", true},
		{1, "draft", "", false},
	}
	for i, s := range steps {
		if got, ok := w.move(s.by, s.from); got != s.want || ok != s.ok {
			t.Errorf("step %d: %q, %v; want %q, %v", i, got, ok, s.want, s.ok)
		}
	}
	if h.entries[1] != "two" {
		t.Error("the walk has changed the history")
	}
}

func TestSearch(t *testing.T) {
	h := &History{entries: []string{"alpha", "beta", "alphabet", "alphabet"}}
	s := newSearch(h, text{s: "draft", at: 2})
	expect := func(shown string, at int, prompt string) {
		t.Helper()
		if got := s.found(); got.s != shown || got.at != at || s.prompt() != prompt {
			t.Errorf("%q at %d, %q; want %q at %d, %q", got.s, got.at, s.prompt(), shown, at, prompt)
		}
	}
	expect("draft", 2, "(search '') ")
	s.older()
	expect("draft", 2, "(search '') ")
	s.find("b")
	expect("alphabet", 5, "(search 'b') ")
	s.older() // skips the same one
	expect("beta", 0, "(search 'b') ")
	s.older()
	expect("beta", 0, "(no match 'b') ")
	s.find("bx")
	expect("beta", 4, "(no match 'bx') ")
	newSearch(nil, text{}).find("x")
}

func TestCommonPrefix(t *testing.T) {
	for _, tt := range []struct {
		all  []string
		want string
	}{
		{[]string{"/frames", "/framing"}, "/fram"},
		{[]string{"中文", "中国"}, "中"},
		{[]string{"中", "丮"}, ""}, // their first bytes are the same
		{[]string{"a"}, "a"},
		{[]string{"a", ""}, ""},
	} {
		if got := commonPrefix(tt.all); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.all, got, tt.want)
		}
	}
}

func TestColumns(t *testing.T) {
	got := columns([]string{"a", "中文", "ccc"}, 13)
	if want := []string{"a     中文", "ccc"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := columns(make([]string, 1000), 80); len(got) > 10 || got[len(got)-1] != "…" {
		t.Errorf("%d lines for a thousand candidates", len(got))
	}
}

// What the renderer measures is spelled out wherever a terminal may draw it wider, in what is typed and in what a peer says.
func TestDrawable(t *testing.T) {
	for _, method := range []ansi.Method{ansi.WcWidth, ansi.GraphemeWidth} {
		if got, want := drawable("a\u3248中\x1b[1m\u324f", method), `a\u3248中`+"\x1b[1m"+`\u324f`; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if l := lay("\u3248", 3, 10, method); l.rows[0].shown != `\u3248` || l.x != 6 {
			t.Errorf("typed: %q, cursor at %d", l.rows[0].shown, l.x)
		}
		for r := rune(0xa0); r <= unicode.MaxRune; r++ {
			// Regional indicators are drawn in pairs, on as many columns as both.
			if !unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) || unicode.Is(unicode.Regional_Indicator, r) {
				continue
			}
			if s := drawable(string(r), method); method.StringWidth(s) < screen.Width(s) {
				t.Fatalf("%U is drawn as %q: the renderer counts %d columns, a terminal may take %d", r, s, method.StringWidth(s), screen.Width(s))
			}
		}
	}
}

func TestCleanPaste(t *testing.T) {
	if got, want := cleanPaste("a\rb\r\nc\n\td\x1b[31m\x9b\xff\u0085"), "a\nb\nc\n\td[31m\uFFFD\uFFFD"; got != want && got != "a\nb\nc\n\td[31m\uFFFD" {
		t.Errorf("%q, want %q", got, want)
	}
}

// FuzzText holds that whatever is typed, the cursor stands between whole characters and what is deleted is gone.
func FuzzText(f *testing.F) {
	f.Add("a\u0301\U0001F1E9\U0001F1EA中\n", []byte("ilirbdkw"), 5)
	f.Fuzz(func(t *testing.T, s string, keys []byte, width int) {
		s = cleanPaste(s)
		width = 2 + max(width, -width)%100
		if width < 2 || len(s) > 1000 || len(keys) > 1000 {
			return
		}
		var x text
		for _, k := range keys {
			switch k % 8 {
			case 0:
				_, n := utf8.DecodeRuneInString(s)
				x.insert(s[:n])
				s = s[n:] + s[:n]
			case 1:
				x.move(x.left())
			case 2:
				x.move(x.right())
			case 3:
				x.cut(x.left())
			case 4:
				x.cut(x.right())
			case 5:
				x.cut(x.wordLeft(inWord))
			case 6:
				x.cut(x.end())
			case 7:
				x.move(x.home())
			}
			l := lay(x.s, x.at, width, ansi.WcWidth)
			if x.at < 0 || x.at > len(x.s) || !utf8.ValidString(x.s) || l.x > width || l.y >= len(l.rows) {
				t.Fatalf("%q at %d, cursor %d,%d in %d rows of %d", x.s, x.at, l.x, l.y, len(l.rows), width)
			}
		}
	})
}

func TestCorpus(t *testing.T) {
	for _, name := range []string{"FuzzText"} {
		if found, err := filepath.Glob(filepath.Join("testdata", "fuzz", name, "*")); err != nil || len(found) == 0 {
			t.Errorf("%s has no corpus (%v)", name, err)
		}
	}
}

func TestQueue(t *testing.T) {
	q := newQueue()
	one, two := "1", "2"
	if err := q.put(t.Context(), []string{"a", "b"}); err != nil {
		t.Fatal(err)
	}
	q.amend(func(c *change) { c.partial = &one })
	q.amend(func(c *change) { c.partial = &two })
	q.force([]string{"c"})
	lines, c, ok := q.take()
	if !slices.Equal(lines, []string{"a", "b"}) || c == nil || *c.partial != "2" || !ok {
		t.Errorf("took %q, %v, %v", lines, c, ok)
	}
	lines, c, ok = q.take()
	if !slices.Equal(lines, []string{"c"}) || c != nil || !ok {
		t.Errorf("took %q, %v, %v", lines, c, ok)
	}
	if err := q.put(t.Context(), make([]string, maxQueueLines)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.put(ctx, []string{"no room"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a full queue: %v", err)
	}
	waiting := make(chan error, 1)
	go func() { waiting <- q.put(t.Context(), []string{"later"}) }()
	taken := 0
	for last := ""; last != "later"; {
		lines, _, _ = q.take()
		taken += len(lines)
		last = lines[len(lines)-1]
	}
	if err := <-waiting; err != nil || taken != maxQueueLines+1 {
		t.Errorf("took %d, %v", taken, err)
	}
	if q.lines != 0 || q.bytes != 0 {
		t.Errorf("%d lines and %d bytes are left in an empty queue", q.lines, q.bytes)
	}
	q.force([]string{"last"})
	q.close()
	if err := q.put(t.Context(), []string{"late"}); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed queue: %v", err)
	}
	if lines, _, ok = q.take(); !ok || lines[0] != "last" {
		t.Errorf("took %q, %v", lines, ok)
	}
	if _, _, ok = q.take(); ok {
		t.Error("a closed and empty queue goes on")
	}
}
