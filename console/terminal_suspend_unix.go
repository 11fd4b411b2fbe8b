//go:build unix

package console

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

const canSuspend = true

// stop stops the process group, as the terminal would at Ctrl-Z, and returns when it goes on. The system ignores the
// request where nobody could make it go on (a process group that is orphaned: the first program of a terminal, of a
// container); tea.Suspend would wait for ever there.
func stop() error {
	cont := make(chan os.Signal, 1)
	signal.Notify(cont, syscall.SIGCONT)
	defer signal.Stop(cont)
	if err := syscall.Kill(0, syscall.SIGTSTP); err != nil {
		return err
	}
	t := time.NewTimer(200 * time.Millisecond)
	defer t.Stop()
	select {
	case <-cont:
	case <-t.C: // not stopped, or stopped for longer than that
	}
	return nil
}
