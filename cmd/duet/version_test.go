package main

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"strings"
	"testing"
)

// stackWriter keeps what is written, and the stacks of all goroutines at that moment.
type stackWriter struct{ text, stacks bytes.Buffer }

func (w *stackWriter) Write(p []byte) (int, error) {
	all := make([]byte, 1<<20)
	w.stacks.Write(all[:runtime.Stack(all, true)])
	return w.text.Write(p)
}

// The usual ways to ask for the version are answered before Cobra and the goroutines that watch signals are there.
func TestVersion_Early(t *testing.T) {
	var long string
	for _, arg := range []string{"--version=true", "--version", "-v"} {
		var out stackWriter
		if code := run(context.Background(), []string{arg}, strings.NewReader(""), &out, io.Discard); code != exitOK {
			t.Errorf("%s: exit code %d", arg, code)
		}
		stacks := out.stacks.String()
		early := !strings.Contains(stacks, "spf13/cobra") && !strings.Contains(stacks, "watchSignals")
		if arg == "--version=true" {
			if long = out.text.String(); early {
				t.Fatalf("%s: these stacks do not show Cobra and signals:\n%s", arg, stacks)
			}
			continue
		}
		if !early {
			t.Errorf("%s: answered late:\n%s", arg, stacks)
		}
		if got := out.text.String(); got != long {
			t.Errorf("%s: printed %q, want %q", arg, got, long)
		}
	}
}
