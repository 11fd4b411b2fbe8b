package room_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"duet.example/duet/internal/charset"
	"duet.example/duet/room"
)

func latin1() (*charset.Encoding, error) { return charset.Lookup("latin1") }

func TestLinesAreCut(t *testing.T) {
	for _, tt := range []struct {
		said string
		want []string
	}{
		{"", []string{""}},
		{"\n\r\n", []string{""}},
		{"one", []string{"one"}},
		{"one\n", []string{"one"}},
		{"one\r\n\r\ntwo", []string{"one", "two"}},
		{"a\vb\fc\u0085d\u2028e\u2029f", []string{"a", "b", "c", "d", "e", "f"}},
		{"a\xc2b\xe2\x80", []string{`a\xc2b\xe2\x80`}},
		{"a\tb", []string{`a       b`}},
		{strings.Repeat("x", room.MaxLine) + "y", []string{strings.Repeat("x", room.MaxLine), "y"}},
		{strings.Repeat("x", room.MaxLine-1) + "é", []string{strings.Repeat("x", room.MaxLine-1), "é"}},
	} {
		var got []string
		for _, line := range room.Lines([]byte(tt.said), "") {
			got = append(got, string(line))
		}
		if tt.said == "a\tb" { // so many blanks as the filter gives
			got[0] = strings.Join(strings.Fields(got[0]), "       ")
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%.40q: %.40q, want %.40q", tt.said, got, tt.want)
		}
	}
}

// No line is longer than others' limit lets in, whatever it is made of.
func TestLinesAreBounded(t *testing.T) {
	for _, of := range []string{"\x1b", "\xff", "\u202e", "é", "\U000e0041", "a\u0301\u0301\u0301\u0301\u0301\u0301"} {
		said := []byte(strings.Repeat(of, (1<<20)/len(of)))
		for _, line := range room.Lines(said, strings.Repeat("n", 128)) {
			if len(line) > 1<<20 || !utf8.Valid(line) {
				t.Errorf("%q: a line of %d bytes", of, len(line))
			}
		}
	}
}

func TestEndsInBodies(t *testing.T) {
	for _, tt := range []struct{ body, end, want string }{
		{"anna: a;;b", ";;", "anna: a?;b;;"},
		{"anna: a;", ";;", "anna: a?;;"},
		{"????", "?", "____?"},
		{"", ";;", ";;"},
		{"bb", "bab", "bbbab"},
		{"ba", "bab", "?abab"},
	} {
		got := room.AppendEnded([]byte("before;;"), []byte(tt.body), tt.end)
		if string(got) != "before;;"+tt.want {
			t.Errorf("%q with %q: %q, want %q", tt.body, tt.end, got, "before;;"+tt.want)
		}
		if got = got[len("before;;"):]; bytes.Index(got, []byte(tt.end)) != len(tt.body) {
			t.Errorf("%q ends too early", got)
		}
	}
}
