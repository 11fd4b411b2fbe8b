package main

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

// leakCode is the exit code of a duet under test that has left goroutines behind. duet itself has no such code.
const leakCode = 99

func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"duet": duetUnderTest})
}

// duetUnderTest is main, except that it also looks for goroutines that run has left behind.
func duetUnderTest() {
	code := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	if err := goleak.Find(leakOptions()...); err != nil {
		fmt.Fprintln(os.Stderr, "duet: left behind:", err)
		code = leakCode
	}
	os.Exit(code)
}

func leakOptions() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreTopFunction("os/signal.loop"), // one for the life of the process
		goleak.IgnoreTopFunction("os/signal.signal_recv"),
		// A key that arrives as the console ends: bubbletea reads it for a loop that has ended, and waits. The process ends with it.
		goleak.IgnoreTopFunction("github.com/charmbracelet/ultraviolet.(*TerminalReader).sendEvents"),
	}
}

// leakChecked runs the tests and then looks for goroutines that they have left behind.
type leakChecked struct{ m *testing.M }

func (l leakChecked) Run() int {
	code := l.m.Run()
	if code != 0 {
		return code
	}
	if err := goleak.Find(leakOptions()...); err != nil {
		fmt.Fprintln(os.Stderr, "goroutines left behind:", err)
		return 1
	}
	return 0
}

// patience limits every wait of a script.
const patience = 20 * time.Second
