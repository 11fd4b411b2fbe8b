package handler

import (
	"os/exec"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// A launcher starts programs on one thread. The system kills a program when the thread that started it ends (PR_SET_PDEATHSIG), and Go ends
// threads at any time. So the launcher keeps its thread while a program runs.
type launcher struct {
	mu    sync.Mutex
	users int // programs that run or are being started
	jobs  chan job
}

type job struct {
	cmd  *exec.Cmd
	done chan error
}

var programThread launcher

// startProgram starts cmd so that it is killed when this process ends in any way. If it was started, the caller calls programEnded when it was
// reaped.
func startProgram(cmd *exec.Cmd) error {
	cmd.SysProcAttr.Pdeathsig = unix.SIGKILL
	s := &programThread
	s.mu.Lock()
	if s.users++; s.users == 1 {
		s.jobs = make(chan job)
		go keepThread(s.jobs)
	}
	jobs := s.jobs
	s.mu.Unlock()
	j := job{cmd, make(chan error, 1)}
	jobs <- j
	err := <-j.done
	if err != nil {
		programEnded()
	}
	return err
}

// programEnded ends the thread with the last program.
func programEnded() {
	s := &programThread
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users == 0 {
		close(s.jobs)
	}
}

// keepThread runs on the thread, and keeps it until jobs is closed. No program that it has started runs then.
func keepThread(jobs <-chan job) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for j := range jobs {
		j.done <- j.cmd.Start()
	}
}
