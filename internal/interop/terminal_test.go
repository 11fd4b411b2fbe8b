//go:build linux

package interop_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"duet.example/duet/internal/tmuxtest"
)

func init() { tmuxtest.Patience = patience }

// A person sits at a terminal, in which duet runs.
type person struct {
	*tmuxtest.Terminal
	t *testing.T
}

// sit starts duet in a terminal of w columns and h rows.
func sit(t *testing.T, w, h int, env []string, args ...string) *person {
	t.Helper()
	return sitAt(t, w, h, env, append([]string{duetPath}, args...)...)
}

func sitAt(t *testing.T, w, h int, env []string, cmd ...string) *person {
	t.Helper()
	if !tmuxtest.Available() {
		t.Fatal("a tool is missing, scripts/deps installs it: tmux")
	}
	env = append([]string{"XDG_STATE_HOME=" + t.TempDir(), "NO_COLOR=", "DUET=" + duetPath, "PS1=$ "}, env...)
	return &person{Terminal: tmuxtest.New(t, w, h, env, cmd...), t: t}
}

// types types lines, each with Enter.
func (p *person) types(lines ...string) {
	p.t.Helper()
	for _, l := range lines {
		p.SendLiteral(l)
		p.SendKeys("Enter")
	}
}

// sees waits until rows stand on the screen, one under the other.
func (p *person) sees(rows ...string) { p.t.Helper(); p.WaitFor(strings.Join(rows, "\n")) }

// seesMatch waits for a match on the screen and gives its groups.
func (p *person) seesMatch(pattern string) []string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	var groups []string
	p.Until("a match of "+pattern, func() bool {
		groups = re.FindStringSubmatch(p.Screen())
		return groups != nil
	})
	return groups[1:]
}

// line waits until typed stands behind prompt, the cursor in column x.
func (p *person) line(prompt, typed string, x int) { p.t.Helper(); p.WaitForCursor(prompt+typed, x) }

// port is where duet listens.
func (p *person) port() string {
	p.t.Helper()
	return p.seesMatch(`The Server is running at \S+ (\d+)\n`)[0]
}

// ends waits until the program in the terminal has ended, with code.
func (p *person) ends(code string) {
	p.t.Helper()
	var got string
	p.Until("the end", func() bool {
		if p.Ask("#{pane_dead}") != "1" {
			return false
		}
		if got = p.Ask("#{pane_dead_status}"); got == "" {
			kill(p.t, "CHLD", p.Ask("#{pid}")) // tmux 3.3 at times overlooks that its child has ended
		}
		return got != ""
	})
	if got != code {
		p.t.Errorf("it ended with %s, want %s\n%s", got, code, p.History())
	}
}

// pid is the process of duet in the terminal.
func (p *person) pid() string {
	p.t.Helper()
	var pid string
	p.Until("duet's process", func() bool {
		out, _ := exec.Command("pgrep", "-x", "-t", strings.TrimPrefix(p.Ask("#{pane_tty}"), "/dev/"), "duet").Output()
		pid = strings.TrimSpace(string(out))
		return pid != ""
	})
	return pid
}

// A socket is a peer without any program: what it sends and gets is exact.
type socket struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func dialTo(t *testing.T, port string) *socket {
	t.Helper()
	c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, patience)
	if err != nil {
		t.Fatal(err)
	}
	return newSocket(t, c)
}

func newSocket(t *testing.T, c net.Conn) *socket {
	t.Helper()
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &socket{t: t, Conn: c, r: bufio.NewReader(c)}
}

// serverFor listens, has start begin with the port, and accepts.
func serverFor(t *testing.T, start func(port string) *person) (*socket, *person) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	p := start(port)
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	c, err := l.Accept()
	if err != nil {
		t.Fatalf("%v\n%s", err, p.Screen())
	}
	return newSocket(t, c), p
}

func (s *socket) CloseWrite() error { return s.Conn.(*net.TCPConn).CloseWrite() }

func (s *socket) sends(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s, text); err != nil {
		s.t.Fatal(err)
	}
}

// gets reads exactly text.
func (s *socket) gets(text string) {
	s.t.Helper()
	b := make([]byte, len(text))
	n, err := io.ReadFull(s.r, b)
	if string(b) != text {
		s.t.Fatalf("the peer got %q (%v), want %q", b[:n], err, text)
	}
}

// getsLast reads text and the end: FIN, not a reset.
func (s *socket) getsLast(text string) {
	s.t.Helper()
	b, err := io.ReadAll(s.r)
	switch {
	case errors.Is(err, syscall.ECONNRESET):
		s.t.Errorf("the peer was reset; it had got %q", b)
	case string(b) != text || err != nil:
		s.t.Errorf("the peer got %q at the end (%v), want %q", b, err, text)
	}
}

// noTrace fails where the screen or its scrollback shows the inside of a Go program.
func (p *person) noTrace() {
	p.t.Helper()
	for _, s := range []string{"goroutine ", "panic:", ".go:", "runtime."} {
		if h := p.History(); strings.Contains(h, s) {
			p.t.Errorf("%q on the screen\n%s", s, h)
		}
	}
}

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}
