//go:build !unix

package handler

import (
	"io"
	"os"
	"syscall"
	"time"

	"duet.example/duet/internal/bulk"
)

// ownGroup is nothing: there are no process groups here that could be ended, only the program itself.
func ownGroup() *syscall.SysProcAttr { return nil }

// signalGroup kills the program, for there is no way to ask it.
func signalGroup(leader *os.Process, _ bool) { _ = leader.Kill() }

func groupEmpty(*os.Process) bool { return true }

func exitError(s *os.ProcessState) error { return &ExitError{Status: s.ExitCode()} }

// cancelable gives f in a form whose reading ends with release: pipes have no deadlines here.
func cancelable(f *os.File) (r io.Reader, release func()) {
	s, err := bulk.NewStdin(f)
	if err != nil {
		return f, func() { _ = f.Close() }
	}
	return s, func() { _ = s.Close() }
}

// isEmpty takes it that nothing is in a pipe of which nothing was taken for a while: it cannot be asked here.
func isEmpty(_ *os.File, quiet time.Duration) bool { return quiet >= lastWords }
