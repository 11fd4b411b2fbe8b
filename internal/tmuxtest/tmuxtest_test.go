package tmuxtest_test

import (
	"testing"

	"go.uber.org/goleak"

	"duet.example/duet/internal/tmuxtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTerminal(t *testing.T) {
	term := tmuxtest.New(t, 40, 10, []string{"GREETING=it's 你好"}, "sh", "-c", `printf '%s> ' "$GREETING"; read x; echo "got $x"; cat`)
	term.WaitForCursor("it's 你好>", 11)
	term.SendLiteral("a b")
	term.SendKeys("Enter")
	term.WaitFor("got a b")
	term.Resize(60, 12)
	term.Paste("pasted\n")
	term.WaitFor("pasted\npasted")
	if got := term.Ask("#{pane_width}x#{pane_height}"); got != "60x12" {
		t.Errorf("size %s, want 60x12", got)
	}
	term.SendKeys("C-d")
	term.Until("the program's end", func() bool { return term.Ask("#{pane_dead}") == "1" })
	if got, want := term.History(), "it's 你好> a b\ngot a b\npasted\npasted"; len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("history %q, want it to start with %q", got, want)
	}
}
