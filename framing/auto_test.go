package framing_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"duet.example/duet/framing"
)

const (
	none  = ""
	lines = "lines (LF)"
	crlfs = "lines (CRLF)"
	bare  = "bare (no line end)"
)

func TestAuto(t *testing.T) {
	tests := []struct {
		name    string
		steps   []step
		want    []string
		learned string
	}{
		{"F-7 nothing", steps(short(), long(), end()), words(), none},
		{"F-7 a line peer", steps(feed("a\n"), short(), feed("b\n")), words("a", "b"), lines},
		{"F-7 a CRLF peer", steps(feed("a\r\n"), short(), feed("b\r\n")), words("a", "b"), crlfs},
		{"F-7 the line end seen last", steps(feed("a\r\n"), short(), feed("b\n")), words("a", "b"), lines},
		{"F-7 a bare peer", steps(feed("a"), short(), feed("b"), short()), words("a", "b"), bare},
		{"F-7 lines in one burst", steps(feed("a\nb\nc\n"), short()), words("a", "b", "c"), lines},
		{"F-7 lines are given before the pause", steps(feed("a\nb\nc")), words("a", "b"), lines},
		{"F-7 a line end that a burst goes on after", steps(feed("a\nb"), short(), feed("c\nd"), short()), words("a", "b", "c\nd"), bare},
		{"F-7 a pause after the line end makes the difference", steps(feed("a\n"), short(), feed("b"), short(), feed("c\nd"), short()), words("a", "~b", "bc", "~d"), lines},
		{"F-7 a CRLF greeting and a prompt", steps(feed("Welcome\r\nlogin: "), short(), feed("Password: "), long()), words("Welcome", "~login: ", "login: Password: "), crlfs},
		{"F-7 CRLF and an unfinished line at the close", steps(feed("a\r\nb"), end()), words("a", "b"), crlfs},
		{"F-7 too short a pause is none", steps(feed("a\n"), quiet(framing.Quiet-1), feed("b"), quiet(framing.Quiet-1), short()), words("a", "b"), bare},
		{"F-7 close ends the first burst, lines", steps(feed("a\n"), end()), words("a"), lines},
		{"F-7 close ends the first burst, bare", steps(feed("a\nb"), end()), words("a", "b"), bare},
		{"F-8 age ends a bare message", steps(feed("a"), ageing(framing.MaxAge), feed("b"), short()), words("a", "b"), bare},
		{"F-8 less age does not", steps(feed("a"), ageing(framing.MaxAge-1), feed("b"), short()), words("ab"), bare},
		{"F-9 a prompt is shown, then a message", steps(feed("hi\n"), short(), feed("login: "), short(), short(), long()), words("hi", "~login: ", "login: "), lines},
		{"F-9 a prompt that is not looked at for long", steps(feed("hi\n"), short(), feed("login: "), long(), long()), words("hi", "login: "), lines},
		{"F-9 a prompt is continued", steps(feed("hi\n"), short(), feed("log"), short(), feed("in: "), short(), short(), feed("x\r\n")), words("hi", "~log", "~login: ", "login: x"), crlfs},
		{"F-9 a bare farewell of a line peer", steps(feed("hi\n"), short(), feed("bye"), short(), end()), words("hi", "~bye", "bye"), lines},
		{"F-9 age does not end a line", steps(feed("hi\n"), short(), feed("a"), ageing(time.Hour), feed("b\n")), words("hi", "ab"), lines},
		{"F-9 half a line end is not shown", steps(feed("hi\n"), short(), feed("a\r"), short(), feed("\nb"), short(), feed("\r"), short(), feed("\n")), words("hi", "~a", "a", "~b", "~b", "b"), crlfs},
		{"F-9 a CR alone is not shown", steps(feed("hi\n"), short(), feed("\r"), short(), feed("\n")), words("hi", ""), crlfs},
		{"F-9 a line peer stays one", steps(feed("a\n"), short(), feed("b"), long(), feed("c"), long(), feed("d"), end()), words("a", "b", "c", "d"), lines},
		{"F-10 a bare message keeps its line ends", steps(feed("a"), short(), feed("b\nc\n\nd"), short()), words("a", "b\nc\n\nd"), bare},
		{"F-10 a bare peer that sends lines", steps(feed("a"), short(), feed("b\r\nc\r\n"), short(), feed("d\n"), feed("e"), short()), words("a", "b", "c", "d", "~e"), lines},
		{"F-10 a bare peer's lines are given at the pause", steps(feed("a"), short(), feed("b\r\nc\r\n")), words("a"), bare},
		{"F-10 a bare peer's line at the close", steps(feed("a"), short(), feed("b\r\n"), end()), words("a", "b"), crlfs},
		{"F-10 age is no end of a burst", steps(feed("a"), short(), feed("b\n"), ageing(framing.MaxAge), feed("c"), short()), words("a", "b\n", "c"), bare},
		{"F-10 Chinese text in pieces", steps(feed("\xe4\xbd"), feed("\xa0好"), short(), feed("再\xe8\xa7"), feed("\x81"), end()), words("你好", "再见"), bare},
		{"F-6 a pause within a character is none", steps(feed("a"), short(), feed("\xe4\xbd"), short(), feed("\xa0"), short()), words("a", "你"), bare},
		{"F-10 an empty line", steps(feed("a"), short(), feed("\n"), short()), words("a", ""), lines},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := framing.Auto.New(0)
			got, err := play(t, c, tt.steps)
			wantErr(t, err, nil)
			wantSaid(t, got, tt.want)
			if l := c.(framing.Learner).Learned(); l != tt.learned {
				t.Errorf("learned %q, want %q", l, tt.learned)
			}
			// The same with each burst cut in two at every place [F-15].
			for i, s := range tt.steps {
				for n := 1; n < len(s.feed); n++ {
					cut := slices.Concat(tt.steps[:i], s.cut(n), tt.steps[i+1:])
					again, _ := play(t, framing.Auto.New(0), cut)
					if !slices.Equal(again, tt.want) {
						t.Errorf("step %d cut at %d: got %q, want %q", i, n, again, tt.want)
					}
				}
			}
		})
	}
}

func TestAuto_F7_Patience(t *testing.T) {
	const q, age, lq = framing.Quiet, framing.MaxAge, framing.LineQuiet
	tests := []struct {
		name       string
		steps      []step
		quiet, age time.Duration
	}{
		{"idle, nothing said", nil, 0, 0},
		{"unknown, pending", steps(feed("a")), q, age},
		{"unknown, after lines: once", steps(feed("a\n")), q, 0},
		{"line peer, idle", steps(feed("a\n"), short()), 0, 0},
		{"line peer, idle after the next line", steps(feed("a\n"), short(), feed("b\n")), 0, 0},
		{"line peer, to be shown", steps(feed("a\n"), short(), feed("b")), q, 0},
		{"line peer, shown", steps(feed("a\n"), short(), feed("b"), short()), lq, 0},
		{"line peer, more to be shown", steps(feed("a\n"), short(), feed("b"), short(), feed("c")), q, 0},
		{"line peer, nothing but a CR", steps(feed("a\n"), short(), feed("\r")), lq, 0},
		{"line peer, too much to be shown", steps(feed("a\n"), short(), feed(strings.Repeat("x", 64<<10+1))), lq, 0},
		{"line peer, message given", steps(feed("a\n"), short(), feed("b"), long()), 0, 0},
		{"bare peer, idle", steps(feed("a"), short()), 0, 0},
		{"bare peer, pending", steps(feed("a"), short(), feed("b\n")), q, age},
		{"bare peer become a line peer", steps(feed("a"), short(), feed("b\n"), short()), 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := framing.Auto.New(0)
			if _, err := play(t, c, tt.steps); err != nil {
				t.Fatal(err)
			}
			if quiet, age := c.Patience(); quiet != tt.quiet || age != tt.age {
				t.Errorf("Patience = %v, %v; want %v, %v", quiet, age, tt.quiet, tt.age)
			}
		})
	}
}

func TestAuto_F3_Limit(t *testing.T) {
	const max = 8
	tests := []struct {
		name  string
		steps []step
		want  []string
		err   error
	}{
		{"a line of a line peer", steps(feed("a\n"), short(), feed("b\n123456789\n")), words("a", "b"), framing.ErrTooLong},
		{"an unfinished line", steps(feed("a\n"), short(), feed("123456789")), words("a"), framing.ErrTooLong},
		{"the longest line", steps(feed("a\n"), short(), feed("12345678\r\n12345678\n")), words("a", "12345678", "12345678"), nil},
		{"the longest line with half a line end", steps(feed("a\n"), short(), feed("12345678\r"), long()), words("a", "12345678"), nil},
		{"an unknown peer's burst is bare", steps(feed("1234567890"), short()), words("12345678", "90"), nil},
		{"an unknown peer's line is bare", steps(feed("a\n123456789\n"), short()), words("a", "12345678", "9"), nil},
		{"an unknown peer's burst that may have been a line", steps(feed("12345678\r"), short()), words("12345678", "\r"), nil},
		{"an unknown peer's character at the limit", steps(feed("1234567é1"), short()), words("1234567", "é1"), nil},
		{"a bare peer's character at the limit", steps(feed("a"), short(), feed("1234567é1"), short()), words("a", "1234567", "é1"), nil},
		{"a bare peer's burst", steps(feed("a"), short(), feed("12345678123\n5678123"), short()), words("a", "12345678", "123\n5678", "123"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := play(t, framing.Auto.New(max), tt.steps)
			wantErr(t, err, tt.err)
			wantSaid(t, got, tt.want)
			for i, s := range tt.steps {
				for n := 1; n < len(s.feed); n++ {
					cut := slices.Concat(tt.steps[:i], s.cut(n), tt.steps[i+1:])
					again, err := play(t, framing.Auto.New(max), cut)
					if !slices.Equal(again, tt.want) || err != tt.err {
						t.Errorf("step %d cut at %d: got %q, %v", i, n, again, err)
					}
				}
			}
		})
	}
	c := framing.Auto.New(max)
	_, _ = play(t, c, steps(feed("a\n"), short(), feed("123456789")))
	if _, err := c.Feed(nil, []byte("\n")); err != framing.ErrTooLong {
		t.Errorf("Feed after ErrTooLong: %v", err)
	}
	if _, err := c.End(nil); err != framing.ErrTooLong {
		t.Errorf("End after ErrTooLong: %v", err)
	}
	if q, a := c.Patience(); q != 0 || a != 0 {
		t.Errorf("Patience after ErrTooLong: %v, %v", q, a)
	}
}

func TestAuto_F11_Sending(t *testing.T) {
	tests := []struct {
		name           string
		heard          []step
		body           string
		want, farewell string // "!" for ErrDelimiter
		gap            time.Duration
	}{
		{"unknown", nil, "hi", "hi\n", "hi", framing.BareGap},
		{"unknown, nothing", nil, "", "\n", "", framing.BareGap},
		{"unknown, two lines", nil, "a\nb", "!", "a\nb", framing.BareGap},
		{"unknown, unfinished", steps(feed("a")), "hi", "hi\n", "hi", framing.BareGap},
		{"LF, from the first line on", steps(feed("a\n")), "hi", "hi\n", "hi\n", 0},
		{"LF", steps(feed("a\n"), short()), "hi", "hi\n", "hi\n", 0},
		{"LF, two lines", steps(feed("a\n"), short()), "a\nb", "!", "!", 0},
		{"LF, CR at the end", steps(feed("a\n"), short()), "a\r", "!", "!", 0},
		{"CRLF", steps(feed("a\r\n"), short()), "hi", "hi\r\n", "hi\r\n", 0},
		{"CRLF, two lines", steps(feed("a\r\n"), short()), "a\nb", "!", "!", 0},
		{"CRLF, CR at the end", steps(feed("a\r\n"), short()), "a\r", "a\r\r\n", "a\r\r\n", 0},
		{"bare", steps(feed("a"), short()), "hi", "hi", "hi", framing.BareGap},
		{"bare, nothing", steps(feed("a"), short()), "", "", "", framing.BareGap},
		{"bare, two lines", steps(feed("a"), short()), "a\nb\n", "a\nb\n", "a\nb\n", framing.BareGap},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := framing.Auto.New(0)
			if _, err := play(t, c, tt.heard); err != nil {
				t.Fatal(err)
			}
			if gap := c.Gap(); gap != tt.gap {
				t.Errorf("Gap = %v, want %v", gap, tt.gap)
			}
			for want, send := range map[*string]func(framing.Codec, []byte, []byte) ([]byte, error){
				&tt.want: framing.Codec.Append, &tt.farewell: framing.Codec.AppendFarewell,
			} {
				got, err := send(c, nil, []byte(tt.body))
				if *want == "!" {
					wantErr(t, err, framing.ErrDelimiter)
					if len(got) != 0 {
						t.Errorf("refused, but appended %q", got)
					}
				} else if wantErr(t, err, nil); string(got) != *want {
					t.Errorf("sent %q, want %q", got, *want)
				}
			}
		})
	}
}

func TestAuto_F12_GapUntilThePeerHasSpoken(t *testing.T) {
	c := framing.Auto.New(0)
	for i := range 16 {
		if gap := c.Gap(); gap != framing.BareGap {
			t.Fatalf("Gap before message %d = %v", i+1, gap)
		}
		if _, err := c.Append(nil, []byte("x")); err != nil {
			t.Fatal(err)
		}
		c.Sent()
	}
	if gap := c.Gap(); gap != 0 {
		t.Errorf("Gap after 16 messages = %v", gap)
	}
	if _, err := play(t, c, steps(feed("a"), short())); err != nil {
		t.Fatal(err)
	}
	if gap := c.Gap(); gap != framing.BareGap {
		t.Errorf("Gap towards a bare peer = %v", gap)
	}
}

// How a message would look can be asked for as often as one likes.
func TestAppend_ChangesNothing(t *testing.T) {
	for _, f := range append(slices.Clone(all), framing.WithEOL(framing.Auto, nil), framing.WithEOL(framing.Auto, []byte("!"))) {
		for _, heard := range []string{"", "x", "x\n", "x\r\n"} {
			c := f.New(0)
			if heard != "" {
				if _, err := c.Feed(nil, []byte(heard)); err != nil {
					t.Fatal(err)
				}
			}
			gap, mark := c.Gap(), c.(framing.Marker).SendMark(false)
			first, _ := c.Append(nil, []byte("body"))
			for range 100 {
				again, _ := c.Append(nil, []byte("body"))
				_, _ = c.AppendFarewell(nil, []byte("bye"))
				if g, m := c.Gap(), c.(framing.Marker).SendMark(false); g != gap || m != mark || string(again) != string(first) {
					t.Fatalf("%v after %q: Gap %v, mark %q, %q; at first %v, %q, %q", f, heard, g, m, again, gap, mark, first)
				}
			}
		}
	}
}

// One goroutine receives and another sends: the race detector watches.
func TestAuto_TwoGoroutines(t *testing.T) {
	c := framing.Auto.New(0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 1000 {
			_, _ = c.Append(nil, []byte("x"))
			_, _ = c.AppendFarewell(nil, []byte("x"))
			c.Sent()
			c.Gap()
			c.(framing.Learner).Learned()
		}
	}()
	for range 1000 {
		_, _ = play(t, c, steps(feed("a\r\nb"), short(), feed("c\n"), short(), feed("d")))
		c.Patience()
		c.Rest()
	}
	<-done
}
