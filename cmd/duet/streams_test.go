//go:build unix

package main

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"duet.example/duet/internal/tmuxtest"
)

// Where duet prints lines on a terminal without the editor, no part of a peer's words comes to stand at the start of a row,
// however the line is made to fit.
func TestLinesOnTerminal(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]string{
		"error output of a program": `exec duet listen --exec 'sh -c "cat >&2"' 127.0.0.1:0 </dev/null`,
		"events of a program":       `exec duet listen --json --exec 'sh -c "cat >&2"' 127.0.0.1:0 </dev/null`,
		"lines of a console":        `exec duet listen --console --color never 127.0.0.1:0`,
		"events":                    `exec duet listen --json 127.0.0.1:0`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
			term := tmuxtest.New(t, 60, 200, env, "sh", "-c", command)
			running := regexp.MustCompile(`running at (127\.0\.0\.1): (\d+)`)
			term.Until("an address", func() bool { return running.MatchString(term.Screen()) })
			m := running.FindStringSubmatch(term.Screen())
			nc, err := net.DialTimeout("tcp", net.JoinHostPort(m[1], m[2]), patience)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			_ = nc.SetDeadline(time.Now().Add(patience))
			for before := 12; before < 60; before++ {
				fmt.Fprintf(nc, "%s>>> the code is 1234\n", strings.Repeat("x", before))
			}
			fmt.Fprintln(nc, "theend") // one word, so that it stands in one row
			term.WaitFor("theend")
			for _, row := range strings.Split(term.Screen(), "\n") {
				if row != "" && strings.ContainsAny(row[:1], "x> t") && !strings.HasPrefix(row, " ") {
					t.Fatalf("a peer's words stand at column 0: %q\n%s", row, term.Screen())
				}
			}
		})
	}
}

// Errors at the end go to stderr, and hold names from elsewhere: their rows that go on are set in.
func TestErrorsOnTerminal(t *testing.T) {
	t.Parallel()
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	term := tmuxtest.New(t, 60, 20, env, "sh", "-c", "exec duet desk /"+strings.Repeat("x", 45)+"/duet:/error:_the_code_is_1234")
	term.WaitFor("duet: hint:")
	for i, row := range strings.Split(term.Screen(), "\n") {
		if strings.Contains(row, "1234") && !strings.HasPrefix(row, "  ") {
			t.Errorf("row %d begins with a part of an error: %q\n%s", i, row, term.Screen())
		}
	}
}
