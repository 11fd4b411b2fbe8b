//go:build linux

package hostile_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long anything that has to happen may take: long, because all
// tests share two processors; whoever waits for it fails after that.
const patience = time.Minute

// asPlainEcho makes of the test binary the server that duet is compared with.
const asPlainEcho = "DUET_HOSTILE_PLAIN_ECHO"

// sessionsWanted names how many sessions there are to be: then they are for the figures.
const sessionsWanted = "DUET_HOSTILE_N"

// duetPath is the binary that all tests run.
var duetPath string

func TestMain(m *testing.M) {
	if os.Getenv(asPlainEcho) != "" {
		fmt.Fprintln(os.Stderr, plainEcho())
		os.Exit(1)
	}
	dir, err := os.MkdirTemp("", "duet-hostile")
	if err == nil {
		duetPath = filepath.Join(dir, "duet")
		err = build(duetPath)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

func build(to string) error {
	cmd := exec.Command("go", "build", "-o", to, "duet.example/duet/cmd/duet")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// plainEcho is the echo server that anybody would write.
func plainEcho() error {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		return err
	}
	fmt.Printf("The Server is running at localhost: %d\n", l.Addr().(*net.TCPAddr).Port)
	for {
		c, err := l.Accept()
		if err != nil {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		go func() {
			defer c.Close()
			_, _ = io.Copy(c, c)
		}()
	}
}

// sessions is how many hostile sessions there are in all.
func sessions(t *testing.T) int {
	t.Helper()
	text := os.Getenv(sessionsWanted)
	if text == "" {
		return 10_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is no number of sessions", sessionsWanted, text)
	}
	return n
}
