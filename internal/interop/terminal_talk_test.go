//go:build linux

package interop_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Two people talk, each typing while the other's words arrive.
func TestTerminal(t *testing.T) {
	t.Parallel()
	srv := sit(t, 80, 24, nil, "listen", "127.0.0.1:0")
	port := srv.port()
	srv.sees("  reachable at 127.0.0.1:"+port, "  not encrypted, peers unknown", ">>>")
	cli := sit(t, 80, 24, nil, "connect", "127.0.0.1", port)
	cli.sees("connected to 127.0.0.1: "+port+" (not encrypted, peer unknown)", "【Server】 Can I help you?", ">>>")
	srv.seesMatch(`\nThe Server has received a connection from 127\.0\.0\.1: \d+\n>>>`)

	srv.SendLiteral("你好，世界")
	srv.line(">>> ", "你好，世界", 14)
	cli.SendLiteral("half a li")
	cli.line(">>> ", "half a li", 13)
	srv.SendKeys("Left", "Left", "BSpace")
	srv.line(">>> ", "你好世界", 8)
	srv.SendKeys("Enter")
	cli.sees("【Server】 你好世界", ">>> half a li")
	cli.line(">>> ", "half a li", 13)
	srv.types("日本語", "e\u0301 🙂", "👍")
	cli.sees("【Server】 你好世界", "【Server】 日本語", "【Server】 e\u0301 🙂", "【Server】 👍", ">>> half a li")
	cli.line(">>> ", "half a li", 13)
	cli.types("ne")
	srv.sees(">>> 你好世界", ">>> 日本語", ">>> e\u0301 🙂", ">>> 👍", "【Client】 half a line", ">>>")
	cli.sees(">>> half a line", ">>>")

	long := strings.TrimSpace(strings.Repeat("wide 宽 ", 12))
	cli.types(long)
	srv.sees("【Client】 "+strings.TrimSpace(strings.Repeat("wide 宽 ", 8)), strings.Repeat(" ", 11)+strings.TrimSpace(strings.Repeat("wide 宽 ", 4)), ">>>")

	cli.types("//who", "bye")
	srv.sees("【Client】 /who", "【Client】 bye")
	srv.seesMatch(`The conversation with 127\.0\.0\.1: \d+ has ended: farewell\n>>>`)
	cli.sees(">>> //who", ">>> bye", "【Server】 Bye", "The conversation with 127.0.0.1: "+port+" has ended: farewell")
	cli.ends("0")
	srv.types("anybody?")
	srv.sees("not sent: nobody is connected yet", ">>> anybody?")
	srv.SendKeys("C-u")
	srv.line(">>> ", "", 4)
	srv.SendKeys("C-d")
	srv.ends("0")
	for _, p := range []*person{srv, cli} {
		if rest := regexp.MustCompile(`(?m)^>>>$`).FindAllString(p.History(), -1); len(rest) > 0 {
			t.Errorf("an empty prompt is left behind\n%s", p.History())
		}
	}
}

// Three clients at one console.
func TestTerminal_ThreeClients(t *testing.T) {
	t.Parallel()
	srv := sit(t, 80, 40, nil, "listen", "127.0.0.1:0")
	port := srv.port()
	one := dialTo(t, port)
	one.gets("Can I help you?\n")
	one.sends("first\n")
	srv.sees("【Client】 first", ">>>")
	two := dialTo(t, port)
	two.gets("Can I help you?\n")
	srv.seesMatch(`received a connection from 127\.0\.0\.1: \d+ \(client 2\)`)
	three := dialTo(t, port)
	three.gets("Can I help you?\n")
	srv.seesMatch(`received a connection from 127\.0\.0\.1: \d+ \(client 3\)`)
	srv.line("1 >>> ", "", 6)
	three.sends("third 三\n")
	srv.sees("【Client 3】 third 三", "1 >>>")
	one.sends("again\n")
	srv.sees("【Client 1】 again", "1 >>>")

	srv.types("for one")
	one.gets("for one\n")
	srv.types("/use 2")
	srv.line("2 >>> ", "", 6)
	srv.types("for two")
	two.gets("for two\n")
	srv.types("/to 3 for three")
	three.gets("for three\n")
	srv.types("/all for all")
	for _, s := range []*socket{one, two, three} {
		s.gets("for all\n")
	}
	srv.sees("2 >>> for two", "2 >>> /to 3 for three", "2 >>> /all for all", "said to 3 clients", "2 >>>")
	srv.types("/who")
	srv.seesMatch(`\n  1  127\.0\.0\.1: \d+  .*\n[^→]*→ 2  127\.0\.0\.1: \d+  .*\n[^→]*  3  127\.0\.0\.1: \d+ `)

	srv.SendLiteral("/us")
	srv.SendKeys("Tab")
	srv.SendLiteral("3")
	srv.SendKeys("Enter")
	srv.line("3 >>> ", "", 6)
	srv.SendLiteral("/e")
	srv.SendKeys("Tab")
	srv.seesMatch(`\n/encoding +/explain\n3 >>> /e$`)
	srv.SendKeys("C-u")
	srv.types("/help")
	rows := strings.Split(srv.seesMatch(`(?s)/help\n(  /help  .*\n)3 >>>`)[0], "\n")
	for _, r := range rows {
		if len(r) > 79 {
			t.Errorf("a row of the help fills the screen: %q", r)
		}
	}
	for _, c := range []string{"help", "who", "use", "to", "all", "bye", "quit", "hex", "framing", "encoding", "explain", "send", "save"} {
		if !strings.Contains(strings.Join(rows, "\n"), "  /"+c+" ") {
			t.Errorf("/%s is not in the help\n%s", c, strings.Join(rows, "\n"))
		}
	}

	// Who is being answered leaves: nobody else takes the place unseen.
	three.sends("bye")
	three.getsLast("Bye\n")
	_ = three.Close()
	srv.seesMatch(`The conversation with client 3 \(127\.0\.0\.1: \d+\) has ended: farewell`)
	srv.Until("a prompt that names nobody", func() bool { return strings.HasSuffix(srv.Screen(), "? >>>") })
	srv.types("/use 1")
	srv.line("1 >>> ", "", 6)

	// Ctrl-D asks once.
	srv.SendKeys("C-d")
	srv.sees("2 conversations are going on; Ctrl-D again ends them")
	srv.SendKeys("C-d")
	one.getsLast("Bye\n")
	two.getsLast("Bye")
	_ = one.Close()
	_ = two.Close()
	srv.ends("0")
}

// What was typed is kept between runs, for its user alone; what goes through pipes is not.
func TestTerminal_History(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "duet", "history")
	env := []string{"XDG_STATE_HOME=" + dir}

	peer := func(p string, end func(*socket)) {
		t.Helper()
		s, cli := serverFor(t, func(port string) *person { return sit(t, 80, 24, env, "connect", port) })
		cli.line(">>> ", "", 4)
		switch p {
		case "first":
			cli.types("alpha 你好", "beta", "/who")
			cli.seesMatch(`→ 1`)
		case "second":
			cli.SendKeys("Up", "Up")
			cli.line(">>> ", "beta", 8)
			cli.SendKeys("Down", "Down", "C-r")
			cli.SendLiteral("alp")
			cli.line("(search 'alp') ", "alpha 你好", 15)
			cli.SendKeys("Enter") // takes it, and sends nothing yet
			cli.line(">>> ", "alpha 你好", 4)
			cli.SendKeys("Enter")
			s.gets("alpha 你好\n")
		}
		end(s)
		cli.ends("0")
	}
	piped := duet(t, "connect", "--once", "1", freePort(t))
	piped.ends(3)
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a script has a history: %v", err)
	}
	peer("first", func(s *socket) { s.gets("alpha 你好\nbeta\n"); _ = s.Close() })
	if m := mode(t, file); m != 0o600 {
		t.Errorf("the history has mode %v", m)
	}
	before, err := os.ReadFile(file)
	if err != nil || string(before) != "alpha 你好\nbeta\n/who\n" {
		t.Errorf("the history holds %q (%v)", before, err)
	}
	peer("second", func(s *socket) { _ = s.Close() })
}

// Several lines that were pasted stay one text until Enter.
func TestTerminal_Paste(t *testing.T) {
	t.Parallel()
	s, cli := serverFor(t, func(port string) *person { return sit(t, 80, 24, nil, "connect", port) })
	s.sends("hello\r\n")
	cli.sees("【Server】 hello", ">>>")
	cli.Paste("one\ntwo 二\nthree")
	cli.sees(">>> one", "... two 二", "... three")
	cli.line("... ", "three", 9)
	s.sends("meanwhile\r\n")
	cli.sees("【Server】 meanwhile", ">>> one", "... two 二", "... three")
	cli.SendKeys("Enter")
	cli.sees(">>> one", "... two 二", "... three", "sent as 3 messages, one a line", ">>>")
	s.gets("one\r\ntwo 二\r\nthree\r\n")
	cli.types("/framing raw")
	cli.Paste("four\nfive")
	cli.sees("... five")
	cli.SendKeys("Enter")
	s.gets("four\nfive")
	cli.SendKeys("C-d")
	s.getsLast("bye")
	_ = s.Close()
	cli.ends("0")
	if n := strings.Count(cli.History(), "sent as"); n != 1 {
		t.Errorf("it said %d times that a text was sent in parts\n%s", n, cli.History())
	}
}
