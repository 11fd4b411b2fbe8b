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

// sized are the framings whose messages depend on the bytes alone.
var sized = []framing.Framing{framing.LF, framing.CRLF, framing.CR, framing.NUL, framing.Length}

var all = append(slices.Clone(sized), framing.Raw, framing.Auto)

// said writes a message down for comparing: partial ones begin with a tilde.
func said(msgs []framing.Message) []string {
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

// hear feeds the pieces to a new codec and ends the stream.
func hear(f framing.Framing, max int, pieces ...[]byte) ([]string, error) {
	c := f.New(max)
	var msgs []framing.Message
	var err error
	for _, p := range pieces {
		p = bytes.Clone(p)
		msgs, err = c.Feed(msgs, p)
		scribble(p)
		if err != nil {
			return said(msgs), err
		}
	}
	msgs, err = c.End(msgs)
	return said(msgs), err
}

// scribble shows whether somebody has kept a reference.
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

// wire is what sending the bodies puts on the wire.
func wire(t testing.TB, f framing.Framing, bodies ...string) []byte {
	t.Helper()
	c := f.New(0)
	var out []byte
	for _, body := range bodies {
		var err error
		if out, err = c.Append(out, []byte(body)); err != nil {
			t.Fatalf("Append(%q): %v", body, err)
		}
	}
	return out
}

func wantSaid(t testing.TB, got, want []string) {
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

// A step is what happens to a codec: bytes arrive, the peer pauses, or closes.
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
func words(list ...string) []string { return list }

func play(t testing.TB, c framing.Codec, list []step) ([]string, error) {
	t.Helper()
	var msgs []framing.Message
	var err error
	for _, s := range list {
		switch {
		case s.end:
			msgs, err = c.End(msgs)
		case s.feed != "":
			msgs, err = c.Feed(msgs, []byte(s.feed))
		default:
			msgs = c.Pause(msgs, s.quiet, s.age)
		}
		if err != nil {
			return said(msgs), err
		}
	}
	return said(msgs), nil
}
