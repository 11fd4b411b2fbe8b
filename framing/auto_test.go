package framing_test

import (
	"slices"
	"strings"
	"sync"
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
		{"F-7 nothing", steps(short(), long(), end()), texts(), none},
		{"F-7 a line peer", steps(feed("a\n"), short(), feed("b\n")), texts("a", "b"), lines},
		{"F-7 a CRLF peer", steps(feed("a\r\n"), short(), feed("b\r\n")), texts("a", "b"), crlfs},
		{"F-7 the line end seen last", steps(feed("a\r\n"), short(), feed("b\n")), texts("a", "b"), lines},
		{"F-7 a bare peer", steps(feed("a"), short(), feed("b"), short()), texts("a", "b"), bare},
		{"F-7 lines in one burst", steps(feed("a\nb\nc\n"), short()), texts("a", "b", "c"), lines},
		{"F-7 lines are given before the pause", steps(feed("a\nb\nc")), texts("a", "b"), lines},
		{"F-7 a line end that a burst goes on after", steps(feed("a\nb"), short(), feed("c\nd"), short()), texts("a", "b", "c\nd"), bare},
		{"F-7 a pause after the line end makes the difference", steps(feed("a\n"), short(), feed("b"), short(), feed("c\nd"), short()), texts("a", "~b", "bc", "~d"), lines},
		{"F-7 a CRLF greeting and a prompt", steps(feed("Welcome\r\nlogin: "), short(), feed("Password: "), long()), texts("Welcome", "~login: ", "login: Password: "), crlfs},
		{"F-7 CRLF and an unfinished line at the close", steps(feed("a\r\nb"), end()), texts("a", "b"), crlfs},
		{"F-7 too short a pause is none", steps(feed("a\n"), quiet(framing.Quiet-1), feed("b"), quiet(framing.Quiet-1), short()), texts("a", "b"), bare},
		{"F-7 close ends the first burst, lines", steps(feed("a\n"), end()), texts("a"), lines},
		{"F-7 close ends the first burst, bare", steps(feed("a\nb"), end()), texts("a", "b"), bare},
		{"F-8 age ends a bare message", steps(feed("a"), ageing(framing.MaxAge), feed("b"), short()), texts("a", "b"), bare},
		{"F-8 less age does not", steps(feed("a"), ageing(framing.MaxAge-1), feed("b"), short()), texts("ab"), bare},
		{"F-9 a prompt is shown, then a message", steps(feed("hi\n"), short(), feed("login: "), short(), short(), long()), texts("hi", "~login: ", "login: "), lines},
		{"F-9 a prompt that is not looked at for long", steps(feed("hi\n"), short(), feed("login: "), long(), long()), texts("hi", "login: "), lines},
		{"F-9 a prompt is continued", steps(feed("hi\n"), short(), feed("log"), short(), feed("in: "), short(), short(), feed("x\r\n")), texts("hi", "~log", "~login: ", "login: x"), crlfs},
		{"F-9 a bare farewell of a line peer", steps(feed("hi\n"), short(), feed("bye"), short(), end()), texts("hi", "~bye", "bye"), lines},
		{"F-9 age does not end a line", steps(feed("hi\n"), short(), feed("a"), ageing(time.Hour), feed("b\n")), texts("hi", "ab"), lines},
		{"F-9 half a line end is not shown", steps(feed("hi\n"), short(), feed("a\r"), short(), feed("\nb"), short(), feed("\r"), short(), feed("\n")), texts("hi", "~a", "a", "~b", "~b", "b"), crlfs},
		{"F-9 a CR alone is not shown", steps(feed("hi\n"), short(), feed("\r"), short(), feed("\n")), texts("hi", ""), crlfs},
		{"F-9 a line peer stays one", steps(feed("a\n"), short(), feed("b"), long(), feed("c"), long(), feed("d"), end()), texts("a", "b", "c", "d"), lines},
		{"F-10 a bare message keeps its line ends", steps(feed("a"), short(), feed("b\nc\n\nd"), short()), texts("a", "b\nc\n\nd"), bare},
		{"F-10 a bare peer that sends lines", steps(feed("a"), short(), feed("b\r\nc\r\n"), short(), feed("d\n"), feed("e"), short()), texts("a", "b", "c", "d", "~e"), lines},
		{"F-10 a bare peer's lines are given at the pause", steps(feed("a"), short(), feed("b\r\nc\r\n")), texts("a"), bare},
		{"F-10 a bare peer's line at the close", steps(feed("a"), short(), feed("b\r\n"), end()), texts("a", "b"), crlfs},
		{"F-10 age is no end of a burst", steps(feed("a"), short(), feed("b\n"), ageing(framing.MaxAge), feed("c"), short()), texts("a", "b\n", "c"), bare},
		{"F-10 Chinese text in pieces", steps(feed("\xe4\xbd"), feed("\xa0好"), short(), feed("再\xe8\xa7"), feed("\x81"), end()), texts("你好", "再见"), bare},
		{"F-6 a pause within a character is none", steps(feed("a"), short(), feed("\xe4\xbd"), short(), feed("\xa0"), short()), texts("a", "你"), bare},
		{"F-10 an empty line", steps(feed("a"), short(), feed("\n"), short()), texts("a", ""), lines},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, e := framing.Auto.New(0)
			got, err := play(t, d, tt.steps)
			wantErr(t, err, nil)
			wantTexts(t, got, tt.want)
			if l := e.(framing.Learner).Learned(); l != tt.learned {
				t.Errorf("learned %q, want %q", l, tt.learned)
			}
			// The same with each burst cut in two at every place [F-15].
			for i, s := range tt.steps {
				for n := 1; n < len(s.feed); n++ {
					cut := slices.Concat(tt.steps[:i], s.cut(n), tt.steps[i+1:])
					again, _ := play(t, newDecoder(framing.Auto, 0), cut)
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
		{"idle, nothing received", nil, 0, 0},
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
			d := newDecoder(framing.Auto, 0)
			if _, err := play(t, d, tt.steps); err != nil {
				t.Fatal(err)
			}
			if quiet, age := patience(d); quiet != tt.quiet || age != tt.age {
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
		{"a line of a line peer", steps(feed("a\n"), short(), feed("b\n123456789\n")), texts("a", "b"), framing.ErrTooLong},
		{"an unfinished line", steps(feed("a\n"), short(), feed("123456789")), texts("a"), framing.ErrTooLong},
		{"the longest line", steps(feed("a\n"), short(), feed("12345678\r\n12345678\n")), texts("a", "12345678", "12345678"), nil},
		{"the longest line with half a line end", steps(feed("a\n"), short(), feed("12345678\r"), long()), texts("a", "12345678"), nil},
		{"an unknown peer's burst is bare", steps(feed("1234567890"), short()), texts("12345678", "90"), nil},
		{"an unknown peer's line is bare", steps(feed("a\n123456789\n"), short()), texts("a", "12345678", "9"), nil},
		{"an unknown peer's burst that may have been a line", steps(feed("12345678\r"), short()), texts("12345678", "\r"), nil},
		{"an unknown peer's character at the limit", steps(feed("1234567é1"), short()), texts("1234567", "é1"), nil},
		{"a bare peer's character at the limit", steps(feed("a"), short(), feed("1234567é1"), short()), texts("a", "1234567", "é1"), nil},
		{"a bare peer's burst", steps(feed("a"), short(), feed("12345678123\n5678123"), short()), texts("a", "12345678", "123\n5678", "123"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := play(t, newDecoder(framing.Auto, max), tt.steps)
			wantErr(t, err, tt.err)
			wantTexts(t, got, tt.want)
			for i, s := range tt.steps {
				for n := 1; n < len(s.feed); n++ {
					cut := slices.Concat(tt.steps[:i], s.cut(n), tt.steps[i+1:])
					again, err := play(t, newDecoder(framing.Auto, max), cut)
					if !slices.Equal(again, tt.want) || err != tt.err {
						t.Errorf("step %d cut at %d: got %q, %v", i, n, again, err)
					}
				}
			}
		})
	}
	d := newDecoder(framing.Auto, max)
	_, _ = play(t, d, steps(feed("a\n"), short(), feed("123456789")))
	if _, err := d.Feed(nil, []byte("\n")); err != framing.ErrTooLong {
		t.Errorf("Feed after ErrTooLong: %v", err)
	}
	if _, err := d.End(nil); err != framing.ErrTooLong {
		t.Errorf("End after ErrTooLong: %v", err)
	}
	if q, a := patience(d); q != 0 || a != 0 {
		t.Errorf("Patience after ErrTooLong: %v, %v", q, a)
	}
}

func TestAuto_F11_Sending(t *testing.T) {
	tests := []struct {
		name           string
		received       []step
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
			d, e := framing.Auto.New(0)
			if _, err := play(t, d, tt.received); err != nil {
				t.Fatal(err)
			}
			if gap := e.Gap(0); gap != tt.gap {
				t.Errorf("Gap = %v, want %v", gap, tt.gap)
			}
			for farewell, want := range map[bool]string{false: tt.want, true: tt.farewell} {
				got, err := encode(e, farewell, nil, []byte(tt.body))
				if want == "!" {
					wantErr(t, err, framing.ErrDelimiter)
					if len(got) != 0 {
						t.Errorf("refused, but appended %q", got)
					}
				} else if wantErr(t, err, nil); string(got) != want {
					t.Errorf("sent %q, want %q", got, want)
				}
			}
		})
	}
}

func TestAuto_F12_GapUntilThePeerHasSpoken(t *testing.T) {
	d, e := framing.Auto.New(0)
	for sent := range 16 {
		if gap := e.Gap(sent); gap != framing.BareGap {
			t.Fatalf("Gap after %d messages = %v", sent, gap)
		}
	}
	if gap := e.Gap(16); gap != 0 {
		t.Errorf("Gap after 16 messages = %v", gap)
	}
	if _, err := play(t, d, steps(feed("a"), short())); err != nil {
		t.Fatal(err)
	}
	if gap := e.Gap(16); gap != framing.BareGap {
		t.Errorf("Gap towards a bare peer = %v", gap)
	}
}

// To encode a message changes nothing, however often it is done.
func TestEncoder_ChangesNothing(t *testing.T) {
	for _, f := range append(slices.Clone(all), framing.WithEOL(framing.Auto, nil), framing.WithEOL(framing.Auto, []byte("!"))) {
		for _, received := range []string{"", "x", "x\n", "x\r\n"} {
			d, e := f.New(0)
			if received != "" {
				if _, err := d.Feed(nil, []byte(received)); err != nil {
					t.Fatal(err)
				}
			}
			gap, name := e.Gap(0), e.WireEncoding(false).String()
			first, _ := encode(e, false, nil, []byte("body"))
			for range 100 {
				again, _ := encode(e, false, nil, []byte("body"))
				_, _ = encode(e, true, nil, []byte("bye"))
				if g, n := e.Gap(0), e.WireEncoding(false).String(); g != gap || n != name || string(again) != string(first) {
					t.Fatalf("%v after %q: Gap %v, name %q, %q; at first %v, %q, %q", f, received, g, n, again, gap, name, first)
				}
			}
		}
	}
}

// One goroutine receives and two send: the race detector watches.
func TestAuto_Goroutines(t *testing.T) {
	d, e := framing.Auto.New(0)
	var senders sync.WaitGroup
	for range 2 {
		senders.Go(func() {
			for i := range 1000 {
				_, _ = encode(e, false, nil, []byte("x"))
				_, _ = encode(e, true, nil, []byte("x"))
				e.Gap(i)
				e.(framing.Learner).Learned()
			}
		})
	}
	for range 1000 {
		_, _ = play(t, d, steps(feed("a\r\nb"), short(), feed("c\n"), short(), feed("d")))
		patience(d)
		d.Rest()
	}
	senders.Wait()
}
