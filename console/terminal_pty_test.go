//go:build unix

package console_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"duet.example/duet/console"
)

const patience = 10 * time.Second

// A wire is the other end of a terminal: it types, and keeps what was drawn.
type wire struct {
	t        *testing.T
	ptm, tty *os.File

	mu   sync.Mutex
	seen bytes.Buffer
	more chan struct{}
}

func newWire(t *testing.T) *wire {
	t.Helper()
	ptm, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(ptm, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, ptm: ptm, tty: tty, more: make(chan struct{}, 1)}
	t.Cleanup(func() { _ = tty.Close(); _ = ptm.Close() })
	return w
}

// read keeps what is drawn until the terminal is closed, and answers nothing.
func (w *wire) read() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			n, err := w.ptm.Read(b)
			if err != nil {
				return
			}
			w.mu.Lock()
			w.seen.Write(b[:n])
			w.mu.Unlock()
			select {
			case w.more <- struct{}{}:
			default:
			}
		}
	}()
	w.t.Cleanup(func() { _ = w.tty.Close(); _ = w.ptm.Close(); <-done })
}

func (w *wire) drawn() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen.String()
}

func (w *wire) waitFor(s string) {
	w.t.Helper()
	for late := time.After(patience); !strings.Contains(w.drawn(), s); {
		select {
		case <-w.more:
		case <-late:
			w.t.Fatalf("waited in vain for %q in %q", s, w.drawn())
		}
	}
}

func (w *wire) state() string {
	w.t.Helper()
	cmd := exec.Command("stty", "-g")
	cmd.Stdin = w.tty
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("stty: %v: %s", err, out)
	}
	return string(out)
}

func next(t *testing.T, f console.Face) (console.Input, bool) {
	t.Helper()
	select {
	case in, ok := <-f.Inputs():
		return in, ok
	case <-time.After(patience):
		t.Fatal("no input")
		return console.Input{}, false
	}
}

func TestPty(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	before := w.state()
	w.read()
	term, err := console.NewTerminal(console.TerminalOptions{In: w.tty, Out: w.tty, Prompt: "? "})
	if err != nil {
		t.Fatal(err)
	}
	w.waitFor("?")
	if raw := w.state(); raw == before {
		t.Error("the terminal is not in raw mode while the editor runs")
	}
	for _, line := range []string{"hello", "", "中文"} {
		if _, err := io.WriteString(w.ptm, line+"\r"); err != nil {
			t.Fatal(err)
		}
		if in, _ := next(t, term); in.Kind != console.Submit || in.Text != line {
			t.Errorf("got %v %q, want submit %q", in.Kind, in.Text, line)
		}
	}
	if err := term.Print(t.Context(), "\x1b[31mred\x1b[m", "\x1b]0;evil\a\x1b[2Jplain\x9b"); err != nil {
		t.Error(err)
	}
	term.Bell()
	w.waitFor("plain")
	w.waitFor("\a")
	if err := term.Print(t.Context(), "last words"); err != nil {
		t.Error(err)
	}
	if err := term.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := term.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	w.waitFor("last words")
	w.waitFor("\x1b[?2004l")
	if after := w.state(); after != before {
		t.Errorf("state %q, before it was %q", after, before)
	}
	if in, ok := next(t, term); ok {
		t.Errorf("input %v after the end", in)
	}
	if err := term.Print(t.Context(), "late"); !errors.Is(err, console.ErrClosed) {
		t.Errorf("print after close: %v, want ErrClosed", err)
	}
	for _, s := range []string{"\x1b[31m", "\x1b]0;", "\x1b[2J", "evil"} {
		if strings.Contains(w.drawn(), s) {
			t.Errorf("%q was drawn", s)
		}
	}
}

// The terminal goes away: the face ends by itself.
func TestTerminalLost(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	term, err := console.NewTerminal(console.TerminalOptions{In: w.tty, Out: w.tty})
	if err != nil {
		t.Fatal(err)
	}
	var seen []byte
	for b := make([]byte, 4096); !bytes.Contains(seen, []byte(">>>")); {
		n, err := w.ptm.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, b[:n]...)
	}
	_ = w.ptm.Close()
	if in, ok := next(t, term); ok {
		t.Errorf("input %v from a terminal that has gone", in)
	}
	if err := term.Close(); !errors.Is(err, console.ErrTerminalLost) {
		t.Errorf("close: %v, want why it ended", err)
	}
}

// A panic in what the editor calls ends the face and restores the terminal; nothing is written over the screen.
func TestEditorPanics(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	before := w.state()
	w.read()
	term, err := console.NewTerminal(console.TerminalOptions{
		In: w.tty, Out: w.tty,
		Complete: func(string, int) (int, []string) { panic("no candidates") },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.waitFor(">>>")
	if _, err := io.WriteString(w.ptm, "\t"); err != nil {
		t.Fatal(err)
	}
	if in, ok := next(t, term); ok {
		t.Errorf("input %v after a panic", in)
	}
	if err := term.Close(); err == nil || !strings.Contains(err.Error(), "no candidates") {
		t.Errorf("close: %v, want the panic", err)
	}
	if after := w.state(); after != before {
		t.Errorf("state %q, before it was %q", after, before)
	}
	if strings.Contains(w.drawn(), "goroutine") {
		t.Errorf("a stack was drawn: %q", w.drawn())
	}
}

// The editor hangs, with the whole screen: Restore gives the terminal back all the same.
func TestRestoreWithoutEditor(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	before := w.state()
	w.read()
	hangs, wakes := make(chan struct{}), make(chan struct{})
	term, err := console.NewTerminal(console.TerminalOptions{
		In: w.tty, Out: w.tty,
		Complete: func(string, int) (int, []string) {
			close(hangs)
			<-wakes
			return 0, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	term.SetFull(func() console.View { return console.View{Title: "all of it"} })
	w.waitFor("all of it")
	if _, err := io.WriteString(w.ptm, "\t"); err != nil {
		t.Fatal(err)
	}
	<-hangs
	term.Restore()
	if after := w.state(); after != before {
		t.Errorf("state %q, before it was %q", after, before)
	}
	w.waitFor("\x1b[?1049l")
	w.waitFor("\x1b[?2004l")
	w.waitFor("\x1b[?25h\r\n")
	close(wakes)
	if err := term.Close(); err != nil && !errors.Is(err, console.ErrClosed) {
		t.Errorf("close: %v", err)
	}
	if after := w.state(); after != before {
		t.Errorf("after Close: state %q, before it was %q", after, before)
	}
}

// Nobody reads what the terminal shows: Print waits, gives up with its context, and Close comes to an end.
func TestTerminalStuck(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	term, err := console.NewTerminal(console.TerminalOptions{In: w.tty, Out: w.tty})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	full := make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			if err := term.Print(ctx, fmt.Sprintf("%d %s", i, strings.Repeat("x", 70))); err != nil {
				full <- err
				return
			}
			term.SetPartial(fmt.Sprint(i)) // never waits
		}
	}()
	cause := errors.New("no patience")
	timer := time.AfterFunc(300*time.Millisecond, func() { cancel(cause) })
	defer timer.Stop()
	select {
	case err := <-full:
		if !errors.Is(err, cause) {
			t.Errorf("print: %v, want the cause of its context", err)
		}
	case <-time.After(patience):
		t.Error("print did not give up")
	}
	if err := term.Close(); err == nil {
		t.Error("close says that all was well")
	}
	w.read() // lets the goroutines go
	if _, ok := <-term.Inputs(); ok {
		t.Error("inputs go on")
	}
}

func TestNoTerminal(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, err := console.NewTerminal(console.TerminalOptions{In: r, Out: w}); err == nil {
		t.Error("a pipe was taken for a terminal")
	}
}
