package screen

import (
	"slices"
	"strings"
	"testing"
)

func TestWrap(t *testing.T) {
	tests := []struct {
		name, line string
		width      int
		color      bool
		want       []string
	}{
		{"empty", "", 10, true, []string{""}},
		{"short", "abc", 10, true, []string{"abc"}},
		{"exact", "abcd", 4, true, []string{"abcd"}},
		{"long", "abcdefgh", 3, true, []string{"abc", "def", "gh"}},
		{"narrow", "abcdefghijk>>> no", 12, true, []string{"abcdefghijk>", " >> no"}},
		{"wide", "中文字", 5, true, []string{"中文", "字"}},
		{"lines", "a\nb", 5, true, []string{"a", "b"}},
		{"style over a break", "\x1b[31mabcd\x1b[m", 2, true, []string{"\x1b[31mab\x1b[m", "\x1b[31mcd\x1b[m\x1b[m"}},
		{"no color", "\x1b[31mab\x1b[m", 5, false, []string{"ab"}},
		{"other sequences", "\x1b[2Ja\x1b]0;t\x07b\x1b[>4;2mc\x1b", 9, true, []string{"abc"}},
		{"control characters", "a\rb\x00\x7f\u009bc\td", 20, true, []string{"abc    d"}},
		{"family, as the widest draws it", "\U0001F468\u200D\U0001F469\u200D\U0001F467ab", 6, true, []string{"\U0001F468\u200D\U0001F469\u200D\U0001F467", "ab"}},
		{"words", "one two three four five", 16, true, []string{"one two three ", "  four five"}},
		{"a word that is long", "one two threefourfive", 16, true, []string{"one two threefou", "  rfive"}},
		{"style in a word that goes on", "\x1b[31mone two thr\x1b[32mee four\x1b[m", 16, true, []string{"\x1b[31mone two thr\x1b[32mee \x1b[m", "  \x1b[31m\x1b[32mfour\x1b[m\x1b[m"}},
		{"said by a peer", "12:00 【Client】 " + strings.Repeat("x", 20) + "【Server】 no", 38, true, []string{"12:00 【Client】 " + strings.Repeat("x", 20), strings.Repeat(" ", 17) + "【Server】 no"}},
		{"sent", "2 >>> 你好，世界你好", 17, true, []string{"2 >>> 你好，世界", "      你好"}},
		{"a table", "  /hex    show bytes or send them", 22, true, []string{"  /hex    show bytes ", "          or send them"}},
		{"the column is far", "  it has ended  now and here", 18, true, []string{"  it has ended  ", "    now and here"}},
	}
	for _, tt := range tests {
		if got := Wrap(tt.line, tt.width, tt.color); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// FuzzWrap holds that no row is too wide and that nothing but styles is left of what controls a terminal.
func FuzzWrap(f *testing.F) {
	f.Add("\x1b[31mabc中\x1b]0;x\x07", 7, true)
	f.Fuzz(func(t *testing.T, line string, width int, color bool) {
		width = 2 + max(width, -width)%200
		if width < 2 {
			return
		}
		for _, r := range Wrap(line, width, color) {
			if w := MaxWidth(r); w > width {
				t.Errorf("%q is %d columns wide, more than %d", r, w, width)
			}
			for i := range len(r) {
				if r[i] == '\x1b' {
					end := strings.IndexByte(r[i:], 'm')
					if !color || end < 0 || !isStyle(r[i:i+end+1]) {
						t.Errorf("%q holds a sequence that is no style", r)
					}
				} else if r[i] < ' ' || r[i] == 0x7f {
					t.Errorf("%q holds a control character", r)
				}
			}
		}
	})
}
