package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"duet.example/duet/console"
	"duet.example/duet/framing"
)

// outputOf runs duet and returns what it prints.
func outputOf(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(t.Context(), args, strings.NewReader(""), &out, &errs); code != exitOK {
		t.Fatalf("duet %q ended with %d: %s", args, code, &errs)
	}
	return out.String()
}

func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		script := outputOf(t, "completion", shell)
		if !strings.Contains(script, "__complete") {
			t.Errorf("%s: no script of completion:\n%s", shell, script)
		}
		if shell == "powershell" {
			continue // there is no such shell in the gate
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Errorf("%v: make deps installs it", err)
			continue
		}
		check := exec.CommandContext(t.Context(), path, "-n")
		if shell == "zsh" {
			check = exec.CommandContext(t.Context(), path, "-f", "-n")
		}
		check.Stdin = strings.NewReader(script)
		if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s does not take the script: %v\n%s", shell, err, out)
		}
	}
}

// completed are the candidates for the last of args, and the directive after them.
func completed(t *testing.T, args ...string) (candidates []string, directive string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(outputOf(t, append([]string{"__complete"}, args...)...)), "\n")
	for i, l := range lines {
		lines[i], _, _ = strings.Cut(l, "\t")
	}
	return lines[:len(lines)-1], lines[len(lines)-1]
}

func TestCompletion(t *testing.T) {
	const (
		noFiles      = ":4"
		noFilesOrder = ":36"
		files        = ":0"
	)
	path := "unix:" + filepath.Join(t.TempDir(), "s")
	for _, c := range []struct {
		args      []string
		want      []string
		directive string
	}{
		{[]string{"listen", "--framing", ""}, framing.Names(), noFilesOrder},
		{[]string{"connect", "--timestamps="}, console.StampNames, noFilesOrder},
		{[]string{"listen", "--color", ""}, []string{"auto", "always", "never"}, noFilesOrder},
		{[]string{"listen", "--eol", ""}, []string{"lf", "crlf", "cr", "nul", "none"}, noFilesOrder},
		{[]string{"connect", "--encoding", ""}, flagValues()["encoding"], noFilesOrder},
		{[]string{"connect", "--half-open", ""}, []string{"forever"}, noFilesOrder},
		{[]string{"listen", "--greeting", ""}, nil, noFiles},
		{[]string{"connect", "--rec"}, []string{"--reconnect"}, noFiles},
		{[]string{"listen", "--control", ""}, nil, files},
		{[]string{"listen", "--deny-file", ""}, nil, files},
		{[]string{"listen", "--allow", ""}, nil, noFiles},
		{[]string{"desk", ""}, nil, files},
		{[]string{"desk", "--timestamps", ""}, console.StampNames, noFilesOrder},
		{[]string{"say", ""}, nil, files},
		{[]string{"say", path, ""}, nil, noFiles},
		{[]string{"help", "de"}, []string{"desk"}, noFiles},
		{[]string{"con"}, []string{"connect"}, noFiles},
		{[]string{"connect", ""}, nil, noFiles},
		{[]string{"connect", path}, nil, files},
	} {
		got, directive := completed(t, c.args...)
		if !slices.Equal(got, c.want) || directive != c.directive {
			t.Errorf("%q completes to %q %s, want %q %s", c.args, got, directive, c.want, c.directive)
		}
	}
}

// What completion offers is what the flags take.
func TestFlagValues(t *testing.T) {
	for flag, values := range flagValues() {
		for _, v := range values {
			if err := checkArgs([]string{"listen", "--" + flag + "=" + v}); err != nil {
				t.Errorf("--%s=%s: %v", flag, v, err)
			}
		}
	}
}
