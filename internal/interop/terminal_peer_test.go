//go:build linux

package interop_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A device asks without ending the line: the question is seen, and goes on where it stands.
func TestTerminal_Device(t *testing.T) {
	t.Parallel()
	const tries = 10
	for range tries {
		if deviceAsks(t) {
			return
		}
	}
	t.Fatalf("in none of %d conversations a question was shown as it grew", tries)
}

// deviceAsks has a device ask for a name in three parts. After 1 s of quiet an unfinished line is a message [F-9]. It
// returns false if that long has passed between two parts, and proves nothing then: the machine is busy.
func deviceAsks(t *testing.T) bool {
	t.Helper()
	py := python(t, "device.py")
	cli := sit(t, 80, 24, nil, "connect", py.finds(py.out, `port (\d+)\n`))
	cli.sees(">>>")
	var asked time.Time
	sends := func(part string) (inTime bool) {
		before, now := asked, time.Now()
		py.types(part)
		py.says("sent '" + part + "'\n")
		asked = now
		return before.IsZero() || time.Since(before) < time.Second
	}
	shows := func(rows ...string) bool {
		for want := strings.Join(rows, "\n"); !strings.Contains(cli.Screen(), want); time.Sleep(10 * time.Millisecond) {
			if time.Since(asked) > time.Second {
				return false
			}
		}
		return true
	}
	sends("Welcome$login: ")
	if !shows("【Server】 Welcome", "【Server】 login:", ">>>") {
		return false
	}
	cli.line(">>> ", "", 4)
	if !sends("ro") || !shows("【Server】 Welcome", "【Server】 login: ro", ">>>") || !sends("ot?$") {
		return false
	}
	cli.sees("【Server】 Welcome", "【Server】 login: root?", ">>>")
	cli.types("root")
	py.says("got 'root\\r\\n'\n")
	cli.SendKeys("C-d")
	py.says("got 'bye")
	cli.ends("0")
	if n := strings.Count(cli.History(), "login"); n != 1 {
		t.Errorf("the question stands %d times\n%s", n, cli.History())
	}
	return true
}

// What a peer sends is shown, and does nothing.
func TestTerminal_Hostile(t *testing.T) {
	t.Parallel()
	srv := sit(t, 80, 24, nil, "listen", "--greeting", "", "127.0.0.1:0")
	s := dialTo(t, srv.port())
	srv.seesMatch("received a connection")
	title, w := srv.Ask("#{pane_title}"), srv.Ask("#{pane_width}")
	srv.SendLiteral("half")
	for _, tt := range []struct{ sent, shown string }{
		{"\x1b]0;evil\a", `\x1b]0;evil\x07`},
		{"\x1b]52;c;ZXZpbA==\a", `\x1b]52;c;ZXZpbA==\x07`},
		{"\x1b[2J\x1b[H\x1b[?25l\x1b[?1049h", `\x1b[2J\x1b[H\x1b[?25l\x1b[?1049h`},
		{"pay 10\rpay 99", `pay 10\x0dpay 99`},
		{"\x9b2J\x85\u009b2J", `\x9b2J\x85\u009b2J`},
		{"abc\u202edcba\u2066\u200b", `abc\u{202e}dcba\u{2066}\u{200b}`},
		{"\a\b\b\b\x7f\x00\x0e", `\x07\x08\x08\x08\x7f\x00\x0e`},
		{"\xff\xfe\xc0\xaf", `\xff\xfe\xc0\xaf`},
		{"\x1b[6n\x1b[c\x1bP+q\x1b\\", `\x1b[6n\x1b[c\x1bP+q\x1b\`},
		{"a\tb", "a       b"},
	} {
		s.sends(tt.sent + "\n")
		srv.sees("【Client】 "+tt.shown, ">>> half")
		srv.line(">>> ", "half", 8)
	}
	// The rest of a long line does not pose as a line of the console, or somebody else's.
	s.sends(strings.Repeat("x", 68) + "【Client 2】 pay me\n")
	srv.seesMatch(`\n【Client】 x{68}\n {11}【Client 2】 pay me\n>>> half$`)
	s.sends("e" + strings.Repeat("\u0301", 9) + "!\n")
	srv.seesMatch(`【Client】 e\x{301}+(?:\\u\{0301\})+!\n>>> half$`)
	srv.line(">>> ", "half", 8)
	if got := srv.Ask("#{pane_title}"); got != title {
		t.Errorf("the peer has set the title to %q", got)
	}
	for format, want := range map[string]string{
		"#{pane_width}": w, "#{alternate_on}": "0", "#{cursor_flag}": "1", "#{window_bell_flag}": "0", "#{mouse_any_flag}": "0",
	} {
		if got := srv.Ask(format); got != want {
			t.Errorf("%s is %q, want %q", format, got, want)
		}
	}
	if h := srv.History(); strings.Contains(h, "ZXZpbA") != true || regexp.MustCompile(`(?m)^pay`).MatchString(h) {
		t.Errorf("%s", h)
	}
}

// Thousands of messages while one types and the terminal changes its size.
func TestTerminal_Burst(t *testing.T) {
	t.Parallel()
	const n = 2000
	s, cli := serverFor(t, func(port string) *person { return sit(t, 80, 24, nil, "connect", port) })
	cli.line(">>> ", "", 4)
	var b, want strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "number %04d 数\n", i)
		fmt.Fprintf(&want, "【Server】 number %04d 数\n", i)
	}
	s.sends("ready\n")
	cli.sees("【Server】 ready")
	cli.SendLiteral("typed 打")
	cli.line(">>> ", "typed 打", 12)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		s.sends(b.String()[:b.Len()/2])
	}()
	cli.SendLiteral("字")
	cli.SendKeys("Enter")
	s.gets("typed 打字\n")
	<-sent
	cli.sees(fmt.Sprintf("【Server】 number %04d 数", n/2-1), ">>>")
	if h := cli.History(); strings.Count(h, ">>>") != 2 {
		t.Errorf("want the prompt twice, with what was sent and below\n%s", h)
	}
	cli.SendLiteral("more 多")
	sent = make(chan struct{})
	go func() {
		defer close(sent)
		s.sends(b.String()[b.Len()/2:])
	}()
	for _, size := range [][2]int{{60, 20}, {100, 30}, {40, 12}, {80, 24}} {
		cli.Resize(size[0], size[1])
		cli.SendLiteral("!")
	}
	<-sent
	cli.sees(fmt.Sprintf("【Server】 number %04d 数", n-1), ">>> more 多!!!!")
	cli.line(">>> ", "more 多!!!!", 15)
	h := cli.History()
	// A size that changes while rows are on their way to the terminal may leave an empty row or an old prompt between them.
	left := func(row string) bool { return row == "" || strings.HasPrefix(row, ">>>") }
	got, rows := slices.DeleteFunc(strings.Split(h, "\n"), left), strings.Split(want.String(), "\n")
	at := slices.Index(got, rows[0])
	for i, row := range rows[:n] {
		if at < 0 || at+i >= len(got) || got[at+i] != row {
			t.Fatalf("the burst is not whole: want %q; there is\n%s", row, strings.Join(got[max(0, at+i-10):min(len(got), at+i+10)], "\n"))
		}
	}
	if len(got) != at+n {
		t.Errorf("behind the burst there is\n%s", strings.Join(got[at+n:], "\n"))
	}
}

// Bell and title on request; times; hex; colours only where they are wanted.
func TestTerminal_Views(t *testing.T) {
	t.Parallel()
	s, cli := serverFor(t, func(port string) *person {
		return sit(t, 80, 24, []string{"TZ=UTC"}, "connect", "--bell", "--title", "--timestamps", "clock", port)
	})
	cli.line(">>> ", "", 4)
	if got := cli.Ask("#{window_bell_flag}"); got != "0" {
		t.Errorf("it has rung before anything has arrived")
	}
	s.sends("news \x1b]0;evil\a 新\n")
	cli.seesMatch(`\n\d\d:\d\d:\d\d 【Server】 news \\x1b]0;evil\\x07 新\n>>>`)
	cli.Until("the bell", func() bool { return cli.Ask("#{window_bell_flag}") == "1" })
	cli.Until("the title", func() bool { return strings.Contains(cli.Ask("#{pane_title}"), `news \x1b]0;evil\x07 新`) })
	cli.types("/hex on")
	cli.sees(">>> /hex on", "hex on", ">>>")
	s.sends("hi\x00好 there!\n")
	cli.seesMatch(`\n\d\d:\d\d:\d\d 【Server】 00000000  68 69 00 e5 a5 bd 20 74  \|hi\.\.\.\. t\|\n` +
		`\d\d:\d\d:\d\d 【Server】 00000008  68 65 72 65 21 0a        \|here!\.\|\n>>>`)
	cli.Resize(110, 24)
	cli.Until("whole rows", func() bool {
		s.sends("0123456789abcdef\n") // until duet has heard of the resize
		return strings.Contains(cli.Screen(), "【Server】 00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n")
	})
	cli.types(`/hex 00 ff 0b`, `/hex "a\x1e"`)
	s.gets("\x00\xff\x0ba\x1e")
	if h := cli.Styled(); !strings.Contains(h, "\x1b[1m\x1b[36m【Server】") && !strings.Contains(h, "\x1b[1;36m") {
		t.Errorf("no colours\n%q", h)
	}

	for name, tt := range map[string]struct {
		env, flag string
		colored   bool
	}{
		"NO_COLOR": {"NO_COLOR=1", "--color=auto", false},
		"never":    {"NO_COLOR=", "--color=never", false},
		"always":   {"NO_COLOR=1", "--color=always", true},
	} {
		s, cli := serverFor(t, func(port string) *person {
			return sit(t, 80, 24, []string{tt.env}, "connect", tt.flag, "--timestamps=delta", port)
		})
		s.sends("news\n")
		cli.seesMatch(`\n\+\d+\.\d\d\d 【Server】 news\n>>>`)
		if got := strings.Contains(cli.Styled(), "\x1b[1"); got != tt.colored {
			t.Errorf("%s: colours: %v, want %v\n%q", name, got, tt.colored, cli.Styled())
		}
	}
}

// Strict turns, and what happens underneath.
func TestTerminal_TurnsExplained(t *testing.T) {
	t.Parallel()
	s, cli := serverFor(t, func(port string) *person { return sit(t, 80, 30, nil, "connect", "--turns", "--explain", port) })
	cli.seesMatch(`explain: connect\(fd \d+, 127\.0\.0\.1:\d+\) → ok\n(?s:.*)\nconnected to`)
	cli.sees(">>>", "(it is the peer's turn)")
	cli.SendLiteral("too early")
	cli.SendKeys("Enter")
	cli.sees(">>> too early", "(not sent: it is the peer's turn)")
	s.sends("your turn\n")
	cli.sees("【Server】 your turn", ">>> too early")
	cli.SendKeys("Enter")
	s.gets("too early\n")
	cli.sees(">>> too early")
	cli.seesMatch(`explain: send to 127\.0\.0\.1:\d+ → 10 bytes\n(?s:.*)>>>\n\(it is the peer's turn\)$`)
	cli.SendKeys("C-d")
	s.gets("bye")
	s.sends("Bye\n")
	_ = s.Close()
	cli.ends("0")
	cli.seesMatch(`【Server】 Bye\n`)
	cli.seesMatch(`explain: shutdown\(127\.0\.0\.1:\d+, SHUT_WR\) → ok`)
}

// /save and /send at the prompt, with files whose names are completed.
func TestTerminal_Files(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	notes, saved := filepath.Join(dir, "notes 一.txt"), filepath.Join(dir, "saved.txt")
	if err := os.WriteFile(notes, []byte("line 1\nline 二\nlast"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, cli := serverFor(t, func(port string) *person { return sit(t, 200, 24, nil, "connect", port) })
	cli.line(">>> ", "", 4)
	cli.types("/save " + saved)
	cli.sees("saving to " + saved + " from now on")
	cli.SendLiteral("/send " + filepath.Join(dir, "no"))
	cli.SendKeys("Tab")
	cli.seesMatch(regexp.QuoteMeta(">>> /send " + notes))
	cli.SendKeys("Enter")
	s.gets("line 1\nline 二\nlast")
	cli.seesMatch(`sent 20 bytes of `)
	s.sends("got \x1b it\n")
	cli.sees(`【Server】 got \x1b it`)
	s.sends("bye\n")
	s.getsLast("Bye\n")
	_ = s.Close()
	cli.ends("0")
	if m := mode(t, saved); m != 0o600 {
		t.Errorf("what was saved has mode %v", m)
	}
	if b, err := os.ReadFile(saved); err != nil || !strings.Contains(string(b), `【Server】 got \x1b it`) || !strings.Contains(string(b), "me (20 bytes of a file)\n") {
		t.Errorf("saved %q (%v)", b, err)
	}
}
