package screen_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"duet.example/duet/internal/screen"
)

var samples = []string{
	"hello\r\nworld\n\ttab\n",
	"a\rb\r\r\nc\r",
	"你好\t世界\n👩🏻‍❤️‍💋‍👩🏻\tx",
	"😀\u200d😀\u200da\u200d",
	"1\ufe0f\u20e31\ufe0f2\ufe0f\u20e4\ufe0f",
	"e\u0301\u0301\u0301\u0301\u0301\u0301\te",
	"\xe4\xbd\xe4\xbd\xa0\xff\xc0\x9b\u009b\x9b\xf0\x9f\x98",
	"\x1b[31mred\x1b[0m\x00\x07\t|",
	strings.Repeat("\u0915\u094d", 25) + "\t|" + strings.Repeat("é", 30) + "\t|",
	"\u1112\u1161\u11ab\u11ab\u11ab\u11ab\tx\u0d4e\t\u0d4ea",
	"ｶﾞﾞﾞ\tx 🇨🇳🇨\tx",
}

// through gives the parts to a Writer, each in a Write of its own.
func through(t *testing.T, parts ...string) string {
	t.Helper()
	var b strings.Builder
	w := screen.NewWriter(&b, plain)
	for _, part := range parts {
		if n, err := io.WriteString(w, part); n != len(part) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", part, n, err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWriterEverySplit(t *testing.T) {
	for _, s := range samples {
		whole := through(t, s)
		want := strings.Join(screen.Lines(screen.Untrusted(s), plain), "\n")
		if strings.HasSuffix(s, "\n") {
			want += "\n"
		}
		if whole != want {
			t.Errorf("Writer of %+q\n     is %+q\nLines is %+q", s, whole, want)
		}
		for i := range len(s) + 1 {
			for j := i; j <= len(s); j++ {
				if got := through(t, s[:i], s[i:j], s[j:]); got != whole {
					t.Fatalf("%+q | %+q | %+q\n got %+q\nwant %+q", s[:i], s[i:j], s[j:], got, whole)
				}
			}
		}
		if got := through(t, strings.Split(s, "")...); got != whole {
			t.Errorf("%+q by character\n got %+q\nwant %+q", s, got, whole)
		}
	}
}

func TestWriterBigWrite(t *testing.T) {
	s := strings.Repeat("你好\x1b😀\r\n", 10_000)
	if got, want := through(t, s), strings.Repeat("你好\\x1b😀\n", 10_000); got != want {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
}

func TestWriterHoldsLittle(t *testing.T) {
	var b strings.Builder
	w := screen.NewWriter(&b, plain)
	for _, step := range []struct{ in, want string }{
		{"login: ", "login: "},
		{"é", "login: é"},
		{"\xe4\xbd", "login: é"},
		{"\xa0", "login: é你"},
		{"\r", "login: é你"},
	} {
		io.WriteString(w, step.in)
		if b.String() != step.want {
			t.Fatalf("after %q: %q, want %q", step.in, b.String(), step.want)
		}
	}
	if err := w.Flush(); err != nil || b.String() != `login: é你\x0d` {
		t.Errorf("after Flush: %q, %v", b.String(), err)
	}
}

type failing struct{ left int }

var errFull = errors.New("full")

func (f *failing) Write(b []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}

type short struct{}

func (short) Write(b []byte) (int, error) { return len(b) - 1, nil }

func TestWriterErrors(t *testing.T) {
	w := screen.NewWriter(&failing{left: 1}, plain)
	if n, err := w.Write(make([]byte, 40<<10)); !errors.Is(err, errFull) || n != 16<<10 {
		t.Errorf("Write = %d, %v", n, err)
	}
	if n, err := w.Write([]byte("x")); !errors.Is(err, errFull) || n != 0 {
		t.Errorf("second Write = %d, %v", n, err)
	}
	if err := w.Flush(); !errors.Is(err, errFull) {
		t.Errorf("Flush = %v", err)
	}
	if _, err := screen.NewWriter(short{}, plain).Write([]byte("xy")); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("short write: %v", err)
	}
}
