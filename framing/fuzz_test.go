package framing_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unicode/utf8"

	"duet.example/duet/framing"
)

// burstsOf cuts data into bursts, as cutUp does, with the pause that follows each.
func burstsOf(data, pauses []byte) []step {
	var list []step
	for i, burst := range cutUp(data, pauses) {
		list = append(list, feed(string(burst)))
		switch i % 4 {
		case 0, 1:
			list = append(list, short())
		case 2:
			list = append(list, long())
		}
	}
	return list
}

// FuzzFeed feeds any bytes in any framing and encoding. The messages are the same however the bursts are cut, no message and no
// buffer exceeds its limit, no byte is made up, and a decoder without an unfinished message needs no clock. [F-3] [F-15] [F-18]
func FuzzFeed(f *testing.F) {
	f.Fuzz(func(t *testing.T, kind byte, limit uint16, pauses, cuts, data []byte) {
		fr := all[int(kind)%len(all)]
		f := fr
		if encodings := []framing.Encoding{nil, pairs{}, singles{}}; int(kind) >= len(all) {
			f = encoded{fr, encodings[int(kind)/len(all)%len(encodings)]}
		}
		limit = limit%512 + 1
		whole := burstsOf(data, pauses)
		var cut []step
		for _, s := range whole {
			if s.feed == "" {
				cut = append(cut, s)
				continue
			}
			for _, p := range cutUp([]byte(s.feed), cuts) {
				cut = append(cut, feed(string(p)))
			}
		}
		want, wantErr := play(t, newDecoder(f, int(limit)), append(whole, end()))
		got, err := play(t, newDecoder(f, int(limit)), append(cut, end()))
		if !slices.Equal(got, want) || err != wantErr {
			t.Fatalf("%v: cut %v: %q, %v; whole %v: %q, %v", fr, cut, got, err, whole, want, wantErr)
		}

		d := newDecoder(f, int(limit))
		for _, s := range cut {
			msgs, err := play(t, d, []step{s})
			for _, m := range msgs {
				if len(m) > int(limit)+1 || len(m) > int(limit) && m[0] != '~' {
					t.Fatalf("%v: message of %d bytes, limit %d", fr, len(m), limit)
				}
			}
			if err != nil {
				return
			}
		}
		quiet, age := patience(d)
		rest := d.Rest()
		if cap(rest) > int(limit)+4 || !bytes.HasSuffix(data, rest) {
			t.Fatalf("%v: holds %q with room for %d, limit %d, of %q", fr, rest, cap(rest), limit, data)
		}
		if rest == nil && age != 0 || rest == nil && quiet != 0 && fr != framing.Auto {
			t.Fatalf("%v: waits %v, %v for nothing", fr, quiet, age)
		}
	})
}

// FuzzRoundTrip sends any bodies. Each arrives as it was, or is refused with ErrDelimiter. In raw, pauses separate them. Auto is
// taught the line end first. [F-13]
func FuzzRoundTrip(f *testing.F) {
	f.Fuzz(func(t *testing.T, kind byte, cuts, one, two []byte) {
		fr := all[int(kind)%len(all)]
		learner, sender := fr.New(0)
		receiver := newDecoder(fr, 0)
		if fr == framing.Auto {
			taught := "hi\n"
			if len(cuts)%2 == 1 {
				taught = "hi\r\n"
			}
			for _, d := range []framing.Decoder{learner, receiver} {
				if _, err := play(t, d, steps(feed(taught), short())); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := []string{}
		list := []step{}
		for _, body := range [][]byte{one, two, one} {
			gap := sender.Gap(len(want))
			out, err := encode(sender, false, []byte("x"), body)
			again, _ := encode(sender, false, []byte("x"), body)
			if got := sender.Gap(len(want)); got != gap || !bytes.Equal(again, out) {
				t.Fatalf("%v: Append(%q) = %q, then %q; Gap %v, then %v", fr, body, out, again, gap, got)
			}
			if err == framing.ErrDelimiter && fr != framing.Length && fr != framing.Raw {
				continue
			}
			if err != nil || out[0] != 'x' {
				t.Fatalf("%v: Append(%q) = %q, %v", fr, body, out, err)
			}
			if fr == framing.Raw && len(body) == 0 {
				continue
			}
			want = append(want, string(body))
			for _, p := range cutUp(out[1:], cuts) {
				list = append(list, feed(string(p)))
			}
			if fr == framing.Raw {
				list = append(list, short())
				if endsInCharacter(body) {
					list = append(list, long()) // "A pause inside a character does not count" [F-6]
				}
			}
		}
		got, err := play(t, receiver, append(list, end()))
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%v: got %q, %v; want %q", fr, got, err, want)
		}
	})
}

// endsInCharacter reports whether b ends with the beginning of a character of UTF-8.
func endsInCharacter(b []byte) bool {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if !utf8.FullRune(b[len(b)-n:]) {
			return true
		}
	}
	return false
}

// A fuzz target without seeds tests nothing in an ordinary test run.
func TestFuzzCorpora(t *testing.T) {
	for _, target := range []string{"FuzzFeed", "FuzzRoundTrip"} {
		seeds, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(seeds) < 8 {
			t.Errorf("%s has %d seeds, %v", target, len(seeds), err)
		}
		for _, name := range seeds {
			if b, err := os.ReadFile(name); err != nil || !bytes.HasPrefix(b, []byte("go test fuzz v1\n")) {
				t.Errorf("%s is no seed: %v", name, err)
			}
		}
	}
}
