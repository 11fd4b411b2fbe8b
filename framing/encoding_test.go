package framing_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"duet.example/duet/framing"
)

// pairs is an encoding such as GBK: a byte from 0x81 on and one from 0x40 on are a character.
type pairs struct{}

func (pairs) Unfinished(b []byte) (tail int, text bool) {
	text = true
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c < 0x81:
			text = text && (c >= ' ' && c < 0x7f || strings.IndexByte("\t\r\n\x1b", c) >= 0)
		case i+1 == len(b):
			return 1, text
		case b[i+1] < 0x40:
			text = false
		default:
			i++
		}
	}
	return 0, text
}

// singles is an encoding such as Latin-1.
type singles struct{}

func (singles) Unfinished([]byte) (tail int, text bool) { return 0, true }

// barePeer is a framing that has learned that the peer sends no line ends.
type barePeer struct{ framing.Framing }

func (b barePeer) New(max int) (framing.Decoder, framing.Encoder) {
	d, e := b.Framing.New(max)
	_, _ = d.Feed(nil, []byte("x"))
	pause(d, nil, framing.Quiet, framing.Quiet)
	return d, e
}

// wrong is an encoding whose answers are out of bounds.
type wrong struct{}

func (wrong) Unfinished(b []byte) (tail int, text bool) { return len(b)*2 - 3, true }

// encoded is a framing whose decoders begin with an encoding.
type encoded struct {
	framing.Framing
	encoding framing.Encoding
}

func (f encoded) New(max int) (framing.Decoder, framing.Encoder) {
	d, e := f.Framing.New(max)
	if timed, ok := d.(framing.TimedDecoder); ok {
		timed.SetEncoding(f.encoding)
	}
	return d, e
}

// A pause inside a character of text ends no message, in the encoding of the peer and in no other.
func TestEncoding_F6(t *testing.T) {
	piece := strings.Repeat("x", framing.MaxBare)
	for _, tt := range []struct {
		name     string
		encoding framing.Encoding
		steps    []step
		want     []string
	}{
		{"pairs that look as if they began a character of UTF-8", pairs{}, steps(feed("\xc4\xe3"), short(), feed("\xba\xc3"), short(), feed("\xc2\xf0"), short()), texts("\xc4\xe3", "\xba\xc3", "\xc2\xf0")},
		{"half a pair", pairs{}, steps(feed("\xc4\xe3\xba"), short(), feed("\xc3"), short()), texts("\xc4\xe3\xba\xc3")},
		{"half a pair behind what may stand in text", pairs{}, steps(feed("a\t\r\n\x1b[1mb\xba"), short(), feed("\xc3"), short()), texts("a\t\r\n\x1b[1mb\xba\xc3")},
		{"half a pair behind a control character", pairs{}, steps(feed("a\x02\xba"), short(), feed("\xc3z"), short()), texts("a\x02\xba", "\xc3z")},
		{"half a pair behind what is none", pairs{}, steps(feed("\xba!\xba"), short(), feed("\xc3z"), short()), texts("\xba!\xba", "\xc3z")},
		{"the next burst is text", pairs{}, steps(feed("\x02\xba"), short(), feed("\xba"), short(), feed("\xc3"), short()), texts("\x02\xba", "\xba\xc3")},
		{"half a pair that is never finished", pairs{}, steps(feed("a\xba"), short(), long(), feed("\xba"), short(), feed("\xc3"), short()), texts("a\xba", "\xba\xc3")},
		{"64 KiB leave a pair whole", pairs{}, steps(feed(piece[1:]+"\xba\xc3\xc4"), short(), feed("\xe3"), short()), texts(piece[1:], "\xba\xc3\xc4\xe3")},
		{"64 KiB leave a pair whole where it is no text", pairs{}, steps(feed("\x00"+piece[2:]+"\xba\xc3\xc4"), short(), feed("\xe3z"), short()), texts("\x00"+piece[2:], "\xba\xc3\xc4", "\xe3z")},
		{"64 KiB are a part of the burst", pairs{}, steps(feed("\x00"+piece[1:]+"\xba"), short(), feed("\xc3z"), short()), texts("\x00"+piece[1:], "\xba", "\xc3z")},
		{"age is no end of a burst", pairs{}, steps(feed("a\x00"), ageing(framing.MaxAge), feed("\xba"), short(), feed("\xc3z"), short()), texts("a\x00", "\xba", "\xc3z")},
		{"age is no end of a character", pairs{}, steps(feed("a\xba"), ageing(framing.MaxAge), feed("\xc3\xba"), short(), feed("\xc3"), short()), texts("a\xba", "\xc3\xba\xc3")},
		{"single bytes", singles{}, steps(feed("caf\xe9"), short(), feed("\xe0"), short()), texts("caf\xe9", "\xe0")},
		{"UTF-8", nil, steps(feed("你\xe5"), short(), feed("\xa5\xbd"), short()), texts("你好")},
		{"UTF-8 behind what may stand in text", nil, steps(feed("12345678\t12345678\r12345678\n\x1b[1m\xe5"), short(), feed("\xa5\xbd"), short()), texts("12345678\t12345678\r12345678\n\x1b[1m好")},
		{"UTF-8 behind a control character", nil, steps(feed("12345678\x0212345678\xe5"), short(), feed("\xa5\xbd"), short()), texts("12345678\x0212345678\xe5", "\xa5\xbd")},
		{"UTF-8 behind DEL", nil, steps(feed("1234567\x7f\xe5"), short(), feed("\xa5\xbd"), short()), texts("1234567\x7f\xe5", "\xa5\xbd")},
		{"UTF-8 behind C1", nil, steps(feed("\u0085\xe5"), short(), feed("\xa5\xbd"), short()), texts("\u0085\xe5", "\xa5\xbd")},
		{"UTF-8 behind what is none", nil, steps(feed("caf\xe9 \xe5"), short(), feed("\xa5\xbd"), short()), texts("caf\xe9 \xe5", "\xa5\xbd")},
		{"a raw frame that ends like a character begins", nil, steps(feed("\x02\x41\x03\xe5"), short(), feed("\x02\x42\x03\xe5"), short()), texts("\x02\x41\x03\xe5", "\x02\x42\x03\xe5")},
	} {
		for _, fr := range []framing.Framing{framing.Raw, framing.Auto, barePeer{framing.Auto}, framing.WithEOL(framing.Raw, []byte("\r"))} {
			if in := tt.steps[0].feed; fr == framing.Auto && (strings.Contains(in, "\n") || len(in) > framing.MaxBare) {
				continue // until the peer is known to be bare, lines are cut out and 64 KiB are not
			}
			t.Run(fmt.Sprintf("%s %v %T", tt.name, fr, fr), func(t *testing.T) {
				f := encoded{fr, tt.encoding}
				got, err := play(t, newDecoder(f, 0), tt.steps)
				wantErr(t, err, nil)
				wantTexts(t, got, tt.want)
				for i, s := range tt.steps {
					for n := 1; n < len(s.feed) && n < 100; n++ {
						for _, n := range []int{n, len(s.feed) - n} {
							cut := slices.Concat(tt.steps[:i], s.cut(n), tt.steps[i+1:])
							if again, _ := play(t, newDecoder(f, 0), cut); !slices.Equal(again, tt.want) {
								t.Errorf("step %d cut at %d: got %.80q, want %.80q", i, n, again, tt.want)
							}
						}
					}
				}
				var bytewise []step
				for _, s := range tt.steps {
					if s.feed == "" {
						bytewise = append(bytewise, s)
					}
					for i := range len(s.feed) {
						bytewise = append(bytewise, feed(s.feed[i:i+1]))
					}
				}
				if again, _ := play(t, newDecoder(f, 0), bytewise); !slices.Equal(again, tt.want) {
					t.Errorf("byte by byte: got %.80q, want %.80q", again, tt.want)
				}
			})
		}
	}
}

// A change of the encoding counts for the bytes that are pending and for those that follow.
func TestEncoding_F6_Changes(t *testing.T) {
	for _, fr := range []framing.Framing{framing.Raw, framing.Auto} {
		d := newDecoder(fr, 0).(framing.TimedDecoder)
		waits := func(in string, want bool) {
			t.Helper()
			_, _ = d.Feed(nil, []byte(in))
			if quiet, age := d.Patience(); (quiet == 0) != want || age != framing.MaxAge {
				t.Errorf("%v: after %q: Patience = %v, %v", fr, in, quiet, age)
			}
		}
		waits("a\xe3\x81", true)
		d.SetEncoding(pairs{})
		waits("", false)
		waits("\xba", true)
		d.SetEncoding(singles{})
		waits("", false)
		d.SetEncoding(nil)
		waits("", false) // it is no UTF-8
		d.Pause(nil, framing.Quiet, framing.Quiet)
		waits("\xe5", true)
	}
}

// Wrong answers of an encoding lose no byte.
func TestEncoding_Wrong(t *testing.T) {
	for _, fr := range []framing.Framing{framing.Raw, framing.Auto} {
		d := newDecoder(encoded{fr, wrong{}}, 5)
		var got []byte
		for _, in := range []string{"", "a", "bc", "defghijklmnopq", "r"} {
			msgs, err := d.Feed(nil, []byte(in))
			wantErr(t, err, nil)
			for _, m := range msgs {
				got = append(got, m.Body...)
			}
		}
		got = append(got, d.Rest()...)
		if !bytes.Equal(got, []byte("abcdefghijklmnopqr")) {
			t.Errorf("%v: got %q", fr, got)
		}
	}
}
