//go:build unix

package handler

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// A guard is a process that kills the groups of programs that are left when this process has ended. A nil guard does nothing.
type guard struct {
	cmd *exec.Cmd

	mu sync.Mutex
	to *os.File // its stdin; nil: it takes no more notes
}

// guardScript keeps a list of groups until the end of stdin: `+ 12` adds a group, `- 12` removes it.
const guardScript = `trap '' HUP INT QUIT TERM
all=' '
while read -r change group; do
	case $change in
	+) all="$all$group " ;;
	-) all="${all%% $group *} ${all#* $group }" ;;
	esac
done
for group in $all; do kill -s KILL -- "-$group" 2>/dev/null; done`

// guardPatience is how long a note to the guard may take.
const guardPatience = time.Second

func startGuard() (*guard, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	cmd := exec.Command("/bin/sh", "-c", guardScript, "duet-guard")
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.ExtraFiles = []string{}, "/", r, closedFiles()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // signals to the group of this process are not for it
	if err := cmd.Start(); err != nil {
		_ = w.Close()
		return nil, fmt.Errorf("cannot start a guard of programs: %w", err)
	}
	return &guard{cmd: cmd, to: w}, nil
}

// note writes to the guard that a group has begun (+) or ended (-).
func (g *guard) note(change byte, group int) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.to == nil {
		return
	}
	_ = g.to.SetWriteDeadline(time.Now().Add(guardPatience))
	if _, err := fmt.Fprintf(g.to, "%c %d\n", change, group); err != nil {
		g.leave() // half a note would be another number
	}
}

// leave ends the guard's input. mu is held.
func (g *guard) leave() {
	if g.to != nil {
		_ = g.to.Close()
		g.to = nil
	}
}

func (g *guard) close() {
	if g == nil {
		return
	}
	g.mu.Lock()
	g.leave()
	g.mu.Unlock()
	late := time.AfterFunc(guardPatience, func() { _ = g.cmd.Process.Kill() })
	defer late.Stop()
	_ = g.cmd.Wait()
}

func (g *guard) pid() int {
	if g == nil {
		return 0
	}
	return g.cmd.Process.Pid
}
