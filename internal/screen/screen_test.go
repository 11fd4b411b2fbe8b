package screen_test

import (
	"fmt"
	"iter"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"duet.example/duet/internal/screen"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	plain  screen.Style
	marked = screen.Style{On: "\x1b[7m", Off: "\x1b[27m"}
	unmark = strings.NewReplacer(marked.On, "", marked.Off, "")
)

func line(s string) string { return screen.Line(screen.Untrusted(s), plain) }

func TestLine(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"ascii", "Can I help you?", "Can I help you?"},
		{"backslash", `C:\temp\x1b`, `C:\temp\x1b`},
		{"chinese", "你好，世界　。", "你好，世界　。"},
		{"other scripts", "Grüße Привет مرحبا שלום สวัสดี नमस्ते 안녕", "Grüße Привет مرحبا שלום สวัสดี नमस्ते 안녕"},
		{"decomposed hangul", "\u1112\u1161\u11ab", "\u1112\u1161\u11ab"},
		{"emoji", "👩🏻‍❤️‍💋‍👩🏻 🏳️‍🌈 1️⃣ 🇨🇳 ☝🏽 ❤️", "👩🏻‍❤️‍💋‍👩🏻 🏳️‍🌈 1️⃣ 🇨🇳 ☝🏽 ❤️"},
		{"line ends", "a\nb\r\nc\r", `a\nb\x0d\nc\x0d`},
		{"tabs", "a\tb\t\tc", "a       b               c"},
		{"tab after wide", "你好\tb", "你好    b"},
		{"tab after spelled", "\x01\x02\tb", `\x01\x02        b`},
		{"tab after emoji", "👩🏻‍❤️‍💋‍👩🏻\tb", "👩🏻‍❤️‍💋‍👩🏻      b"},
		{"tab after mark", "e\u0301\tb", "e\u0301       b"},
		{"c0 and del", "\x00\a\b\x1b\x7f", `\x00\x07\x08\x1b\x7f`},
		{"c1", "\u0080\u0085\u009b", `\u0080\u0085\u009b`},
		{"not utf-8", "a\xff\xc3(\xe4\xbd", `a\xff\xc3(\xe4\xbd`},
		{"overlong", "\xc0\xaf", `\xc0\xaf`},
		{"surrogate", "\xed\xa0\x80", `\xed\xa0\x80`},
		{"bidi", "a\u202eb\u2066c\u061c\u200f", `a\u{202e}b\u{2066}c\u{061c}\u{200f}`},
		{"zero width", "a\u200b\u200c\u2060\ufeff\u00ad", `a\u{200b}\u{200c}\u{2060}\u{feff}\u{00ad}`},
		{"joiner without emoji", "a\u200db😀\u200d", `a\u{200d}b😀\u{200d}`},
		{"joiner between emoji", "😀\u200d😀", "😀\u200d😀"},
		{"joiner twice", "😀\u200d\u200d😀", `😀\u{200d}\u{200d}😀`},
		{"too many joiners", strings.Repeat("😀\u200d", 6) + "😀", strings.Repeat("😀\u200d", 4) + `😀\u{200d}😀` + "\u200d😀"},
		{"selector", "a\ufe0f1\ufe0f★\ufe0f❤\ufe0f\ufe0f", `a\u{fe0f}1\u{fe0f}★\u{fe0f}` + "❤\ufe0f" + `\u{fe0f}`},
		{"selector in keycap only", "1\ufe0f\u20e3#\u20e3*\ufe0e", "1\ufe0f\u20e3#\u20e3*" + `\u{fe0e}`},
		{"skin tone", "a🏻☝🏻🏻", `a\u{1f3fb}☝🏻\u{1f3fb}`},
		{"tags", "a\U000E0041\U000E007F\U000E0100", `a\u{e0041}\u{e007f}\u{e0100}`},
		{"separators", "a\u2028b\u2029", `a\u{2028}b\u{2029}`},
		{"blanks that are none", "a\u00a0\u2003\u202f\u1680", `a\u{00a0}\u{2003}\u{202f}\u{1680}`},
		{"fillers", "\u115f\u1160\u3164\uffa0\u034f\u17b4\u180b\u180e\u2800", `\u{115f}\u{1160}\u{3164}\u{ffa0}\u{034f}\u{17b4}\u{180b}\u{180e}\u{2800}`},
		{"private and unassigned", "\ue000\U00100000\u0378\ufffe\U0001ffff", `\u{e000}\u{100000}\u{0378}\u{fffe}\u{1ffff}`},
		{"replacement character", "\ufffd", "\ufffd"},
		{"marks", "e" + strings.Repeat("\u0301", 6), "e" + strings.Repeat("\u0301", 4) + `\u{0301}\u{0301}`},
		{"mark first", "\u0301a", `\u{0301}a`},
		{"mark after blank", "a \u0301", `a \u{0301}`},
		{"mark after tab", "\t\u0301", `        \u{0301}`},
		{"mark after spelled", "\xff\u0301", `\xff\u{0301}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := line(tt.in); got != tt.want {
				t.Errorf("Line(%+q)\n got %+q\nwant %+q", tt.in, got, tt.want)
			}
			check(t, tt.in)
		})
	}
}

func TestStyle(t *testing.T) {
	got := screen.Line(screen.Untrusted("a\x1b\\x1b"), screen.Reverse)
	if want := "a\x1b[7m\\x1b\x1b[27m\\x1b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLines(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"a", "a"},
		{"a\n", "a"},
		{"\n", ""},
		{"a\n\nb", "a||b"},
		{"a\r\nb\r\n", "a|b"},
		{"a\r\r\nb\r", `a\x0d|b\x0d`},
		{"\tb\na\tb", "        b|a       b"},
		{"a\n\u0301", `a|\u{0301}`},
	} {
		if got := strings.Join(screen.Lines(screen.Untrusted(tt.in), plain), "|"); got != tt.want {
			t.Errorf("Lines(%q) = %q, want %q", tt.in, got, tt.want)
		}
		check(t, tt.in)
	}
}

// check holds what must be true of every input.
func check(t *testing.T, in string) {
	t.Helper()
	out := line(in)
	if err := unsafe(out); err != nil {
		t.Fatalf("Line(%+q) = %+q: %v", in, out, err)
	}
	if again := line(out); again != out {
		t.Fatalf("Line(%+q) = %+q, and again %+q", in, out, again)
	}
	styled := screen.Line(screen.Untrusted(in), marked)
	if bare := unmark.Replace(styled); bare != out {
		t.Fatalf("Line(%+q) is %+q without style and %+q with one", in, out, bare)
	}
	lines := screen.Lines(screen.Untrusted(in), plain)
	for _, l := range lines {
		if err := unsafe(l); err != nil {
			t.Fatalf("Lines(%+q) = %+q: %v", in, lines, err)
		}
	}
}

// unsafe is a second judge, made from Unicode's tables and not from the code under test.
func unsafe(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("not UTF-8")
	}
	for _, r := range s {
		switch {
		case r == ' ', r == 0x3000, r == 0x200d, r == 0xfe0f:
		case unicode.In(r, unicode.C, unicode.Z), !unicode.IsGraphic(r),
			unicode.In(r, unicode.Bidi_Control, unicode.Other_Default_Ignorable_Code_Point,
				unicode.Variation_Selector, unicode.Noncharacter_Code_Point, unicode.Join_Control):
			return fmt.Errorf("holds %U", r)
		}
	}
	return nil
}

func TestEveryByteAndPair(t *testing.T) {
	for a := range 256 {
		check(t, string([]byte{byte(a)}))
		for b := range 256 {
			check(t, string([]byte{byte(a), byte(b)}))
		}
	}
}

// everyRune yields every code point that UTF-8 can hold, or, under the race detector, a sample of them.
func everyRune(t *testing.T) iter.Seq[rune] {
	if sampled {
		t.Log("under the race detector: one in 61 code points beyond U+02FF")
	}
	return func(yield func(rune) bool) {
		for r := rune(0); r <= unicode.MaxRune; r++ {
			if r >= 0xd800 && r < 0xe000 || sampled && r > 0x2ff && r%61 != 0 {
				continue
			}
			if !yield(r) {
				return
			}
		}
	}
}

func TestEveryCodePoint(t *testing.T) {
	around := []struct{ before, after, want string }{
		{"a", "", "a"},
		{"中", "文", "中"},
		{"😀", "😀", "😀"},
		{"😀\u200d", "", `😀\u{200d}`},
	}
	for r := range everyRune(t) {
		alone := line(string(r))
		if alone == string(r) || r < 0xa0 {
			if err := unsafe(alone); err != nil || line(alone) != alone {
				t.Fatalf("%U: %+q, and again %+q: %v", r, alone, line(alone), err)
			}
		} else if want := fmt.Sprintf(`\u{%04x}`, r); alone != want {
			t.Fatalf("%U: %+q, want %q", r, alone, want)
		}
		for _, a := range around {
			in := a.before + string(r) + a.after
			switch out := line(in); {
			case out == in:
				if err := unsafe(out); err != nil {
					t.Fatalf("%U: %+q: %v", r, out, err)
				}
			case r != '\t' && out != a.want+alone+a.after:
				t.Fatalf("Line(%+q) = %+q", in, out)
			}
		}
	}
}

// Languages must stay readable: what Unicode calls a letter, number, punctuation or symbol passes, but
// for a handful that nobody can see or that lean on what stands before.
func TestGraphicPasses(t *testing.T) {
	refused := 0
	for r := rune(0x20); r <= unicode.MaxRune; r++ {
		if unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) && line("a"+string(r)) != "a"+string(r) {
			refused++
		}
	}
	if refused != 14 {
		t.Errorf("%d letters, numbers, punctuation or symbols are spelled out, want 14", refused)
	}
}

// The attacks of the advisories named in docs/trust.md, and their relatives.
func TestAttacks(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"colour, kubectl CVE-2021-25743", "\x1b[31mred", `\x1b[31mred`},
		{"line rewritten by CR, kubectl CVE-2021-25743", "rm -rf\rls", `rm -rf\x0dls`},
		{"sideband, git CVE-2024-52005", "\x1b[2K\x1b[1A\x1b]0;x\a", `\x1b[2K\x1b[1A\x1b]0;x\x07`},
		{"OSC 8, less CVE-2022-46663", "\x1b]8;;http://x\x1b\\y\x1b]8;;\x1b\\", `\x1b]8;;http://x\x1b\y\x1b]8;;\x1b\`},
		{"marks, xterm CVE-2021-27135", "x" + strings.Repeat("\u0300", 5), "x" + strings.Repeat("\u0300", 4) + `\u{0300}`},
		{"trojan source, CVE-2021-42574", "if \u202e\u2066// x\u2069", `if \u{202e}\u{2066}// x\u{2069}`},
		{"log forging, nginx CVE-2009-4487", "GET /\x1b]2;x\x07\n", `GET /\x1b]2;x\x07\n`},
		{"clipboard", "\x1b]52;c;ZWNobyBwd25lZA==\a", `\x1b]52;c;ZWNobyBwd25lZA==\x07`},
		{"DECRQSS", "\x1bP$q\"p\x1b\\", `\x1bP$q"p\x1b\`},
		{"answerback", "\x05", `\x05`},
		{"backspace", "yes\b\b\bno ", `yes\x08\x08\x08no `},
		{"C1 CSI as a byte", "\x9b31m", `\x9b31m`},
		{"C1 CSI as a code point", "\u009b31m", `\u009b31m`},
		{"C1 OSC as a byte", "\x9d52;c;x\x9c", `\x9d52;c;x\x9c`},
		{"overlong ESC", "\xc0\x9b[31m", `\xc0\x9b[31m`},
		{"shift out", "\x0e\x0f", `\x0e\x0f`},
		{"tag smuggling", "hi\U000E0068\U000E0069", `hi\u{e0068}\u{e0069}`},
		{"selector smuggling", "😀\ufe0f\ufe01\U000E0121", "😀\ufe0f" + `\u{fe01}\u{e0121}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := line(tt.in); got != tt.want {
				t.Errorf("got %+q, want %+q", got, tt.want)
			}
			check(t, tt.in)
		})
	}
}
