//go:build unix

package console

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockFile takes the advisory lock of f, which closing f gives back. It tries at least once, and gives up at the deadline.
func lockFile(f *os.File, deadline time.Time) bool {
	for ; ; time.Sleep(time.Millisecond) {
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			return true
		}
		if !time.Now().Before(deadline) {
			return false
		}
	}
}
