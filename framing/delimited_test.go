package framing_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"duet.example/duet/framing"
	"pgregory.net/rapid"
)

func TestDelimited_F4_Messages(t *testing.T) {
	tests := []struct {
		f    framing.Framing
		in   string
		want []string
	}{
		{framing.LF, "a\nb\n", texts("a", "b")},
		{framing.LF, "a\r\nb\n", texts("a", "b")},
		{framing.LF, "a\r\r\n\r\n\n", texts("a\r", "", "")},
		{framing.LF, "a\rb\x00\n", texts("a\rb\x00")},
		{framing.LF, "\n", texts("")},
		{framing.LF, "", texts()},
		{framing.LF, "a\nrest", texts("a", "rest")},
		{framing.LF, "a\nrest\r", texts("a", "rest\r")},
		{framing.CRLF, "a\r\nb\r\n", texts("a", "b")},
		{framing.CRLF, "a\nb\rc\r\n", texts("a\nb\rc")},
		{framing.CRLF, "a\r\r\n\n\r\n", texts("a\r", "\n")},
		{framing.CRLF, "\r\n\r\n", texts("", "")},
		{framing.CRLF, "\r\r\r", texts("\r\r\r")},
		{framing.CR, "a\rb\r\n\r", texts("a", "b", "\n")},
		{framing.NUL, "a\x00b\r\n\x00\x00", texts("a", "b\r\n", "")},
		{framing.LF, "你好,世界\n再见\n", texts("你好,世界", "再见")},
		{framing.CRLF, "你好\r\n再见\r\n", texts("你好", "再见")},
		{framing.NUL, "你好\x00再见", texts("你好", "再见")},
		{framing.Length, "\x00\x00\x00\x06你好\x00\x00\x00\x00\x00\x00\x00\x02ab", texts("你好", "", "ab")},
	}
	for _, tt := range tests {
		t.Run(tt.f.String()+"/"+tt.in, func(t *testing.T) {
			everyCut(t, tt.f, 0, []byte(tt.in), tt.want, nil)
		})
	}
}

// everyCut checks the messages of in as one piece, cut at every place, at
// every two places, and into single bytes [F-15].
func everyCut(t *testing.T, f framing.Framing, max int, in []byte, want []string, wantError error) {
	t.Helper()
	check := func(pieces ...[]byte) {
		t.Helper()
		got, err := decode(f, max, pieces...)
		if !slices.Equal(got, want) || err != wantError {
			t.Fatalf("pieces %q: got %q, %v; want %q, %v", pieces, got, err, want, wantError)
		}
	}
	check(in)
	check(cutUp(in, []byte{0})...)
	for i := range len(in) + 1 {
		for j := i; j <= len(in); j++ {
			check(in[:i], in[i:j], in[j:])
		}
	}
}

func TestDelimited_F3_Limit(t *testing.T) {
	tests := []struct {
		f    framing.Framing
		in   string
		want []string
		err  error
	}{
		{framing.LF, "ok\n1234\nok\n", texts("ok", "1234", "ok"), nil},
		{framing.LF, "ok\n1234\r\nok\n", texts("ok", "1234", "ok"), nil},
		{framing.LF, "ok\n12345\nok\n", texts("ok"), framing.ErrTooLong},
		{framing.LF, "ok\n12345", texts("ok"), framing.ErrTooLong},
		{framing.LF, "ok\n1234\r", texts("ok", "1234"), nil},
		{framing.LF, "ok\n1234\rx\n", texts("ok"), framing.ErrTooLong},
		{framing.LF, "ok\n1234\r\r\n", texts("ok"), framing.ErrTooLong},
		{framing.CRLF, "ok\r\n1234\r\nok\r\n", texts("ok", "1234", "ok"), nil},
		{framing.CRLF, "ok\r\n12345\r\n", texts("ok"), framing.ErrTooLong},
		{framing.CRLF, "ok\r\n1234\n", texts("ok"), framing.ErrTooLong},
		{framing.CRLF, "ok\r\n1234\r", texts("ok", "1234"), nil},
		{framing.CR, "ok\r1234\r12345", texts("ok", "1234"), framing.ErrTooLong},
		{framing.NUL, "ok\x001234\x0012345\x00", texts("ok", "1234"), framing.ErrTooLong},
		{framing.Length, "\x00\x00\x00\x041234\x00\x00\x00\x05", texts("1234"), framing.ErrTooLong},
		{framing.Length, "\x00\x00\x00\x02ok\xff\xff\xff\xff", texts("ok"), framing.ErrTooLong},
	}
	for _, tt := range tests {
		t.Run(tt.f.String()+"/"+tt.in, func(t *testing.T) {
			everyCut(t, tt.f, 4, []byte(tt.in), tt.want, tt.err)
		})
	}
}

func TestDecoder_F3_StaysInError(t *testing.T) {
	for _, f := range sized {
		d := newDecoder(f, 4)
		msgs, err := d.Feed(nil, []byte("\x7f\x7f"))
		wantErr(t, err, nil)
		// What follows the first would be a message by itself, in each framing.
		for _, b := range []string{"\x7f\x7f\x7f\x7f\n\r\n\x00", "\x00\x00\x00\x00\r\n", "\r\n"} {
			msgs, err = d.Feed(msgs, []byte(b))
			wantErr(t, err, framing.ErrTooLong)
			wantTexts(t, textsOf(msgs), nil)
		}
		_, err = d.End(nil)
		wantErr(t, err, framing.ErrTooLong)
		if rest := d.Rest(); rest != nil {
			t.Errorf("%v: holds %q after the error", f, rest)
		}
	}
}

func TestDefaultLimit(t *testing.T) {
	body := strings.Repeat("x", framing.DefaultMaxMessage)
	for _, max := range []int{0, -1} {
		got, err := decode(framing.LF, max, []byte(body+"\n"))
		wantErr(t, err, nil)
		wantTexts(t, got, texts(body))
		_, err = decode(framing.LF, max, []byte(body+"x"))
		wantErr(t, err, framing.ErrTooLong)
	}
	got, err := decode(framing.LF, int(^uint(0)>>1), []byte("a\nb"))
	wantErr(t, err, nil)
	wantTexts(t, got, texts("a", "b"))
}

func TestAppend_F13_Delimiter(t *testing.T) {
	tests := []struct {
		f    framing.Framing
		body string
		want string // "" for ErrDelimiter
	}{
		{framing.LF, "a", "a\n"},
		{framing.LF, "", "\n"},
		{framing.LF, "a\rb", "a\rb\n"},
		{framing.LF, "a\nb", ""},
		{framing.LF, "a\n", ""},
		{framing.LF, "a\r", ""},
		{framing.CRLF, "a\nb\rc", "a\nb\rc\r\n"},
		{framing.CRLF, "a\r", "a\r\r\n"},
		{framing.CRLF, "\na", "\na\r\n"},
		{framing.CRLF, "a\r\nb", ""},
		{framing.CR, "a\nb", "a\nb\r"},
		{framing.CR, "a\rb", ""},
		{framing.NUL, "a\r\n", "a\r\n\x00"},
		{framing.NUL, "a\x00", ""},
		{framing.Length, "a\n\x00", "\x00\x00\x00\x03a\n\x00"},
		{framing.Raw, "a\n\x00", "a\n\x00"},
		{framing.WithEOL(framing.LF, []byte("aa")), "xa", ""},
		{framing.WithEOL(framing.LF, []byte("aa")), "xb", "xbaa"},
		{framing.WithEOL(framing.LF, []byte("ab")), "xa", "xaab"},
		{framing.WithEOL(framing.NUL, []byte("\n")), "a\r", ""},
		{framing.WithEOL(framing.NUL, []byte("\n")), "a\x00", "a\x00\n"},
		{framing.WithEOL(framing.LF, nil), "a\n", "a\n"},
	}
	for _, tt := range tests {
		for _, farewell := range []bool{false, true} {
			got, err := encode(newEncoder(tt.f), farewell, []byte("before"), []byte(tt.body))
			var want error
			if tt.want == "" {
				want = framing.ErrDelimiter
			}
			wantErr(t, err, want)
			if string(got) != "before"+tt.want {
				t.Errorf("%v, farewell %v: %q is sent as %q, want %q", tt.f, farewell, tt.body, got, "before"+tt.want)
			}
		}
	}
}

func TestLength_F5_Cut(t *testing.T) {
	whole := []byte("\x00\x00\x00\x01a\x00\x00\x00\x04bcde")
	for n := range whole {
		d := newDecoder(framing.Length, 0)
		msgs, err := d.Feed(nil, whole[:n])
		wantErr(t, err, nil)
		before := len(msgs)
		msgs, err = d.End(msgs)
		var want error
		if n != 0 && n != 5 {
			want = framing.ErrCut
		}
		wantErr(t, err, want)
		if len(msgs) != before {
			t.Errorf("End after %d bytes gave %q", n, textsOf(msgs))
		}
		var done int
		if n >= 5 {
			done = 5
		}
		if rest := d.Rest(); !bytes.Equal(rest, whole[done:n]) {
			t.Errorf("Rest after %d bytes = %q, want %q", n, rest, whole[done:n])
		}
	}
}

func TestDecoder_F17_Rest(t *testing.T) {
	for _, f := range all {
		d := newDecoder(f, 0)
		if rest := d.Rest(); rest != nil {
			t.Errorf("%v: new decoder holds %q", f, rest)
		}
		if _, err := d.Feed(nil, []byte("\x00\x00")); err != nil {
			t.Fatal(err)
		}
		if f != framing.NUL {
			if rest := d.Rest(); string(rest) != "\x00\x00" {
				t.Errorf("%v: Rest = %q", f, rest)
			}
		}
		if rest := d.Rest(); rest != nil {
			t.Errorf("%v: Rest a second time = %q", f, rest)
		}
	}
}

func TestSized_F15_AnyCutsAnyBodies(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := rapid.SampledFrom(sized).Draw(rt, "framing")
		bodies := rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom([]byte("ab\r\n\x00\xe4\xbd\xa0")), 0, 12), 0, 8).Draw(rt, "bodies")
		cuts := rapid.SliceOfN(rapid.ByteRange(0, 9), 1, 8).Draw(rt, "cuts")
		e := newEncoder(f)
		var out []byte
		want := []string{}
		for _, body := range bodies {
			next, err := encode(e, false, out, body)
			if err == framing.ErrDelimiter {
				if f == framing.Length {
					rt.Fatalf("length refuses %q", body)
				}
				continue
			}
			out = next
			want = append(want, string(body))
		}
		got, err := decode(f, 0, cutUp(out, cuts)...)
		if err != nil || !slices.Equal(got, want) {
			rt.Fatalf("%v: got %q, %v; want %q", f, got, err, want)
		}
	})
}

// A large message arrives whole, whatever the pieces are.
func TestSized_F15_LargeMessages(t *testing.T) {
	body := strings.Repeat("大消息", 40_000)
	for _, f := range sized {
		in := wire(t, f, body, "small", body)
		for _, cuts := range [][]byte{{0, 1, 2, 3, 4, 5, 6}, {255}, {255, 0}} {
			got, err := decode(f, 0, cutUp(in, cuts)...)
			wantErr(t, err, nil)
			if !slices.Equal(got, texts(body, "small", body)) {
				t.Errorf("%v: large messages differ", f)
			}
		}
	}
}

func TestSized_F12_NeedNoClock(t *testing.T) {
	for _, f := range sized {
		d, e := f.New(0)
		if _, err := d.Feed(nil, []byte("\x00\x00")); err != nil {
			t.Fatal(err)
		}
		if q, a := patience(d); q != 0 || a != 0 {
			t.Errorf("%v: Patience = %v, %v", f, q, a)
		}
		if msgs := pause(d, nil, framing.LineQuiet, framing.MaxAge); len(msgs) != 0 {
			t.Errorf("%v: a pause gave %q", f, textsOf(msgs))
		}
		if gap := e.Gap(0); gap != 0 {
			t.Errorf("%v: Gap = %v", f, gap)
		}
	}
}
