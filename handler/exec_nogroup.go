//go:build !unix

package handler

import (
	"io"
	"os"
	"syscall"
	"time"

	"duet.example/duet/internal/bulk"
)

// ownGroup returns nil: only the program itself can be ended here.
func ownGroup() *syscall.SysProcAttr { return nil }

// signalGroup kills the program, because it cannot be asked to end.
func signalGroup(leader *os.Process, _ bool) { _ = leader.Kill() }

func groupEmpty(*os.Process) bool { return true }

func exitError(s *os.ProcessState) error { return &ExitError{Status: s.ExitCode()} }

// cancelable returns f in a form whose reading ends with release. Pipes have no deadlines here.
func cancelable(f *os.File) (r io.Reader, release func()) {
	s, err := bulk.NewStdin(f)
	if err != nil {
		return f, func() { _ = f.Close() }
	}
	return s, func() { _ = s.Close() }
}

// isEmpty assumes that a pipe is empty if nothing was read from it for a while. The system cannot be asked here.
func isEmpty(_ *os.File, quiet time.Duration) bool { return quiet >= lastWords }
