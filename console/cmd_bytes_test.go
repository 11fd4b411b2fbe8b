package console

import (
	"bytes"
	"fmt"
	"os"
	"testing"
)

func TestParseBytes(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want string
		ok   bool
	}{
		{"68690d", "hi\r", true},
		{"68 69 0D", "hi\r", true},
		{"68:69,0d", "hi\r", true},
		{"0x68 0X69 0xd", "hi\r", true},
		{"0x6869", "hi", true},
		{`"hi\r\x1e\u00e9\""`, "hi\r\x1eé\"", true},
		{`""`, "", true},
		{"6", "", false},
		{"0x", "", false},
		{"a0x1", "", false},
		{"0x123", "", false},
		{"6869zz", "", false},
		{"hello", "", false},
		{`"open`, "", false},
		{`"a" b`, "", false},
		{"`raw`", "", false},
	} {
		got, err := ParseBytes(tt.in)
		if string(got) != tt.want || (err == nil) != tt.ok {
			t.Errorf("ParseBytes(%q) = %q, %v", tt.in, got, err)
		}
	}
}

const parseBytesCorpus = "testdata/fuzz/FuzzParseBytes"

func TestParseBytesCorpus(t *testing.T) {
	files, err := os.ReadDir(parseBytesCorpus)
	if err != nil || len(files) == 0 {
		t.Errorf("the corpus is empty: %v", err)
	}
}

// What is parsed and written in either form is parsed as the same again.
func FuzzParseBytes(f *testing.F) {
	for _, s := range []string{"68 69 0d", "0x1", `"\x1e\u00e9"`, "0x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := ParseBytes(s)
		if err != nil {
			if b != nil {
				t.Fatalf("%q: bytes with an error", s)
			}
			return
		}
		for _, form := range []string{fmt.Sprintf("% x", b), fmt.Sprintf("%X", b), fmt.Sprintf("%+q", b)} {
			again, err := ParseBytes(form)
			if err != nil || !bytes.Equal(again, b) {
				t.Fatalf("%q gives %q, but %s gives %q, %v", s, b, form, again, err)
			}
		}
	})
}
