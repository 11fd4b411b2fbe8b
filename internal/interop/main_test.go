//go:build linux

package interop_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// duetPath is the binary that all tests run.
var duetPath string

// atOnce is how many tests run at a time: most of them wait most of the time, so that there may be more of them than processors.
const atOnce = "8"

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set(atOnce) // whoever asks for another number gets that
	}
	dir, err := os.MkdirTemp("", "duet-interop")
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
