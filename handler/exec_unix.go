//go:build unix

package handler

import (
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"duet.example/duet/internal/bulk"
)

// ownGroup makes the program the leader of a process group, so that it can be ended with all that it starts. It also leads a session, so that it
// has no terminal: text that it writes to /dev/tty would reach an operator as it is.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func signalGroup(leader *os.Process, kill bool) {
	sig := unix.SIGTERM
	if kill {
		sig = unix.SIGKILL
	}
	_ = unix.Kill(-leader.Pid, sig)
}

// groupEmpty reports whether no process of the group runs any more.
func groupEmpty(leader *os.Process) bool {
	return unix.Kill(-leader.Pid, 0) == unix.ESRCH || onlyZombies(leader.Pid)
}

func exitError(s *os.ProcessState) error {
	ws, ok := s.Sys().(syscall.WaitStatus)
	if !ok || !ws.Signaled() {
		return &ExitError{Status: s.ExitCode()}
	}
	name := unix.SignalName(ws.Signal())
	if name == "" {
		name = ws.Signal().String()
	}
	return &ExitError{Status: -1, Signal: name}
}

// cancelable returns f in a form whose reading ends with its deadline, or with release.
func cancelable(f *os.File) (r io.Reader, release func()) { return f, func() {} }

// isEmpty reports whether a pipe is empty. The system knows, so the time since the last read does not matter.
func isEmpty(r *os.File, _ time.Duration) bool {
	empty := false
	if rc, err := r.SyscallConn(); err == nil {
		_ = rc.Control(func(fd uintptr) {
			empty = !bulk.Ready(fd, unix.POLLIN)
		})
	}
	return empty
}
