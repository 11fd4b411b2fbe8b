package framing_test

import (
	"bytes"
	"testing"

	"duet.example/duet/framing"
)

// line is a body of 63 bytes: with LF it is 64.
var line = bytes.Repeat([]byte("0123456789"), 7)[:63]

// taught returns a codec whose peer sends lines, if it learns.
func taught(tb testing.TB, f framing.Framing) framing.Codec {
	c := f.New(0)
	if f == framing.Auto {
		if _, err := play(tb, c, steps(feed("hi\n"), short())); err != nil {
			tb.Fatal(err)
		}
	}
	return c
}

func benchmarked() []framing.Framing { return append([]framing.Framing{framing.Auto}, sized...) }

func BenchmarkFeed64(b *testing.B) {
	for _, f := range benchmarked() {
		b.Run(f.String(), func(b *testing.B) {
			c, in := taught(b, f), wire(b, f, string(line))
			var msgs []framing.Message
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				msgs, _ = c.Feed(msgs[:0], in)
			}
		})
	}
}

func BenchmarkAppend64(b *testing.B) {
	for _, f := range benchmarked() {
		b.Run(f.String(), func(b *testing.B) {
			c := taught(b, f)
			var out []byte
			b.ReportAllocs()
			b.SetBytes(64)
			for b.Loop() {
				out, _ = c.Append(out[:0], line)
			}
		})
	}
}

// A line costs its body and nothing else; sending and waiting cost nothing [F-18].
func TestAllocations_F18(t *testing.T) {
	for _, f := range benchmarked() {
		c, in := taught(t, f), wire(t, f, string(line))
		msgs, out := make([]framing.Message, 0, 4), make([]byte, 0, 128)
		for what, tt := range map[string]struct {
			want float64
			do   func()
		}{
			"Feed":     {1, func() { msgs, _ = c.Feed(msgs[:0], in) }},
			"Append":   {0, func() { out, _ = c.Append(out[:0], line) }},
			"Patience": {0, func() { c.Patience(); c.Gap(); msgs = c.Pause(msgs[:0], framing.Quiet, 0) }},
		} {
			if got := testing.AllocsPerRun(100, tt.do); got != tt.want {
				t.Errorf("%v: %s allocates %v times, want %v", f, what, got, tt.want)
			}
		}
		msgs, _ = c.Feed(msgs[:0], in)
		if cap(msgs[0].Body) != len(line) {
			t.Errorf("%v: body of %d bytes has room for %d", f, len(line), cap(msgs[0].Body))
		}
		if rest := c.Rest(); rest != nil {
			t.Errorf("%v: idle codec holds %q", f, rest)
		}
	}
}

// BenchmarkRaw hears 64 KiB of text at a time, each of whose bytes is looked at.
func BenchmarkRaw(b *testing.B) {
	for name, text := range map[string]string{"ascii": "0123456789 and so on, a line of text in English\n", "chinese": "你好，今天天气很好。"} {
		b.Run(name, func(b *testing.B) {
			c, in := framing.Raw.New(0), bytes.Repeat([]byte(text), framing.MaxBare/len(text))
			var msgs []framing.Message
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				msgs, _ = c.Feed(msgs[:0], in)
				msgs = c.Pause(msgs, framing.Quiet, framing.Quiet)
			}
		})
	}
}
