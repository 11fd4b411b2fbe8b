package framing_test

import (
	"bytes"
	"strings"
	"testing"

	"duet.example/duet/framing"
)

func TestRaw_F6(t *testing.T) {
	piece := strings.Repeat("x", framing.MaxBare)
	tests := []struct {
		name  string
		max   int
		steps []step
		want  []string
	}{
		{"a pause ends a message", 0, steps(feed("a"), feed("b\n"), short(), feed("c"), short(), short()), texts("ab\n", "c")},
		{"a shorter pause does not", 0, steps(feed("a"), quiet(framing.Quiet-1), feed("b"), short()), texts("ab")},
		{"age ends one", 0, steps(feed("a"), ageing(framing.MaxAge-1), feed("b"), ageing(framing.MaxAge)), texts("ab")},
		{"the close ends one", 0, steps(feed("a"), end()), texts("a")},
		{"a close alone is none", 0, steps(end()), texts()},
		{"64 KiB end one", 0, steps(feed("a"), feed(piece), feed(piece[2:])), texts("a" + piece[1:])},
		{"twice", 0, steps(feed(piece+piece), short()), texts(piece, piece)},
		{"a pause within a character is none", 0, steps(feed("再\xe8"), short(), feed("\xa7"), short(), feed("\x81"), short()), texts("再见")},
		{"a character that is never finished", 0, steps(feed("a\xe8"), short(), ageing(framing.MaxAge)), texts("a\xe8")},
		{"a byte that begins no character", 0, steps(feed("a\xff"), short()), texts("a\xff")},
		{"64 KiB leave a character whole", 0, steps(feed(piece[2:]+"见x"), short()), texts(piece[2:], "见x")},
		{"a limit below a character", 2, steps(feed("见"), short()), texts("\xe8\xa7", "\x81")},
		{"a lower limit", 3, steps(feed("ab"), feed("cdefgh"), short()), texts("abc", "def", "gh")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := play(t, newDecoder(framing.Raw, tt.max), tt.steps)
			wantErr(t, err, nil)
			wantTexts(t, got, tt.want)
		})
	}
}

func TestRaw_F6_PatienceAndGap(t *testing.T) {
	d, e := framing.Raw.New(0)
	want := func(pending bool) {
		t.Helper()
		q, a := patience(d)
		if (q == framing.Quiet && a == framing.MaxAge) != pending || (q == 0 && a == 0) == pending {
			t.Errorf("Patience = %v, %v", q, a)
		}
	}
	want(false)
	_, _ = d.Feed(nil, []byte("a"))
	want(true)
	pause(d, nil, framing.Quiet, framing.Quiet)
	want(false)
	_, _ = d.Feed(nil, bytes.Repeat([]byte("x"), framing.MaxBare))
	want(false)
	_, _ = d.Feed(nil, []byte("\xe8"))
	if q, a := patience(d); q != 0 || a != framing.MaxAge {
		t.Errorf("within a character: Patience = %v, %v", q, a)
	}
	d.Rest()
	_, _ = d.Feed(nil, make([]byte, framing.MaxBare))
	want(false)
	_, _ = d.Feed(nil, []byte("\xe8"))
	want(true) // the bytes before it in the burst are no text
	if e.Gap(0) != framing.BareGap {
		t.Errorf("Gap = %v", e.Gap(0))
	}
	if b, err := encode(e, false, nil, nil); len(b) != 0 || err != nil {
		t.Errorf("an empty body is sent as %q, %v", b, err)
	}
}
