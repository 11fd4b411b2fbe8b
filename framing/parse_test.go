package framing_test

import (
	"bytes"
	"strings"
	"testing"

	"duet.example/duet/framing"
)

func TestParse(t *testing.T) {
	want := map[string]framing.Framing{
		"auto": framing.Auto, "raw": framing.Raw, "lf": framing.LF, "crlf": framing.CRLF,
		"cr": framing.CR, "nul": framing.NUL, "length": framing.Length,
	}
	names := framing.Names()
	if len(names) != len(want) {
		t.Errorf("Names = %q", names)
	}
	for _, name := range names {
		for _, s := range []string{name, strings.ToUpper(name)} {
			if f, err := framing.Parse(s); err != nil || f != want[name] || f.String() != name {
				t.Errorf("Parse(%q) = %v, %v", s, f, err)
			}
		}
	}
	for _, bad := range []string{"", "lines", "lf "} {
		f, err := framing.Parse(bad)
		if f != nil || err == nil || !strings.Contains(err.Error(), strings.Join(names, ", ")) {
			t.Errorf("Parse(%q) = %v, %v", bad, f, err)
		}
	}
}

func TestParseEOL_F16(t *testing.T) {
	for s, want := range map[string]string{
		"lf": "\n", "CRLF": "\r\n", "cr": "\r", "Nul": "\x00", "none": "", "0x0a": "\n", "0X0D0a": "\r\n", "0xFF": "\xff",
	} {
		if got, err := framing.ParseEOL(s); err != nil || string(got) != want {
			t.Errorf("ParseEOL(%q) = %q, %v", s, got, err)
		}
	}
	for _, bad := range []string{"", "\n", "0x", "0xa", "0x0g", "0a", "crlf "} {
		if got, err := framing.ParseEOL(bad); err == nil || got != nil || !strings.Contains(err.Error(), "crlf") {
			t.Errorf("ParseEOL(%q) = %q, %v", bad, got, err)
		}
	}
}

func TestWithEOL_F16(t *testing.T) {
	if f := framing.WithEOL(framing.Length, []byte("\n")); f != framing.Length {
		t.Errorf("WithEOL(Length) = %v", f)
	}
	eol := []byte("\r\n")
	f := framing.WithEOL(framing.LF, eol)
	scribble(eol)
	if f != framing.WithEOL(framing.WithEOL(framing.LF, nil), []byte("\r\n")) {
		t.Error("equal framings differ")
	}
	if f.String() != "lf" {
		t.Errorf("String = %q", f)
	}
	if got := wire(t, f, "a", "b"); string(got) != "a\r\nb\r\n" {
		t.Errorf("sent %q", got)
	}
	got, err := decode(f, 0, []byte("a\nb\n"))
	wantErr(t, err, nil)
	wantTexts(t, got, texts("a", "b"))

	d, e := framing.WithEOL(framing.Auto, []byte("\r")).New(0)
	if _, err := play(t, d, steps(feed("a\n"))); err != nil {
		t.Fatal(err)
	}
	out, err := encode(e, true, nil, []byte("bye"))
	wantErr(t, err, nil)
	if !bytes.Equal(out, []byte("bye\r")) || e.(framing.Learner).Learned() != lines || e.Gap(0) != 0 {
		t.Errorf("sent %q, learned %q, gap %v", out, e.(framing.Learner).Learned(), e.Gap(0))
	}
	_, e = framing.WithEOL(framing.LF, nil).New(0)
	if e.Gap(0) != framing.BareGap || e.(framing.Learner).Learned() != "" {
		t.Errorf("gap %v, learned %q", e.Gap(0), e.(framing.Learner).Learned())
	}
}
