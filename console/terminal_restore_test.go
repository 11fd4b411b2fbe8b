//go:build unix

package console_test

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// On every way out the terminal is as it was: by Close, a signal, a panic elsewhere.
func TestRestored(t *testing.T) {
	t.Parallel()
	// The shell compares stty -g before and after, and stays to tell.
	const shell = `a=$(stty -g); trap '' TERM INT HUP; (trap - TERM INT HUP; exec $EDITOR); s=$?; b=$(stty -g)
if [ "$a" = "$b" ]; then echo "restored after $s"; else echo "broken after $s: $a $b"; fi; exec cat`
	ways := []struct {
		name string
		out  func(*onScreen)
		want string
	}{
		{"close", func(s *onScreen) { s.SendKeys("C-u"); s.SendLiteral("/quit"); s.SendKeys("Enter") }, "restored after 0"},
		{"panic", func(s *onScreen) { s.order("panic elsewhere") }, "restored after"}, // by whoever is first to exit
		{"SIGTERM", signalled(syscall.SIGTERM), "restored after 0"},
		{"SIGINT", signalled(syscall.SIGINT), "restored after 0"},
		{"SIGHUP", signalled(syscall.SIGHUP), "restored after 0"},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, 60, 16, shell)
			s.SendLiteral("half a 行")
			s.line("half a 行", 13)
			way.out(s)
			screen := s.WaitFor("after")
			if !strings.Contains(screen, way.want) {
				t.Errorf("want %q\n%s", way.want, screen)
			}
			if way.name != "close" && strings.Contains(screen, "half a") {
				t.Errorf("the line being typed is left behind\n%s", screen)
			}
			// Nothing strange is left in the terminal's modes: what is typed is echoed as it is.
			s.SendLiteral("typed after")
			s.SendKeys("Enter")
			s.WaitFor("typed after\ntyped after")
		})
	}
}

func signalled(sig syscall.Signal) func(*onScreen) {
	return func(s *onScreen) {
		out, err := exec.Command("pgrep", "-P", s.Ask("#{pane_pid}")).Output()
		if err != nil {
			s.t.Fatal(err)
		}
		for _, pid := range strings.Fields(string(out)) {
			if err := exec.Command("kill", "-"+strings.TrimPrefix(sigName(sig), "SIG"), pid).Run(); err != nil {
				s.t.Fatal(err)
			}
		}
		s.heard("signal")
	}
}

func sigName(sig syscall.Signal) string {
	return map[syscall.Signal]string{syscall.SIGTERM: "TERM", syscall.SIGINT: "INT", syscall.SIGHUP: "HUP"}[sig]
}

// Ctrl-Z gives the terminal to the shell; fg brings back the line, the cursor, and what was printed meanwhile.
func TestSuspended(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Log("no bash: a shell with jobs is not tested")
		return
	}
	s := start(t, 60, 16, jobShell)
	s.WaitForCursor(">>>", 4)
	s.order("print one")
	s.WaitFor("one\n>>>")
	s.Paste("half\na 行")
	s.WaitForCursor("... a 行", 8)
	s.SendKeys("Left")
	s.WaitForCursor("... a 行", 6)
	for range 2 {
		s.SendKeys("C-z")
		s.Until("a stopped job, and a prompt in the place of the line", func() bool {
			rows := strings.Split(s.Screen(), "\n")
			return strings.Contains(s.Screen(), "Stopped") && rows[len(rows)-1] == "$" && !strings.Contains(s.Screen(), "half")
		})
		s.SendLiteral(`[ "$(stty -g)" = "$before" ] && echo same $((1+1))`)
		s.SendKeys("Enter")
		s.order("print meanwhile")
		s.SendLiteral("fg")
		s.SendKeys("Enter")
		s.WaitFor("meanwhile\n>>> half\n... a 行")
		s.WaitForCursor("... a 行", 6)
		s.order("print again")
		s.WaitFor("meanwhile\nagain\n>>> half\n... a 行")
		s.WaitForCursor("... a 行", 6)
	}
	if h := s.History(); strings.Count(h, "same 2") != 2 || strings.Count(h, ">>>") != 1 {
		t.Errorf("want the same state twice, and one prompt\n%s", h)
	}
}

// Where nobody could bring the program back, Ctrl-Z does nothing.
func TestNotSuspended(t *testing.T) {
	t.Parallel()
	s := start(t, 60, 16, "")
	s.order("print one")
	s.SendLiteral("half a 行")
	s.line("half a 行", 13)
	s.SendKeys("C-z")
	s.order("print two")
	s.WaitFor("one\ntwo\n>>> half a 行")
	s.line("half a 行", 13)
	s.SendLiteral("!")
	s.line("half a 行!", 14)
	s.onePrompt(0)
}
