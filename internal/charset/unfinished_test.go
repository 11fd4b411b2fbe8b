package charset_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestUnfinished(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		tail     int
		text     bool
	}{
		{"utf-8", "", 0, true},
		{"utf-8", "你\xe5", 1, true},
		{"utf-8", "\xf0\x9f\x98", 3, true},
		{"utf-8", "\xff\xe5", 1, false},
		{"utf-8", "\xed\xa0", 0, false}, // would be a surrogate
		{"gb18030", "\xc4\xe3", 0, true},
		{"gb18030", "\xc4\xe3\xba", 1, true},
		{"gb18030", "\x94\x39\xfc", 3, true},
		{"gb18030", "\x94\x39", 2, true},
		{"gb18030", "\x84\x31\xa4\x37\xba", 1, true}, // U+FFFD that the peer wrote
		{"gb18030", "\xff\xba", 1, false},
		{"gb18030", "\x80\xba", 1, true}, // the euro sign of GBK
		{"gb18030", "\x81\x30\x41", 0, false},
		{"gb18030", "\xfe\x39", 0, false},
		{"gb18030", "\x81\x30\x81\x30\xba", 1, false}, // U+0080
		{"gb18030", "\x84\x31\xa4\x37\x00\xba", 1, false},
		{"gb18030", "a\t\r\n\x1b[1m\xba", 1, true},
		{"gb18030", "a\x00\xba", 1, false},
		{"gb18030", "a\x7f\xba", 1, false},
		{"gb18030", strings.Repeat("\xc4\xe3", 10_000) + "\xba", 1, true}, // more than a buffer
		{"gb18030", strings.Repeat("\xc4\xe3", 3000) + "\x00" + strings.Repeat("\xc4\xe3", 3000) + "\xba", 1, false},
		{"shift_jis", "\x93\xfa\x96", 1, true},
		{"shift_jis", "\xb1", 0, true}, // half as wide, one byte
		{"euc-jp", "\x8f\xb0", 2, true},
		{"euc-jp", "\x8f\xa2", 2, true},
		{"euc-jp", "\x8f\x41", 0, false},
		{"euc-jp", "\x8e", 1, true},
		{"iso-8859-1", "caf\xe9", 0, true},
		{"windows-1251", "\xe5", 0, true},
		{"us-ascii", "\xe5", 0, true},
		{"iso-8859-8-i", "\xe5", 0, true},
	} {
		tail, text := lookup(t, tt.name).Unfinished([]byte(tt.in))
		if tail != tt.tail || text != tt.text {
			t.Errorf("%s: Unfinished(%.20q) = %d, %v, want %d, %v", tt.name, tt.in, tail, text, tt.tail, tt.text)
		}
	}
}

// Each beginning of each character is unfinished, and the character is not.
func TestUnfinishedEveryCharacter(t *testing.T) {
	for _, name := range []string{"utf-8", "gb18030", "gbk", "big5", "shift_jis", "euc-jp", "euc-kr", "windows-1258"} {
		e := lookup(t, name)
		for r := rune(' '); r < 0x20000; r++ {
			b, err := e.Encode(string(r))
			if err != nil || unicode.IsControl(r) || r >= 0xd800 && r < 0xe000 {
				continue
			}
			for n := range len(b) + 1 {
				want := n
				if n == len(b) {
					want = 0
				}
				if tail, text := e.Unfinished(b[:n]); tail != want || !text {
					t.Fatalf("%s: %U: Unfinished(%q) = %d, %v, want %d", name, r, b[:n], tail, text, want)
				}
			}
		}
	}
}

// FuzzUnfinished: what is found does not depend on how bytes are cut, text decodes to text, and what is not text holds a
// byte that cannot be decoded or a control character.
func FuzzUnfinished(f *testing.F) {
	f.Fuzz(func(t *testing.T, which uint8, in []byte) {
		e := lookup(t, names[int(which)%len(names)])
		before := bytes.Clone(in)
		tail, text := e.Unfinished(in)
		if tail < 0 || tail > min(3, len(in)) || !bytes.Equal(in, before) {
			t.Fatalf("%s: Unfinished(%q) = %d, %v, and left %q", e.Name(), before, tail, text, in)
		}
		for i := range in {
			begun, first := e.Unfinished(in[:i])
			if !first {
				if text {
					t.Fatalf("%s: %q is text, but its beginning %q is not", e.Name(), in, in[:i])
				}
				continue
			}
			rest, second := e.Unfinished(in[i-begun:])
			if second != text || text && rest != tail {
				t.Fatalf("%s: Unfinished(%q) = %d, %v, but cut at %d %d, %v", e.Name(), in, tail, text, i, rest, second)
			}
		}
		if tail == 0 && text && !multibyte[e.Name()] && e.Name() != "utf-8" {
			return // not looked at
		}
		out := e.Decode(in[:len(in)-tail])
		odd := func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\r\n\x1b", r) }
		clean := utf8.Valid(out) && !bytes.ContainsFunc(out, odd)
		if text && !clean || !text && clean && !bytes.Contains(out, []byte(`\x`)) {
			t.Fatalf("%s: Unfinished(%q) = %d, %v, but it decodes to %q", e.Name(), in, tail, text, out)
		}
	})
}
