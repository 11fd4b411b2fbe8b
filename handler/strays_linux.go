package handler

import (
	"bytes"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// strays reaps and ends processes that this one got as a subreaper: their parents have ended.
type strays struct {
	guard   int // a child that is none
	changed chan os.Signal
	again   chan struct{}
	done    sync.WaitGroup
	stop    chan struct{}
}

func watchStrays(g *guard) (*strays, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, os.NewSyscallError("prctl", err)
	}
	s := &strays{guard: g.pid(), changed: make(chan os.Signal, 1), again: make(chan struct{}, 1), stop: make(chan struct{})}
	signal.Notify(s.changed, unix.SIGCHLD)
	s.done.Go(s.watch)
	return s, nil
}

func (s *strays) watch() {
	for {
		select {
		case <-s.stop:
			return
		case <-s.changed:
		case <-s.again:
		}
		s.sweep(false)
	}
}

// look has them looked for soon.
func (s *strays) look() {
	if s == nil {
		return
	}
	select {
	case s.again <- struct{}{}:
	default:
	}
}

func (s *strays) close() {
	if s == nil {
		return
	}
	signal.Stop(s.changed)
	close(s.stop)
	s.done.Wait()
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
}

// strayPatience is how long killed processes may take to vanish.
const strayPatience = 1500 * time.Millisecond

// strayLooks is how often in a row nothing must be found before nothing is left: while processes end, the system's list of
// children may leave some out.
const strayLooks = 5

// end kills all strays, and those that become some because of that.
func (s *strays) end() {
	if s == nil {
		return
	}
	until := time.Now().Add(strayPatience)
	for empty := 0; empty < strayLooks && time.Now().Before(until); time.Sleep(2 * time.Millisecond) {
		if empty++; s.sweep(true) {
			empty = 0
		}
	}
}

// sweep reaps strays that have ended, and kills those whose program has; all of them if there is no program to wait
// for. It reports whether any process is left, programs among them, that has not ended.
func (s *strays) sweep(all bool) (left bool) {
	running.starting.Lock()
	defer running.starting.Unlock()
	programs, marks := running.groups()
	for _, pid := range children() {
		switch {
		case pid == s.guard:
		case programs[pid]:
			left = left || runs(pid)
		default:
			// Until it is reaped here, its number is its own.
			if n, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); err != nil || n == pid {
				continue
			}
			left = true
			if all || len(programs) == 0 || belongsToNone(pid, marks) {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
	}
	return left
}

// children gives the numbers of this process's children (proc_pid_task_children(5)).
func children() (pids []int) {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil
	}
	for _, task := range tasks {
		list, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/children")
		for _, word := range strings.Fields(string(list)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// runs reports whether a child has not ended; it may not be reaped.
func runs(pid int) bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && info.Signo == 0
}

// belongsToNone reports whether a process has the mark of a program, and of none that runs.
func belongsToNone(pid int, marks map[string]bool) bool {
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	for v := range bytes.SplitSeq(env, []byte{0}) {
		if bytes.HasPrefix(v, []byte(markPrefix)) {
			return !marks[string(v)]
		}
	}
	return false
}
