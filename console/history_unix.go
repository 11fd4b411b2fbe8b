//go:build unix

package console

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockFile takes the advisory lock of f, which closing f gives back. It gives up after 100 ms, since a person is
// typing meanwhile.
func lockFile(f *os.File) bool {
	for deadline := time.Now().Add(100 * time.Millisecond); ; time.Sleep(2 * time.Millisecond) {
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}
