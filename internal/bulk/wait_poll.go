//go:build unix && !darwin

package bulk

import (
	"os"

	"golang.org/x/sys/unix"
)

// waitEither blocks until fd is ready for events, or the waker's descriptor is
// readable, which comes first and is errInterrupted.
func waitEither(fd int, events int16, wake int) error {
	fds := [2]unix.PollFd{{Fd: int32(fd), Events: events}, {Fd: int32(wake), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds[:], -1)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("poll", err)
		}
		if fds[1].Revents != 0 {
			return errInterrupted
		}
		return nil
	}
}
