package charset_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"duet.example/duet/internal/charset"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var names = strings.Fields(`utf-8 us-ascii iso-8859-1 ibm437 ibm850 gb18030 gbk big5 shift_jis euc-jp euc-kr
	ibm866 koi8-r koi8-u macintosh windows-874 windows-1250 windows-1251 windows-1252 windows-1253
	windows-1254 windows-1255 windows-1256 windows-1257 windows-1258 iso-8859-2 iso-8859-3 iso-8859-4
	iso-8859-5 iso-8859-6 iso-8859-7 iso-8859-8 iso-8859-10 iso-8859-13 iso-8859-14 iso-8859-15 iso-8859-16`)

func lookup(t testing.TB, name string) *charset.Encoding {
	t.Helper()
	e, err := charset.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// shown is what a person sees of decoded text: bytes that are not UTF-8 appear as \xNN.
func shown(b []byte) string {
	var s strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&s, `\x%02x`, b[0])
		} else {
			s.Write(b[:n])
		}
		b = b[n:]
	}
	return s.String()
}

func TestLookup(t *testing.T) {
	for _, name := range names {
		if got := lookup(t, name).Name(); got != name {
			t.Errorf("Lookup(%q).Name() = %q", name, got)
		}
	}
	for name, want := range map[string]string{
		"UTF8": "utf-8", " Latin1 ": "iso-8859-1", "l1": "iso-8859-1", "ISO8859-1": "iso-8859-1",
		"GB2312": "gbk", "cp936": "gbk", "sjis": "shift_jis", "CP932": "shift_jis", "cp1251": "windows-1251",
		"ascii": "us-ascii", "cp437": "ibm437", "ks_c_5601-1987": "euc-kr",
	} {
		if got := lookup(t, name).Name(); got != want {
			t.Errorf("Lookup(%q).Name() = %q, want %q", name, got, want)
		}
	}
}

func TestLookupRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"klingon":         `unknown encoding "klingon": for example utf-8, latin1`,
		"":                `unknown encoding ""`,
		"utf-16":          `encoding "utf-16" cannot be used: a line end in it is not the byte 0x0A`,
		"UTF-16BE":        `a line end in it is not the byte 0x0A`,
		"utf-32":          `a line end in it is not the byte 0x0A`,
		"iso-2022-jp":     `its shifts last beyond one message`,
		"hz-gb-2312":      `there is no safe way`,
		"x-user-defined":  `there is no safe way`,
		"utf-8 and more?": `unknown encoding`,
	} {
		e, err := charset.Lookup(name)
		if e != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Lookup(%q) = %v, %v; want %q", name, e, err, want)
		}
	}
}

func TestNilAndZeroAreUTF8(t *testing.T) {
	in := "你好\xff\x1b\ufffd"
	for _, e := range []*charset.Encoding{nil, {}, lookup(t, "utf-8")} {
		b, err := e.Encode(in)
		if e.Name() != "utf-8" || string(e.Decode([]byte(in))) != in || err != nil || string(b) != in {
			t.Errorf("%#v: %q, %q, %v", e, e.Name(), b, err)
		}
	}
}

func TestDecode(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"gb18030", "\xc4\xe3\xba\xc3", "你好"},
		{"gb18030", "\xc4\xe3\xff\xba\xc3\xc4", `你\xff好\xc4`},
		{"gb18030", "\x84\x31\xa4\x37\xff", "\ufffd" + `\xff`},
		{"gb18030", "\x81\x30\x81", `\x810\x81`},
		{"gb18030", "\xfe\x39\xfe\x39", `\xfe9\xfe9`},
		{"shift_jis", "\x93\xfa\x96{", "日本"},
		{"shift_jis", "\x93\xfa\xff\xfd\x93", `日\xff\xfd\x93`},
		{"shift_jis", "\x81 a", `\x81 a`},
		{"euc-kr", "\xc9\xa1", `\xc9\xa1`}, // read as UTF-8, a letter
		{"euc-kr", "\xc9\xa1\xb0\xa1", `\xc9\xa1가`},
		{"euc-jp", "\x8f\xa1\x1b", `\x8f\xa1` + "\x1b"},
		{"big5", "\xa7A\x88\x62\x80", "你Ê̄" + `\x80`},
		{"iso-8859-1", "caf\xe9 \x80", "café \u0080"},
		{"windows-1252", "\x80", "€"},
		{"iso-8859-3", "a\xa5\xe1", `a\xa5á`},
		{"us-ascii", "a\xc3\xa9", `a\xc3\xa9`},
		{"us-ascii", "\xe4\xbd\xa0\xf0\x9f\x98\x80", `\xe4\xbd\xa0\xf0\x9f\x98\x80`},
	} {
		if got := shown(lookup(t, tt.name).Decode([]byte(tt.in))); got != tt.want {
			t.Errorf("%s: Decode(%q) is shown as %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestEncode(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"gb18030", "你好 ok", "\xc4\xe3\xba\xc3 ok"},
		{"gb18030", "😀", "\x94\x39\xfc\x36"},
		{"shift_jis", "日本", "\x93\xfa\x96{"},
		{"iso-8859-1", "café\u0080", "caf\xe9\x80"},
		{"us-ascii", "plain", "plain"},
	} {
		got, err := lookup(t, tt.name).Encode(tt.in)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: Encode(%q) = %q, %v, want %q", tt.name, tt.in, got, err, tt.want)
		}
	}
}

func TestUnencodable(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     charset.UnencodableError
		text     string
	}{
		{"iso-8859-1", "é你好", charset.UnencodableError{Rune: '你', Offset: 2, Encoding: "iso-8859-1"}, `'你' (U+4F60) cannot be encoded in iso-8859-1`},
		{"iso-8859-1", "€", charset.UnencodableError{Rune: '€', Encoding: "iso-8859-1"}, `'€' (U+20AC) cannot be encoded in iso-8859-1`},
		{"shift_jis", "日😀", charset.UnencodableError{Rune: '😀', Offset: 3, Encoding: "shift_jis"}, `'😀' (U+1F600) cannot be encoded in shift_jis`},
		{"us-ascii", "a\u202e", charset.UnencodableError{Rune: '\u202e', Offset: 1, Encoding: "us-ascii"}, `'\u202e' (U+202E) cannot be encoded in us-ascii`},
		{"gbk", "a\xff", charset.UnencodableError{Rune: utf8.RuneError, Offset: 1, Encoding: "gbk", Invalid: true}, `byte 1 of the text is not UTF-8 and cannot be encoded in gbk`},
		{"gb18030", "\ue000", charset.UnencodableError{Rune: 0xe000, Encoding: "gb18030"}, `'\ue000' (U+E000) cannot be encoded in gb18030`},
	} {
		b, err := lookup(t, tt.name).Encode(tt.in)
		var got *charset.UnencodableError
		if b != nil || !errors.As(err, &got) || *got != tt.want || err.Error() != tt.text {
			t.Errorf("%s: Encode(%q) = %q, %v", tt.name, tt.in, b, err)
		}
	}
}

// Every byte and pair is either decoded to text that encodes again, or shown byte by byte.
func TestEveryByteAndPair(t *testing.T) {
	for _, name := range names {
		e := lookup(t, name)
		for a := range 256 {
			checkDecode(t, e, []byte{byte(a)})
			if !multibyte[name] {
				continue
			}
			for b := range 256 {
				checkDecode(t, e, []byte{byte(a), byte(b)})
			}
		}
	}
}

func checkDecode(t *testing.T, e *charset.Encoding, in []byte) {
	t.Helper()
	before := bytes.Clone(in)
	out := e.Decode(in)
	if !bytes.Equal(in, before) {
		t.Fatalf("%s: Decode changed its argument %q", e.Name(), before)
	}
	if e.Name() == "utf-8" {
		return
	}
	// A U+FFFD may stand only where the peer wrote one.
	written := 0
	if e.Name() == "gb18030" {
		written = bytes.Count(in, []byte("\x84\x31\xa4\x37"))
	}
	if n := bytes.Count(out, []byte("\ufffd")); n > written {
		t.Fatalf("%s: Decode(%q) = %q holds %d U+FFFD", e.Name(), in, out, n)
	}
	if bytes.Contains(in, []byte(`\x`)) {
		return // cannot be told from what Decode spells out
	}
	undecoded := 0
	units := 0
	rest := in
	for left := []byte(shown(out)); len(left) > 0; units++ {
		var c byte
		if n, _ := fmt.Sscanf(string(left), `\x%02x`, &c); n == 0 {
			_, size := utf8.DecodeRune(left)
			left = left[size:]
			continue
		}
		left = left[len(`\x00`):]
		undecoded++
		i := bytes.IndexByte(rest, c)
		if i < 0 || c < utf8.RuneSelf {
			t.Fatalf("%s: Decode(%q) = %q shows %#x", e.Name(), in, out, c)
		}
		rest = rest[i+1:]
	}
	if undecoded == 0 != utf8.Valid(out) {
		t.Fatalf("%s: Decode(%q) = %q, %d bytes undecoded", e.Name(), in, out, undecoded)
	}
	if !multibyte[e.Name()] && units != len(in) {
		t.Fatalf("%s: Decode(%q) = %q: %d of %d bytes", e.Name(), in, out, units, len(in))
	}
}

var multibyte = map[string]bool{"gb18030": true, "gbk": true, "big5": true, "shift_jis": true, "euc-jp": true, "euc-kr": true}

func TestEveryCodePointRoundTrip(t *testing.T) {
	for _, name := range []string{"gb18030", "big5", "shift_jis", "euc-jp", "euc-kr", "windows-1258", "iso-8859-1"} {
		e, encoded := lookup(t, name), 0
		for r := rune(0); r < 0x20000; r++ {
			if r >= 0xd800 && r < 0xe000 {
				continue
			}
			b, err := e.Encode(string(r))
			if err != nil {
				var un *charset.UnencodableError
				if !errors.As(err, &un) || un.Rune != r || b != nil {
					t.Fatalf("%s: %U: %q, %v", name, r, b, err)
				}
				continue
			}
			encoded++
			if got := string(e.Decode(b)); got != string(r) {
				t.Fatalf("%s: %U is encoded as %q and decoded as %+q", name, r, b, got)
			}
			if r != '\n' && bytes.IndexByte(b, '\n') >= 0 {
				t.Fatalf("%s: %U is encoded as %q, which holds a line end", name, r, b)
			}
		}
		if encoded < 200 || name == "iso-8859-1" && encoded != 256 {
			t.Errorf("%s encodes %d code points", name, encoded)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Fuzz(func(t *testing.T, which uint8, in []byte) {
		checkDecode(t, lookup(t, names[int(which)%len(names)]), in)
	})
}

func FuzzEncode(f *testing.F) {
	f.Fuzz(func(t *testing.T, which uint8, s string) {
		e := lookup(t, names[int(which)%len(names)])
		b, err := e.Encode(s)
		var un *charset.UnencodableError
		switch {
		case err == nil && string(e.Decode(b)) != s:
			t.Fatalf("%s: %+q is encoded as %q and decoded as %+q", e.Name(), s, b, e.Decode(b))
		case err != nil && (!errors.As(err, &un) || un.Offset >= len(s) || !un.Invalid && !strings.HasPrefix(s[un.Offset:], string(un.Rune))):
			t.Fatalf("%s: Encode(%+q): %v", e.Name(), s, err)
		case err != nil && un.Invalid && utf8.ValidString(s):
			t.Fatalf("%s: Encode(%+q): %v", e.Name(), s, err)
		}
	})
}

func TestCorpusIsThere(t *testing.T) {
	for _, target := range []string{"FuzzDecode", "FuzzEncode", "FuzzUnfinished"} {
		files, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(files) == 0 {
			t.Errorf("%s has no corpus", target)
		}
		for _, file := range files {
			if b, err := os.ReadFile(file); err != nil || len(b) == 0 {
				t.Errorf("%s: %d bytes, %v", file, len(b), err)
			}
		}
	}
}
