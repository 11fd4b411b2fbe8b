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

// orphans reaps and ends the processes that this one has inherited as a subreaper, because their parents have ended.
type orphans struct {
	guard   int // the child that is the guard, which is no orphan; 0: none
	changed chan os.Signal
	again   chan struct{}
	done    sync.WaitGroup
	stop    chan struct{}
}

func watchOrphans(g *guard) (*orphans, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, os.NewSyscallError("prctl", err)
	}
	s := &orphans{guard: g.pid(), changed: make(chan os.Signal, 1), again: make(chan struct{}, 1), stop: make(chan struct{})}
	signal.Notify(s.changed, unix.SIGCHLD)
	s.done.Go(s.watch)
	return s, nil
}

func (s *orphans) watch() {
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

// look has the orphans looked for soon.
func (s *orphans) look() {
	if s == nil {
		return
	}
	select {
	case s.again <- struct{}{}:
	default:
	}
}

func (s *orphans) close() {
	if s == nil {
		return
	}
	signal.Stop(s.changed)
	close(s.stop)
	s.done.Wait()
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
}

// orphanPatience is how long killed processes may take to vanish.
const orphanPatience = 1500 * time.Millisecond

// orphanLooks is how many looks in succession must find nothing. While processes end, the system's list of children may leave some out.
const orphanLooks = 5

// end kills all orphans, and the processes that become orphans because of that.
func (s *orphans) end() {
	if s == nil {
		return
	}
	until := time.Now().Add(orphanPatience)
	for empty := 0; empty < orphanLooks && time.Now().Before(until); time.Sleep(2 * time.Millisecond) {
		if empty++; s.sweep(true) {
			empty = 0
		}
	}
}

// sweep reaps orphans that have ended, and kills those whose program has ended. If all is true, or no program runs, it kills all. It reports
// whether a process is left that has not ended; programs count.
func (s *orphans) sweep(all bool) (left bool) {
	running.starting.Lock()
	defer running.starting.Unlock()
	programs, marks := running.groups()
	for _, pid := range children() {
		switch {
		case pid == s.guard:
		case programs[pid]:
			left = left || runs(pid)
		default:
			// Its number is not used again before it is reaped here.
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

// children returns the numbers of this process's children (proc_pid_task_children(5)).
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

// runs reports whether a child that was not reaped has not ended.
func runs(pid int) bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && info.Signo == 0
}

// belongsToNone reports whether a process has the mark of a program that does not run any more.
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
