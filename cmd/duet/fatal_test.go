//go:build unix

package main

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/creack/pty"
)

// A signal at which Go prints its stacks finds the terminal as it was before duet, on either screen.
func TestFatalSignals(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGTRAP} {
		for _, full := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/full=%v", sig, full), func(t *testing.T) {
				t.Parallel()
				endedBy(t, sig, full)
			})
		}
	}
}

func endedBy(t *testing.T, sig syscall.Signal, full bool) {
	const alternate, lines = "\x1b[?1049h", "\x1b[?1049l"
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer tty.Close()
	state := func() string {
		cmd := exec.Command("stty", "-g")
		cmd.Stdin = tty
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("stty: %v: %s", err, out)
		}
		return string(out)
	}
	before := state()
	shown := newPrinted()
	read := make(chan struct{})
	go func() {
		defer close(read)
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			if err != nil {
				return
			}
			_, _ = shown.Write(b[:n])
		}
	}()
	await := func(text string) {
		t.Helper()
		for late := time.After(patience); !strings.Contains(shown.String(), text); {
			changed := shown.changed()
			if strings.Contains(shown.String(), text) {
				return
			}
			select {
			case <-changed:
			case <-late:
				t.Fatalf("waited in vain for %q in %q", text, shown)
			}
		}
	}

	args := []string{"listen", "127.0.0.1:0"}
	if full {
		args = append(args, "--full")
	}
	duet := exec.Command("duet", args...)
	duet.Env = append(duet.Environ(), "TERM=xterm-256color", "HOME="+t.TempDir(), "XDG_STATE_HOME=")
	duet.Stdin, duet.Stdout, duet.Stderr = tty, tty, tty
	duet.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := duet.Start(); err != nil {
		t.Fatal(err)
	}
	await(">>>")
	if full {
		await(alternate)
	}
	if state() == before {
		t.Error("the terminal is not in raw mode while the editor runs")
	}
	if err := duet.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	err = duet.Wait()
	if ended := duet.ProcessState; ended.ExitCode() != 2 {
		t.Errorf("ended with %v (%v), want Go's exit code 2", ended, err)
	}
	if after := state(); after != before {
		t.Errorf("state %q, before it was %q", after, before)
	}
	await("goroutine 1 ")
	text := shown.String()
	dump := strings.Index(text, "\r\ngoroutine ")
	if dump < 0 {
		t.Fatalf("the stacks were printed on a raw terminal: %q", text)
	}
	if !strings.Contains(text[:dump], "\x1b[?2004l") || full && strings.Index(text, lines) < strings.Index(text, alternate) || strings.Contains(text[dump:], "\x1b") {
		t.Errorf("the terminal was not restored before the stacks were printed: %q", text)
	}
	tty.Close()
	<-read
}

// What hangs keeps neither the signal from its work, nor the rest from theirs.
func TestFatalIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var x fatal
		hangs, called := make(chan struct{}), make(chan string, 2)
		x.before(func() { <-hangs })
		x.before(func() { called <- "terminal" })
		forget := x.before(func() { called <- "forgotten" })
		forget()
		start := time.Now()
		x.run(time.Second)
		if took := time.Since(start); took != time.Second {
			t.Errorf("waited %v, want 1s", took)
		}
		close(hangs)
		synctest.Wait()
		if len(called) != 1 || <-called != "terminal" {
			t.Errorf("%d were called beside what hangs, want only that for the terminal", len(called)+1)
		}
		start = time.Now()
		x.run(time.Second)
		if took := time.Since(start); took != 0 {
			t.Errorf("waited %v for what does not hang", took)
		}
	})
}
