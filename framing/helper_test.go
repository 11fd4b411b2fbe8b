package framing_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"duet.example/duet/framing"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sized holds the framings whose messages depend on the bytes alone.
var sized = []framing.Framing{framing.LF, framing.CRLF, framing.CR, framing.NUL, framing.Length}

var all = append(slices.Clone(sized), framing.Raw, framing.Auto)

// textsOf returns the bodies for a comparison. A tilde stands before a partial one.
func textsOf(msgs []framing.Message) []string {
	out := []string{}
	for _, m := range msgs {
		if m.Partial {
			out = append(out, "~"+string(m.Body))
		} else {
			out = append(out, string(m.Body))
		}
	}
	return out
}

// decode feeds the pieces to a new decoder and ends the stream.
func decode(f framing.Framing, max int, pieces ...[]byte) ([]string, error) {
	d, _ := f.New(max)
	var msgs []framing.Message
	var err error
	for _, p := range pieces {
		p = bytes.Clone(p)
		msgs, err = d.Feed(msgs, p)
		scribble(p)
		if err != nil {
			return textsOf(msgs), err
		}
	}
	msgs, err = d.End(msgs)
	return textsOf(msgs), err
}

// scribble overwrites b. A decoder that has kept a reference would return wrong bytes.
func scribble(b []byte) {
	for i := range b {
		b[i] = '#'
	}
}

// cutUp cuts b into pieces of the given lengths plus one, over and over.
func cutUp(b, cuts []byte) [][]byte {
	if len(cuts) == 0 {
		return [][]byte{b}
	}
	var pieces [][]byte
	for i := 0; len(b) > 0; i++ {
		n := min(int(cuts[i%len(cuts)])+1, len(b))
		pieces = append(pieces, b[:n])
		b = b[n:]
	}
	return pieces
}

// wire returns the bytes of the bodies on the wire.
func wire(t testing.TB, f framing.Framing, bodies ...string) []byte {
	t.Helper()
	_, e := f.New(0)
	var out []byte
	for _, body := range bodies {
		var err error
		if out, err = e.WireEncoding(false).Append(out, []byte(body)); err != nil {
			t.Fatalf("Append(%q): %v", body, err)
		}
	}
	return out
}

func wantTexts(t testing.TB, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func wantErr(t testing.TB, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || (want == nil && got != nil) {
		t.Errorf("got error %v, want %v", got, want)
	}
}

// A step is an event for a decoder: bytes arrive, the peer pauses, or the stream ends.
type step struct {
	feed  string
	quiet time.Duration
	age   time.Duration
	end   bool
}

func feed(s string) step            { return step{feed: s} }
func quiet(d time.Duration) step    { return step{quiet: d, age: d} }
func ageing(d time.Duration) step   { return step{age: d} }
func end() step                     { return step{end: true} }
func short() step                   { return quiet(framing.Quiet) }
func long() step                    { return quiet(framing.LineQuiet) }
func (s step) cut(n int) []step     { return []step{feed(s.feed[:n]), feed(s.feed[n:])} }
func steps(list ...step) []step     { return list }
func texts(list ...string) []string { return list }

// newDecoder returns one half of a conversation.
func newDecoder(f framing.Framing, max int) framing.Decoder {
	d, _ := f.New(max)
	return d
}

// newEncoder returns the other half.
func newEncoder(f framing.Framing) framing.Encoder {
	_, e := f.New(0)
	return e
}

// encode appends a message, or the farewell, as e sends it now.
func encode(e framing.Encoder, farewell bool, dst, body []byte) ([]byte, error) {
	return e.WireEncoding(farewell).Append(dst, body)
}

func patience(d framing.Decoder) (quiet, age time.Duration) {
	return d.(framing.TimedDecoder).Patience()
}

func pause(d framing.Decoder, dst []framing.Message, quiet, age time.Duration) []framing.Message {
	return d.(framing.TimedDecoder).Pause(dst, quiet, age)
}

func play(t testing.TB, d framing.Decoder, list []step) ([]string, error) {
	t.Helper()
	var msgs []framing.Message
	var err error
	for _, s := range list {
		switch {
		case s.end:
			msgs, err = d.End(msgs)
		case s.feed != "":
			msgs, err = d.Feed(msgs, []byte(s.feed))
		default:
			msgs = pause(d, msgs, s.quiet, s.age)
		}
		if err != nil {
			return textsOf(msgs), err
		}
	}
	return textsOf(msgs), nil
}
