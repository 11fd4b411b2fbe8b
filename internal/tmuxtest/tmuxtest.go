// Package tmuxtest runs a program in a terminal of its own, types to it, and looks at its screen. tmux is the
// terminal: it measures Chinese, emoji and wrapped lines as terminals do.
package tmuxtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Patience is how long WaitFor and its kin wait before they give up.
var Patience = 30 * time.Second

// A Terminal is a tmux server of its own with one pane. It ends with its test.
type Terminal struct {
	t      testing.TB
	socket string
}

// Available reports whether tmux can be run here.
func Available() bool {
	_, err := exec.LookPath("tmux")
	return err == nil
}

// New starts cmd in a terminal of w columns and h rows, with env (NAME=value) added to the environment. The pane stays
// when the program has ended, so that what it left can be seen. Where there is no tmux the test is skipped and says so,
// unless DUET_NEED_TMUX is set: then it fails.
func New(t testing.TB, w, h int, env []string, cmd ...string) *Terminal {
	t.Helper()
	if !Available() {
		if os.Getenv("DUET_NEED_TMUX") != "" {
			t.Fatal("no tmux, and DUET_NEED_TMUX is set")
		}
		t.Skip("no tmux: the terminal is not tested")
	}
	dir, err := os.MkdirTemp("", "tmux") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	term := &Terminal{t: t, socket: filepath.Join(dir, "s")}
	t.Cleanup(func() {
		_, _ = term.try("kill-server")
		_ = os.RemoveAll(dir)
	})
	conf := filepath.Join(dir, "conf")
	const settings = "set -g history-limit 50000\nset -g remain-on-exit on\nset -sg escape-time 0\nset -g status off\nset -g default-terminal tmux-256color\n"
	if err := os.WriteFile(conf, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-f", conf, "new-session", "-d", "-x", strconv.Itoa(w), "-y", strconv.Itoa(h)}
	for _, e := range append([]string{"LANG=C.UTF-8", "LC_ALL=C.UTF-8"}, env...) {
		args = append(args, "-e", e)
	}
	quoted := make([]string, len(cmd))
	for i, c := range cmd {
		quoted[i] = "'" + strings.ReplaceAll(c, "'", `'\''`) + "'"
	}
	term.run(append(args, strings.Join(quoted, " "))...)
	return term
}

func (term *Terminal) try(args ...string) (string, error) {
	cmd := exec.Command("tmux", append([]string{"-u", "-S", term.socket}, args...)...)
	cmd.Env = append(os.Environ(), "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "TMUX=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("tmux %s: %w: %s", args[0], err, out)
	}
	return string(out), err
}

func (term *Terminal) run(args ...string) string {
	term.t.Helper()
	out, err := term.try(args...)
	if err != nil {
		term.t.Fatal(err)
	}
	return out
}

// SendKeys types keys by the names tmux gives them: Enter, C-c, M-b, Up, BSpace.
func (term *Terminal) SendKeys(keys ...string) {
	term.t.Helper()
	term.run(append([]string{"send-keys"}, keys...)...)
}

// SendLiteral types s as it is.
func (term *Terminal) SendLiteral(s string) {
	term.t.Helper()
	term.run("send-keys", "-l", "--", s)
}

// Paste pastes s, bracketed if the program has asked for that.
func (term *Terminal) Paste(s string) {
	term.t.Helper()
	term.run("set-buffer", "--", s)
	term.run("paste-buffer", "-p")
}

// Resize gives the terminal another size.
func (term *Terminal) Resize(w, h int) {
	term.t.Helper()
	term.run("resize-window", "-x", strconv.Itoa(w), "-y", strconv.Itoa(h))
}

// Close closes the window, as its user does: the terminal is gone.
func (term *Terminal) Close() {
	term.t.Helper()
	term.run("kill-server")
}

// Screen returns what is on the screen, without blanks at the ends of rows nor empty rows at its end.
func (term *Terminal) Screen() string {
	term.t.Helper()
	return tidy(term.run("capture-pane", "-p"))
}

// Styled is Screen with the escape sequences of its styles.
func (term *Terminal) Styled() string {
	term.t.Helper()
	return tidy(term.run("capture-pane", "-p", "-e"))
}

// History returns the scrollback and the screen; rows that the terminal has wrapped itself are joined.
func (term *Terminal) History() string {
	term.t.Helper()
	return tidy(term.run("capture-pane", "-p", "-J", "-S", "-"))
}

func tidy(s string) string {
	rows := strings.Split(s, "\n")
	for i, r := range rows {
		rows[i] = strings.TrimRight(r, " ")
	}
	return strings.TrimRight(strings.Join(rows, "\n"), "\n")
}

// Cursor returns the cursor's column and row, from 0.
func (term *Terminal) Cursor() (x, y int) {
	term.t.Helper()
	out := term.run("display-message", "-p", "#{cursor_x},#{cursor_y}")
	if _, err := fmt.Sscanf(out, "%d,%d", &x, &y); err != nil {
		term.t.Fatalf("cursor %q: %v", out, err)
	}
	return x, y
}

// Ask returns what tmux says of the pane, as in #{pane_dead_status}.
func (term *Terminal) Ask(format string) string {
	term.t.Helper()
	return strings.TrimSpace(term.run("display-message", "-p", format))
}

// WaitFor waits until the screen holds s, and returns the screen.
func (term *Terminal) WaitFor(s string) string {
	term.t.Helper()
	var screen string
	term.Until(fmt.Sprintf("%q on the screen", s), func() bool {
		screen = term.Screen()
		return strings.Contains(screen, s)
	})
	return screen
}

// Until waits until ok, and fails the test with what it waited for and the screen if that does not come.
func (term *Terminal) Until(what string, ok func() bool) {
	term.t.Helper()
	for deadline := time.Now().Add(Patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			x, y := term.Cursor()
			term.t.Fatalf("waited in vain for %s\ncursor %d,%d\n%s", what, x, y, term.Screen())
		}
	}
}

// WaitForCursor waits until the cursor is in column x of the row that holds s alone, and s is there once.
func (term *Terminal) WaitForCursor(s string, x int) {
	term.t.Helper()
	term.Until(fmt.Sprintf("row %q with the cursor in column %d", s, x), func() bool {
		rows := strings.Split(term.Screen(), "\n")
		cx, cy := term.Cursor()
		return cx == x && cy < len(rows) && rows[cy] == strings.TrimRight(s, " ")
	})
}
