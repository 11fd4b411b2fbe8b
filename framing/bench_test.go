package framing_test

import (
	"bytes"
	"testing"

	"duet.example/duet/framing"
)

// line is a body of 63 bytes. With LF it has 64.
var line = bytes.Repeat([]byte("0123456789"), 7)[:63]

// taught returns both halves of a conversation. If they learn, they have learned that the peer sends lines.
func taught(tb testing.TB, f framing.Framing) (framing.Decoder, framing.Encoder) {
	d, e := f.New(0)
	if f == framing.Auto {
		if _, err := play(tb, d, steps(feed("hi\n"), short())); err != nil {
			tb.Fatal(err)
		}
	}
	return d, e
}

func benchmarked() []framing.Framing { return append([]framing.Framing{framing.Auto}, sized...) }

func BenchmarkFeed64(b *testing.B) {
	for _, f := range benchmarked() {
		b.Run(f.String(), func(b *testing.B) {
			d, _ := taught(b, f)
			in := wire(b, f, string(line))
			var msgs []framing.Message
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				msgs, _ = d.Feed(msgs[:0], in)
			}
		})
	}
}

func BenchmarkAppend64(b *testing.B) {
	for _, f := range benchmarked() {
		b.Run(f.String(), func(b *testing.B) {
			_, e := taught(b, f)
			var out []byte
			b.ReportAllocs()
			b.SetBytes(64)
			for b.Loop() {
				out, _ = encode(e, false, out[:0], line)
			}
		})
	}
}

// A line that arrives allocates its body and nothing else. To send and to wait allocates nothing. [F-18]
func TestAllocations_F18(t *testing.T) {
	for _, f := range benchmarked() {
		d, e := taught(t, f)
		in := wire(t, f, string(line))
		msgs, out := make([]framing.Message, 0, 4), make([]byte, 0, 128)
		for name, tt := range map[string]struct {
			want float64
			do   func()
		}{
			"Feed":     {1, func() { msgs, _ = d.Feed(msgs[:0], in) }},
			"Append":   {0, func() { out, _ = encode(e, false, out[:0], line) }},
			"Patience": {0, func() { patience(d); e.Gap(0); msgs = pause(d, msgs[:0], framing.Quiet, 0) }},
		} {
			if got := testing.AllocsPerRun(100, tt.do); got != tt.want {
				t.Errorf("%v: %s allocates %v times, want %v", f, name, got, tt.want)
			}
		}
		msgs, _ = d.Feed(msgs[:0], in)
		if cap(msgs[0].Body) != len(line) {
			t.Errorf("%v: body of %d bytes has room for %d", f, len(line), cap(msgs[0].Body))
		}
		if rest := d.Rest(); rest != nil {
			t.Errorf("%v: idle decoder holds %q", f, rest)
		}
	}
}

// BenchmarkRaw feeds 64 KiB of text at a time. Raw looks at each byte.
func BenchmarkRaw(b *testing.B) {
	for name, text := range map[string]string{"ascii": "0123456789 and so on, a line of text in English\n", "chinese": "你好，今天天气很好。"} {
		b.Run(name, func(b *testing.B) {
			d, in := newDecoder(framing.Raw, 0), bytes.Repeat([]byte(text), framing.MaxBare/len(text))
			var msgs []framing.Message
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				msgs, _ = d.Feed(msgs[:0], in)
				msgs = pause(d, msgs, framing.Quiet, framing.Quiet)
			}
		})
	}
}
