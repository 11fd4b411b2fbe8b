package framing_test

import (
	"bytes"
	"testing"

	"duet.example/duet/framing"
)

// wireOf returns the bytes of a message on the wire.
func wireOf(m framing.Message) []byte {
	before, after := framing.Around(m.Mark.String(), len(m.Body))
	return append(append(before, m.Body...), after...)
}

// Bodies and marks together are all the bytes that have arrived, however they were cut.
func TestMark(t *testing.T) {
	for _, tt := range []struct {
		framing framing.Framing
		steps   []step
		marks   []framing.Mark
	}{
		{framing.LF, steps(feed("a\n\nb\r\n\r\nc\rd\r"), end()), []framing.Mark{framing.MarkLF, framing.MarkLF, framing.MarkCRLF, framing.MarkCRLF, framing.NoMark}},
		{framing.CRLF, steps(feed("a\r\n\r\nb\nc\r"), end()), []framing.Mark{framing.MarkCRLF, framing.MarkCRLF, framing.NoMark}},
		{framing.CR, steps(feed("a\r\rb\n"), end()), []framing.Mark{framing.MarkCR, framing.MarkCR, framing.NoMark}},
		{framing.NUL, steps(feed("a\x00\x00b"), end()), []framing.Mark{framing.MarkNUL, framing.MarkNUL, framing.NoMark}},
		{framing.Length, steps(feed("\x00\x00\x00\x02ab\x00\x00\x00\x00"), end()), []framing.Mark{framing.MarkLength, framing.MarkLength}},
		{framing.Raw, steps(feed("a\nb\n"), short()), []framing.Mark{framing.NoMark}},
		{framing.Auto, steps(feed("a\r\nb\nc"), end()), []framing.Mark{framing.MarkCRLF, framing.MarkLF, framing.NoMark}},
		{framing.Auto, steps(feed("a"), short(), feed("b\nc\r\n"), short()), []framing.Mark{framing.NoMark, framing.MarkLF, framing.MarkCRLF}},
		{framing.WithEOL(framing.LF, []byte("!")), steps(feed("a\r\nb"), end()), []framing.Mark{framing.MarkCRLF, framing.NoMark}},
	} {
		for n := 1; n < 20; n++ {
			d := newDecoder(tt.framing, 0)
			var msgs []framing.Message
			var in []byte
			for _, s := range tt.steps {
				in = append(in, s.feed...)
				for _, p := range cutUp([]byte(s.feed), []byte{byte(n - 1)}) {
					msgs, _ = d.Feed(msgs, p)
				}
				if s.end {
					msgs, _ = d.End(msgs)
				}
				msgs = pause(d, msgs, s.quiet, s.age)
			}
			var wire []byte
			for i, m := range msgs {
				wire = append(wire, wireOf(m)...)
				if i < len(tt.marks) && m.Mark != tt.marks[i] {
					t.Errorf("%v, pieces of %d: message %d, %q, is marked %q, want %q", tt.framing, n, i, m.Body, m.Mark, tt.marks[i])
				}
			}
			if !bytes.Equal(wire, in) || len(msgs) != len(tt.marks) {
				t.Errorf("%v, pieces of %d: %d messages are %q, of %q", tt.framing, n, len(msgs), wire, in)
			}
		}
	}
}

// The CR by which an unfinished line exceeds the limit is no part of its body, but has arrived.
func TestMark_CRBeyondTheLimit(t *testing.T) {
	for _, f := range []framing.Framing{framing.LF, framing.Auto} {
		d := newDecoder(f, 3)
		msgs, _ := d.Feed(nil, []byte("a\n"))
		msgs = pause(d, msgs, framing.Quiet, framing.Quiet)
		msgs, _ = d.Feed(msgs, []byte("abc\r"))
		msgs, _ = d.End(msgs)
		if last := msgs[len(msgs)-1]; string(wireOf(last)) != "abc\r" || string(last.Body) != "abc" {
			t.Errorf("%v: %q, marked %q", f, last.Body, last.Mark)
		}
	}
}

// The name of an encoding tells which bytes it puts around a body.
func TestWireEncoding_F20_Name(t *testing.T) {
	frs := append(all, framing.WithEOL(framing.Auto, []byte("\r\n!")), framing.WithEOL(framing.LF, nil), framing.WithEOL(framing.NUL, []byte("\r")))
	for _, f := range frs {
		for _, received := range [][]step{nil, steps(feed("a\n"), short()), steps(feed("a\r\n"), short()), steps(feed("a"), short())} {
			for _, body := range []string{"hi", ""} {
				d, e := f.New(0)
				_, _ = play(t, d, received)
				for _, farewell := range []bool{false, true} {
					name := e.WireEncoding(farewell).String()
					before, after := framing.Around(name, len(body))
					got, err := encode(e, farewell, nil, []byte(body))
					if want := string(before) + body + string(after); err != nil || string(got) != want {
						t.Errorf("%v after %v: sends %q, %v, but %q is %q", f, received, got, err, name, want)
					}
				}
			}
		}
	}
}

func TestAround(t *testing.T) {
	for mark, want := range map[string][2]string{
		"": {}, "none": {}, "what": {}, "lf": {"", "\n"}, "length": {"\x00\x00\x01\x00", ""}, "0x0d0a0a": {"", "\r\n\n"}, "0x0": {},
	} {
		before, after := framing.Around(mark, 256)
		if string(before) != want[0] || string(after) != want[1] {
			t.Errorf("%s: %q and %q", mark, before, after)
		}
	}
}
