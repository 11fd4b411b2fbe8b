package screen_test

import (
	"strings"
	"testing"
	"unicode"

	"duet.example/duet/internal/screen"
	"github.com/clipperhouse/displaywidth"
)

func TestWidth(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want int
	}{
		{"", 0},
		{"abc", 3},
		{"你好a", 5},
		{"e\u0301", 1},
		{"👩🏻‍❤️‍💋‍👩🏻", 2},
		{"1️⃣", 2},
		{"🇨🇳", 2},
		{"ｶﾞ", 2},
		{"ｶﾞﾞﾞ", 4},
		{"น้ำ", 2},
		{"\x1b[7m\\x1b\x1b[27m好", 6},
		{strings.Repeat("\u1112", 20), 40},
	} {
		if got := screen.Width(tt.in); got != tt.want {
			t.Errorf("Width(%+q) = %d, want %d", tt.in, got, tt.want)
		}
	}
}

// Alone after a letter, what passes takes the columns its own width says: nothing hides in no columns.
func TestEveryCodePointHasItsWidth(t *testing.T) {
	for r := range everyRune(t) {
		if r < ' ' {
			continue
		}
		out := line("a" + string(r))
		got := screen.Width(out)
		switch {
		case out != "a"+string(r):
			if got != len(out) {
				t.Fatalf("%U: %+q has width %d", r, out, got)
			}
		case unicode.Is(unicode.M, r), r >= 0x1161 && r <= 0x11ff, r >= 0xd7b0 && r <= 0xd7ff:
			if got < 1 || got > 2 {
				t.Fatalf("%U after a: width %d", r, got)
			}
		default:
			if want := 1 + displaywidth.Rune(r); got != want || want == 1 {
				t.Errorf("%U after a: width %d, want %d", r, got, want)
			}
		}
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		in    string
		width int
		want  string
	}{
		{"", 0, ""},
		{"", 5, ""},
		{"hello", 5, "hello"},
		{"hello", 4, "hel…"},
		{"hello", 1, "…"},
		{"hello", 0, ""},
		{"hello", -1, ""},
		{"你好", 4, "你好"},
		{"你好", 3, "你…"},
		{"你好", 2, "…"},
		{"ae\u0301bc", 3, "ae\u0301…"},
		{"👩🏻‍❤️‍💋‍👩🏻ab", 3, "👩🏻‍❤️‍💋‍👩🏻…"},
		{"👩🏻‍❤️‍💋‍👩🏻ab", 2, "…"},
		{"ab\x1b[7m\\x1b\x1b[27mcd", 4, "ab\x1b[7m\\…\x1b[27m"},
		{"ab\x1b[7m\\x1b\x1b[27m", 6, "ab\x1b[7m\\x1b\x1b[27m"},
		{"a" + strings.Repeat("\x1b[7m\\x1b\x1b[27m", 1000), 3, "a\x1b[7m\\…\x1b[7m\x1b[27m"},
	} {
		got := screen.Cut(tt.in, tt.width)
		if got != tt.want {
			t.Errorf("Cut(%+q, %d) = %+q, want %+q", tt.in, tt.width, got, tt.want)
		}
		if w := screen.Width(got); w > max(tt.width, 0) {
			t.Errorf("Cut(%+q, %d) has width %d", tt.in, tt.width, w)
		}
	}
}

func TestCutEverySample(t *testing.T) {
	for _, s := range samples {
		safe := screen.Line(screen.Untrusted(s), marked)
		for width := range screen.Width(safe) + 2 {
			got := screen.Cut(safe, width)
			if screen.Width(got) > width {
				t.Errorf("Cut(%+q, %d) = %+q", safe, width, got)
			}
			if strings.LastIndex(got, marked.On) > strings.LastIndex(got, marked.Off) {
				t.Errorf("Cut(%+q, %d) = %+q leaves the style on", safe, width, got)
			}
		}
		if got := screen.Cut(safe, screen.Width(safe)); got != safe {
			t.Errorf("Cut at its own width: %+q, want %+q", got, safe)
		}
	}
}
