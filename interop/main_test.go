//go:build linux

package interop_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// duetPath is the binary that all tests run.
var duetPath string

func TestMain(m *testing.M) {
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
