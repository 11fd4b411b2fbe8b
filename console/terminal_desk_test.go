//go:build unix

package console_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"duet.example/duet/internal/tmuxtest"
)

// A deskOnScreen is a server with an operator's session in tmux.
type deskOnScreen struct {
	*onScreen
	addr string
}

func startDesk(t *testing.T, w, h int, shell string, env ...string) *deskOnScreen {
	t.Helper()
	s := start(t, w, h, shell, append(env, deskEnv+"=1")...)
	_ = s.orders.SetReadDeadline(time.Now().Add(tmuxtest.Patience))
	addr, err := s.said.ReadString('\n')
	if err != nil {
		t.Fatalf("%v\n%s", err, s.Screen())
	}
	return &deskOnScreen{s, strings.TrimSpace(addr)}
}

// A caller is a client of it, which speaks lines.
type caller struct {
	net.Conn
	t  *testing.T
	in *bufio.Reader
}

func (s *deskOnScreen) call() *caller {
	s.t.Helper()
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = nc.Close() })
	return &caller{nc, s.t, bufio.NewReader(nc)}
}

func (c *caller) says(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c, format+"\n", args...); err != nil {
		c.t.Fatal(err)
	}
}

func (c *caller) hears(want string) {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(tmuxtest.Patience))
	line, err := c.in.ReadString('\n')
	if line = strings.TrimSuffix(line, "\n"); line != want {
		c.t.Fatalf("heard %q (%v), want %q", line, err, want)
	}
}

// ended waits for the end of the conversation.
func (c *caller) ended() {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(tmuxtest.Patience))
	for {
		if _, err := c.in.ReadString('\n'); err != nil {
			return
		}
	}
}

func (s *deskOnScreen) types(lines ...string) {
	s.t.Helper()
	for _, l := range lines {
		s.SendLiteral(l)
		s.SendKeys("Enter")
	}
}

// onFull waits until the whole screen is the view's, or is not.
func (s *deskOnScreen) onFull(want bool) {
	s.t.Helper()
	s.Until(fmt.Sprint("full screen ", want), func() bool { return (s.Ask("#{alternate_on}") == "1") == want })
}

// three has three clients there: 王芳, anna and one without a name.
func (s *deskOnScreen) three() (a, b, c *caller) {
	s.t.Helper()
	s.line("", 4)
	a = s.call()
	s.WaitFor("has received a connection")
	b = s.call()
	s.WaitFor("(client 2)")
	c = s.call()
	s.WaitFor("(client 3)")
	s.types("/name 1 王芳")
	s.WaitForCursor("1 王芳 >>> ", 11)
	s.types("/name 2 anna")
	s.WaitFor("client 2 is anna from now on")
	s.types("/use anna")
	s.WaitForCursor("2 anna >>> ", 11)
	return a, b, c
}

// An operator's session as a person would see it, by lines.
func TestDeskByLines(t *testing.T) {
	t.Parallel()
	s := startDesk(t, 80, 24, "")
	a, b, c := s.three()
	a.says("你好，在吗")
	s.WaitFor("【Client 1 王芳】 你好，在吗")
	b.says("hello")
	s.WaitFor("【Client 2 anna】 hello")
	s.SendLiteral("/us")
	s.SendKeys("Tab")
	s.SendLiteral("王")
	s.SendKeys("Tab", "Enter")
	s.WaitForCursor("1 王芳 >>> ", 11)
	s.types("在的")
	a.hears("在的")
	s.types("/quiet")
	s.WaitFor("quiet on")
	b.says("are you there?")
	s.WaitForCursor("1 王芳 (1 unread) >>> ", 22)
	c.says("hi")
	s.WaitForCursor("1 王芳 (2 unread) >>> ", 22)
	s.Resize(40, 12)
	s.WaitForCursor("1 王芳 (2 unre… >>> ", 20)
	s.types("/next")
	s.WaitFor("2 anna has waited")
	s.WaitFor("【Client 2 anna】 are you there?")
	s.WaitForCursor("2 anna (1 unre… >>> ", 20)
	s.Resize(80, 24)
	s.WaitForCursor("2 anna (1 unread) >>> ", 22)
	s.types("yes", "/quiet off")
	b.hears("yes")
	s.WaitFor("【Client 3】 hi")
	s.types("/kick 3 for shouting")
	c.ended()
	s.WaitFor("The conversation with client 3 (")
	s.WaitFor("kicked")
	s.types("/ban anna")
	s.WaitFor("not banned: nobody is kept out here")
	s.types("/bye 王芳")
	a.hears("bye")
	s.types("/quit")
	s.WaitFor("ended 1")
}

// The same on the full screen: unread counts, switching, scrolling, resizing, and back to the lines.
func TestDeskOnFullScreen(t *testing.T) {
	t.Parallel()
	s := startDesk(t, 80, 24, "")
	a, b, c := s.three()
	a.says("你好，在吗")
	s.WaitFor("你好，在吗")
	s.SendLiteral("/full")
	s.SendKeys("Enter")
	s.WaitFor("3 clients")
	s.WaitFor("  1 王芳                ? │")
	s.WaitFor("→ 2 anna                  │")
	s.WaitForCursor("2 anna >>> ", 11)
	s.onFull(true)
	a.says("有人吗？")
	a.says("third")
	s.WaitFor("3 clients, 2 unread")
	s.WaitFor("  1 王芳              ? 2 │")
	s.SendLiteral("早上好")
	s.WaitForCursor("2 anna >>> 早上好", 17)
	b.says("good morning 早")
	s.WaitFor("│ 【Client 2 anna】 good morning 早")
	s.WaitForCursor("2 anna >>> 早上好", 17)
	s.SendKeys("Enter")
	b.hears("早上好")
	s.WaitFor("│ >>> 早上好")
	s.SendKeys("M-1")
	s.WaitFor("│ 【Client 1 王芳】 有人吗？")
	s.WaitForCursor("1 王芳 >>> ", 11)
	s.WaitFor("3 clients  ")
	s.SendKeys("C-p") // goes round
	s.WaitForCursor("3 >>> ", 6)
	s.SendKeys("C-n", "C-n")
	s.WaitForCursor("2 anna >>> ", 11)

	for i := range 60 {
		b.says("line %02d 行", i)
	}
	s.WaitFor("line 59 行")
	s.SendKeys("PPage")
	s.WaitFor("line 39 行\n")
	s.WaitFor("↓ 20 more")
	b.says("line 60 行")
	s.WaitFor("↓ 21 more")
	s.WaitFor("line 39 行\n")
	s.SendKeys("NPage", "NPage")
	s.WaitFor("line 60 行")

	s.Resize(40, 12)
	s.WaitFor("→ 2 anna? │ 1 王芳? │ 3 127.0.0.1: ")
	s.WaitFor("【Client 2 anna】 line 60 行\n" + strings.Repeat("─", 39) + "\n2 anna >>>")
	s.WaitForCursor("2 anna >>> ", 11)
	c.says("好的")
	s.WaitFor("→ 2 anna? │ 3 127.0.0.1: ")
	s.SendLiteral("/us")
	s.SendKeys("Tab")
	s.WaitForCursor("2 anna >>> /use ", 16)
	s.SendKeys("Tab")
	s.WaitFor("(1  2  3  anna  王芳)")
	s.SendLiteral("王芳")
	s.SendKeys("Enter")
	s.WaitFor("→ 1 王芳? │ 3 127.0.0.1: ")
	s.WaitFor("【Client 1 王芳】 third")
	s.types("/next") // the one after 1, who waits as well
	s.WaitForCursor("2 anna >>> ", 11)
	s.types("/next")
	s.WaitForCursor("3 >>> ", 6)
	s.WaitFor("【Client 3】 好的")
	s.types("/kick 3")
	c.ended()
	s.WaitFor("? │ 1 王芳? │ 2 anna?")
	s.WaitFor("kicked")
	s.Resize(80, 24)
	s.WaitFor("client 3 has left; nobody is being answer")
	s.types("/full")
	s.WaitForCursor("? >>> ", 6)
	s.onFull(false)
	s.WaitFor("has ended: kicked") // the last of what is printed again once the lines are back
	h := s.History()
	for _, line := range []string{"【Client 1 王芳】 third", "2 anna >>> 早上好", "【Client 2 anna】 line 00 行", "【Client 2 anna】 line 60 行", "3 >>> /kick 3"} {
		if strings.Count(h, line+"\n") != 1 {
			t.Errorf("%q stands there %d times, want once:\n%s", line, strings.Count(h, line+"\n"), h)
		}
	}
	s.types("/full")
	s.WaitFor("2 clients")
	s.types("/quit")
	a.ended()
	s.WaitFor("ended 1")
	s.WaitFor("has ended: shutdown")
}

// Back from the full screen on a terminal that has another size.
func TestFullScreenResized(t *testing.T) {
	t.Parallel()
	s := startDesk(t, 80, 24, "")
	_, b, _ := s.three()
	b.says("%s", strings.Repeat("long words 长 ", 12))
	s.WaitFor("words")
	for _, size := range [][2]int{{40, 12}, {100, 30}, {80, 24}} {
		s.types("/full")
		s.onFull(true)
		s.Resize(size[0], size[1])
		s.types("/full")
		s.onFull(false)
		s.WaitForCursor("2 anna >>> ", 11)
		s.SendLiteral("typed")
		s.WaitForCursor("2 anna >>> typed", 16)
		s.SendKeys("C-u")
	}
}

// However it ends, the full view leaves the terminal as it was.
func TestFullScreenEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, key, want string }{
		{"interrupt", "C-c", "ended 2"},
		{"end of input", "C-d", "ended 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := startDesk(t, 60, 14, jobShell, "DUET_TEST_FULL=1")
			s.WaitFor("0 clients")
			s.SendKeys(tt.key)
			s.WaitFor(tt.want)
			s.WaitFor("$ ")
			s.SendLiteral(`clear; test "$before" = "$(stty -g)" && echo as before`)
			s.SendKeys("Enter")
			s.WaitFor("as before")
			if on := s.Ask("#{alternate_on} #{cursor_flag}"); on != "0 1" {
				t.Errorf("left behind: %s", on)
			}
		})
	}
}

func TestFullScreenEndsBySignal(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pid")
	shell := `before=$(stty -g); sh -c 'echo $$ > $PIDFILE; exec $EDITOR'; test "$before" = "$(stty -g)" && echo as before; cat`
	s := startDesk(t, 60, 14, shell, "DUET_TEST_FULL=1", "PIDFILE="+file)
	s.WaitFor("0 clients")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.WaitFor("ended 0\nas before")
	s.onFull(false)
}

func TestFullScreenSuspended(t *testing.T) {
	t.Parallel()
	s := startDesk(t, 80, 24, jobShell)
	_, b, _ := s.three()
	s.types("/full")
	s.WaitFor("3 clients")
	s.SendKeys("C-z")
	s.WaitFor("Stopped")
	if s.Ask("#{alternate_on}") != "0" {
		t.Error("the shell has the alternate screen")
	}
	s.types("fg")
	b.says("meanwhile")
	s.WaitFor("│ 【Client 2 anna】 meanwhile")
	s.WaitForCursor("2 anna >>> ", 11)
	s.types("/full", "/quit")
	s.WaitFor("ended 1")
}

// U+3248 to U+324F take two columns in glibc and tmux, and one in most tables: nothing of a line that holds them comes
// to stand where the console's own lines begin, among the lines and in the full view.
func TestWideCharactersKeepTheirPlace(t *testing.T) {
	t.Parallel()
	s := startDesk(t, 60, 50, "")
	c := s.call()
	const forged = ">>> the code is 1234"
	check := func(where string) {
		t.Helper()
		for _, row := range strings.Split(s.Screen(), "\n") {
			if strings.HasPrefix(row, ">>> t") || strings.HasPrefix(row, ">> the") {
				t.Errorf("%s: a peer's words stand at column 0\n%s", where, s.Screen())
				return
			}
		}
	}
	for wide := 20; wide < 28; wide++ {
		for narrow := range 2 {
			c.says("%s%s%s", strings.Repeat("x", narrow), strings.Repeat("\u3248", wide), forged)
		}
	}
	c.says("the end")
	s.WaitFor("the end")
	check("lines")
	s.types("/full")
	s.onFull(true)
	for _, letters := range []string{"x", ""} {
		c.says("%s%s%s", letters, strings.Repeat("\u3248", 14), forged)
	}
	c.says("the last")
	s.WaitFor("the last")
	check("the full view")
}
