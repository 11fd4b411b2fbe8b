//go:build unix

package console_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"duet.example/duet/internal/tmuxtest"
)

// An onScreen is an editor in tmux, and the connection over which it is told what to print.
type onScreen struct {
	*tmuxtest.Terminal
	t      *testing.T
	orders net.Conn
	said   *bufio.Reader
}

// jobShell, for start, is a shell with jobs, to which the name of the editor is typed.
const jobShell = "exec bash --norc --noprofile -i"

// start runs the editor with before and after it what shell says, which stands for $EDITOR; "" for the editor alone.
func start(t *testing.T, w, h int, shell string, env ...string) *onScreen {
	t.Helper()
	dir, err := os.MkdirTemp("", "duet")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if shell == "" {
		shell = "exec $EDITOR"
	}
	// Without a rest of a second that the race detector has at each end.
	env = append(env, editorEnv+"="+path, "EDITOR="+exe, "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	s := &onScreen{Terminal: tmuxtest.New(t, w, h, env, "sh", "-c", shell), t: t}
	if shell == jobShell {
		s.SendLiteral("PS1='$ '; before=$(stty -g); $EDITOR")
		s.SendKeys("Enter")
	}
	_ = l.(*net.UnixListener).SetDeadline(time.Now().Add(tmuxtest.Patience))
	if s.orders, err = l.Accept(); err != nil {
		t.Fatalf("the editor did not start: %v\n%s", err, s.Screen())
	}
	t.Cleanup(func() { _ = s.orders.Close() })
	s.said = bufio.NewReader(s.orders)
	return s
}

func (s *onScreen) order(format string, args ...any) {
	s.t.Helper()
	if _, err := fmt.Fprintf(s.orders, format+"\n", args...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *onScreen) heard(want string) {
	s.t.Helper()
	_ = s.orders.SetReadDeadline(time.Now().Add(tmuxtest.Patience))
	line, err := s.said.ReadString('\n')
	if line = strings.TrimSuffix(line, "\n"); line != want {
		s.t.Fatalf("heard %q (%v), want %q\n%s", line, err, want, s.Screen())
	}
}

// line waits for the line that is typed, on one row, and the column of the cursor.
func (s *onScreen) line(typed string, column int) {
	s.t.Helper()
	s.WaitForCursor(">>> "+typed, column)
}

// onePrompt fails unless the prompt stands in the whole scrollback as often as lines were sent, and once for the line
// being typed.
func (s *onScreen) onePrompt(sent int) {
	s.t.Helper()
	h := s.History()
	if n := len(regexp.MustCompile(`(?m)^>>>`).FindAllString(h, -1)); n != sent+1 {
		s.t.Errorf("%d prompts in the scrollback, want %d\n%s", n, sent+1, h)
	}
}

func TestScript(t *testing.T) {
	t.Parallel()
	s := start(t, 80, 24, "")
	s.line("", 4)

	s.SendLiteral("half a li")
	s.line("half a li", 13)
	s.order("print 【Client】 one")
	s.WaitFor("【Client】 one")
	s.line("half a li", 13)
	s.order("print 【Client】 two")
	s.WaitFor("【Client】 one\n【Client】 two\n>>> half a li")
	s.line("half a li", 13)
	s.SendLiteral("ne")
	s.line("half a line", 15)
	s.SendKeys("Enter")
	s.heard(`submit "half a line"`)
	s.line("", 4)
	s.onePrompt(1)

	s.SendLiteral("你好，世界")
	s.line("你好，世界", 14)
	s.SendKeys("Left", "Left")
	s.line("你好，世界", 10)
	s.SendKeys("BSpace")
	s.line("你好世界", 8)
	s.order("print 【客户】 中文消息")
	s.WaitFor("【客户】 中文消息")
	s.line("你好世界", 8)
	s.SendLiteral("的")
	s.line("你好的世界", 10)
	s.SendKeys("Enter")
	s.heard(`submit "你好的世界"`)
	s.line("", 4)

	s.SendLiteral("draft")
	s.SendKeys("Up")
	s.line("你好的世界", 14)
	s.SendKeys("Up")
	s.line("half a line", 15)
	s.SendKeys("Up") // no older one
	s.SendKeys("Down", "Down")
	s.line("draft", 9)
	s.SendKeys("C-u")
	s.line("", 4)

	long := strings.Repeat("0123456789", 15) // 75 columns a row
	s.SendLiteral(long)
	wrapped := ">>> " + long[:75] + "\n... " + long[75:]
	s.WaitFor(wrapped)
	s.WaitForCursor("... "+long[75:], 79)
	s.order("print 【Client】 during a wrapped line")
	s.WaitFor("【Client】 during a wrapped line\n" + wrapped)
	s.WaitForCursor("... "+long[75:], 79)
	s.SendKeys("C-a")
	s.line(long[:75], 4)
	s.SendKeys("C-k")
	s.line("", 4)
	s.onePrompt(2)

	s.Paste("first\nsecond 二\nthird")
	s.WaitFor(">>> first\n... second 二\n... third")
	s.WaitForCursor("... third", 9)
	s.order("print 【Client】 during a paste")
	s.WaitFor("【Client】 during a paste\n>>> first\n... second 二\n... third")
	s.WaitForCursor("... third", 9)
	s.SendKeys("Enter")
	s.heard(`submit "first\nsecond 二\nthird"`)
	s.line("", 4)
	s.WaitFor(">>> first\n... second 二\n... third\n>>>")
	s.onePrompt(3)

	s.SendLiteral("kept 保持 while resizing")
	for _, size := range [][2]int{{60, 20}, {100, 30}, {40, 10}, {80, 24}} {
		s.Resize(size[0], size[1])
		s.order("print width %d", size[0])
		s.WaitFor(fmt.Sprintf("width %d", size[0]))
		s.line("kept 保持 while resizing", 28)
	}
	s.onePrompt(3)

	s.order("burst 2000")
	s.WaitFor("burst 01999")
	s.line("kept 保持 while resizing", 28)
	var want strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&want, "burst %05d\n", i)
	}
	if h := s.History(); !strings.Contains(h, want.String()+">>> kept") {
		t.Errorf("the burst is not whole\n%s", h)
	}
	s.onePrompt(3)
	s.SendKeys("Enter")
	s.heard(`submit "kept 保持 while resizing"`)
	s.SendKeys("C-d")
	s.heard(`end of input ""`)
	s.SendKeys("C-c")
	s.heard(`interrupt ""`)
}

func TestKeys(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "history")
	s := start(t, 60, 16, "", "DUET_TEST_HISTORY="+file)
	s.line("", 4)
	typed := func(keys ...string) { s.t.Helper(); s.SendKeys(keys...) }

	s.SendLiteral("one two three")
	typed("C-a")
	s.line("one two three", 4)
	typed("M-f", "M-f")
	s.line("one two three", 11)
	typed("M-b")
	s.line("one two three", 8)
	typed("C-k")
	s.line("one", 8) // the blank before the cursor is not seen
	typed("C-w")
	s.line("", 4)
	typed("C-y", "Home", "Delete", "End", "BSpace", "C-d")
	s.line("ne", 6)
	typed("C-a", "C-d", "C-e", "C-u")
	s.line("", 4)

	// Emoji and combining characters are one character each.
	s.SendLiteral("a😀e\u0301b"[:0] + "a😀éb")
	s.line("a😀éb", 9)
	typed("Left", "BSpace")
	s.line("a😀b", 7)
	typed("BSpace")
	s.line("ab", 5)
	for _, x := range []struct {
		emoji string
		width int
	}{{"\U0001F468\u200d\U0001F469\u200d\U0001F467", 6}, {"\u2764\ufe0f", 1}, {"\U0001F1E9\U0001F1EA", 2}, {"\U0001F44D\U0001F3FD", 4}, {"각", 2}} {
		s.SendLiteral(x.emoji)
		s.SendKeys("Right")
		s.line("a"+strings.ReplaceAll(x.emoji, "\u200d", "")+"b", 6+x.width)
		s.order("print during %s", x.emoji)
		s.WaitFor("during")
		s.line("a"+strings.ReplaceAll(x.emoji, "\u200d", "")+"b", 6+x.width)
		s.SendKeys("Left", "BSpace")
		s.line("ab", 5)
	}
	s.SendLiteral("日本語")
	s.line("a日本語b", 11)
	typed("C-a", "C-k")
	s.line("", 4)

	// Line breaks, and rows as a field to move in.
	s.SendLiteral("first")
	typed("M-Enter")
	s.SendLiteral("second")
	typed("C-j")
	s.WaitFor(">>> first\n... second\n...")
	typed("Up", "Up", "Delete")
	s.WaitFor(">>> irst\n... second\n...")
	s.WaitForCursor(">>> irst", 4)
	typed("C-e", "Down", "Down", "BSpace")
	s.WaitForCursor("... second", 10)
	typed("Enter")
	s.heard(`submit "irst\nsecond"`)
	s.line("", 4)
	typed("Up")
	s.WaitForCursor("... second", 10)
	typed("Up", "Down", "Down")
	s.line("", 4)

	// Ctrl-R.
	for _, m := range []string{"alpha", "beta", "alphabet"} {
		s.SendLiteral(m)
		typed("Enter")
		s.heard(fmt.Sprintf("submit %q", m))
	}
	s.line("", 4)
	s.SendLiteral("draft")
	typed("C-r")
	s.WaitForCursor("(search '') draft", 17)
	s.SendLiteral("alp")
	s.WaitForCursor("(search 'alp') alphabet", 15)
	typed("C-r")
	s.WaitForCursor("(search 'alp') alpha", 15)
	s.SendLiteral("x")
	s.WaitFor("(no match 'alpx') alpha")
	typed("BSpace")
	s.WaitForCursor("(search 'alp') alphabet", 15)
	typed("C-g")
	s.line("draft", 9)
	typed("C-r")
	s.SendLiteral("bet")
	s.WaitFor("(search 'bet') alphabet")
	typed("Enter")
	s.line("alphabet", 9)
	typed("C-r", "C-c")
	s.heard(`interrupt ""`)
	s.line("alphabet", 9)
	typed("C-u", "C-k")
	s.line("", 4)

	// Tab.
	s.SendLiteral("/q")
	typed("Tab")
	s.line("/quit", 9)
	typed("C-u")
	s.SendLiteral("/f")
	typed("Tab")
	s.line("/fram", 9)
	typed("Tab")
	s.WaitFor("/framing   /frames\n>>> /fram")
	s.line("/fram", 9)
	typed("C-u")

	// What the face can be told.
	s.order("partial login: ")
	s.WaitFor("login:\n>>>")
	s.order("partial login: now")
	s.WaitFor("login: now\n>>>")
	s.line("", 4)
	s.order("partial ")
	s.Until("the partial line's end", func() bool { return !strings.Contains(s.Screen(), "login") })
	s.line("", 4)
	s.order("prompt [3] >>> ")
	s.WaitForCursor("[3] >>>", 8)
	s.SendLiteral("a")
	typed("M-Enter")
	s.WaitFor("[3] >>> a\n    ...")
	typed("C-u", "BSpace", "C-u")
	s.order("prompt >>> ")
	s.line("", 4)
	s.order("shut wait for the peer")
	s.WaitFor(">>>\n(wait for the peer)")
	s.SendLiteral("early")
	typed("Enter")
	s.WaitFor(">>> early\n(not sent: wait for the peer)")
	// The next key takes the hint away, so that its row shows whether the prompt is open.
	typed("End")
	s.WaitFor(">>> early\n(wait for the peer)")
	s.order("open")
	s.Until("the hint's end", func() bool { return !strings.Contains(s.Screen(), "wait for") })
	typed("Enter")
	s.heard(`submit "early"`)
	s.line("", 4)
	s.order("input put back")
	s.line("put back", 12)
	s.order("input not this")
	s.order("title duet %s", "here")
	s.Until("the title", func() bool { return s.Ask("#{pane_title}") == "duet here" })
	s.line("put back", 12)
	typed("C-l")
	s.line("put back", 12)
	if strings.Contains(s.Styled(), "\x1b[") {
		t.Errorf("styles without color: %q", s.Styled())
	}
	typed("Enter")
	s.heard(`submit "put back"`)
	s.SendLiteral("/quit")
	typed("Enter")
	s.heard(`submit "/quit"`)
	s.Until("its end", func() bool { return s.Ask("#{pane_dead}") == "1" })
	b, err := os.ReadFile(file)
	if want := "irst\\nsecond\nalpha\nbeta\nalphabet\nearly\nput back\n/quit\n"; err != nil || string(b) != want {
		t.Errorf("history file %q (%v), want %q", b, err, want)
	}
}

// What one sent stays visible, and nothing of the editor is left below it.
func TestLeaving(t *testing.T) {
	t.Parallel()
	s := start(t, 60, 16, `echo before; $EDITOR; echo "after $?"; cat`)
	s.line("", 4)
	s.order("print last words||said")
	s.SendLiteral("unsent")
	s.line("unsent", 10)
	s.SendKeys("C-u")
	s.line("", 4)
	s.SendLiteral("/quit")
	s.SendKeys("Enter")
	s.heard(`submit "/quit"`)
	s.WaitFor("before\nlast words\n\nsaid\n>>> /quit\nafter 0")
}

// One types while a burst comes in.
func TestTypedIntoBurst(t *testing.T) {
	t.Parallel()
	s := start(t, 80, 24, "")
	s.line("", 4)
	s.order("burst 3000")
	for i := range 10 {
		s.SendLiteral(fmt.Sprintf("message %d 中文", i))
		s.SendKeys("Enter")
	}
	for i := range 10 {
		s.heard(fmt.Sprintf("submit %q", fmt.Sprintf("message %d 中文", i)))
	}
	s.WaitFor("burst 02999")
	s.line("", 4)
	s.onePrompt(10)
	rest := s.History()
	for i := range 3000 {
		var ok bool
		if _, rest, ok = strings.Cut(rest, fmt.Sprintf("burst %05d\n", i)); !ok {
			t.Fatalf("burst %05d is missing or out of order", i)
		}
	}
}

// Styles are kept on each row of a wrapped line, and do not run into the line being typed.
func TestColor(t *testing.T) {
	t.Parallel()
	s := start(t, 30, 10, "", "DUET_TEST_COLOR=1")
	s.line("", 4)
	s.order("print \x1b[31m%s", strings.Repeat("red ", 10))
	s.order("shut \x1b[32mwhy")
	s.SendLiteral("plain")
	s.line("plain", 9)
	s.WaitFor("(why)")
	screen := s.Styled()
	rows := strings.Split(screen, "\n")
	if len(rows) != 4 || !strings.HasPrefix(rows[0], "\x1b[31mred") || !strings.Contains(rows[1], "red") ||
		!strings.Contains(rows[2], ">>> plain") || strings.Contains(rows[2], "31") || !strings.Contains(rows[3], "\x1b[2m(why)") {
		t.Errorf("%q", rows)
	}
}

// While a wrapped line is typed the terminal is made narrower and wider.
func TestResizeWrapped(t *testing.T) {
	t.Parallel()
	s := start(t, 80, 24, "")
	s.line("", 4)
	s.order("burst 40")
	s.WaitFor("burst 00039")
	long := strings.Repeat("abcdefghij", 6) + "中文"
	s.SendLiteral(long)
	for _, w := range []int{40, 100, 50, 80} {
		s.Resize(w, 24)
		n := w - 5
		if n > len(long) {
			s.line(long, 68)
		} else {
			s.WaitFor("burst 00039\n>>> " + long[:n] + "\n... " + long[n:])
			s.WaitForCursor("... "+long[n:], 4+64-n)
		}
	}
	s.onePrompt(0)
	if h := s.History(); strings.Contains(h, "...") {
		t.Errorf("a row is left behind\n%s", h)
	}
}

// What a peer has not finished is spelled out where the renderer and the terminal disagree about its width, and the cursor
// stays where the line is typed.
func TestWideCharactersUnfinished(t *testing.T) {
	t.Parallel()
	s := start(t, 60, 24, "")
	s.SendLiteral("half a \u324f")
	s.line(`half a \u324f`, 17)
	for wide := 20; wide < 28; wide++ {
		s.order("partial 【Client】 %s>>> the code is %d", strings.Repeat("\u3248", wide), wide)
		s.WaitFor(strconv.Itoa(wide) + "\n>>> half")
		s.line(`half a \u324f`, 17)
		for _, row := range strings.Split(s.Screen(), "\n") {
			if strings.HasPrefix(row, ">>") && !strings.HasPrefix(row, ">>> half") {
				t.Fatalf("a peer's words stand at column 0\n%s", s.Screen())
			}
		}
	}
}
