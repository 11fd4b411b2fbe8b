package bulk

import (
	"os"

	"golang.org/x/sys/unix"
)

// waitEither blocks until fd is ready for events, or the waker's descriptor is
// readable, which comes first and is errInterrupted. It is select(2), because
// poll(2) there does not know terminals; descriptors too large for select are
// polled all the same.
func waitEither(fd int, events int16, wake int) error {
	if fd >= unix.FD_SETSIZE || wake >= unix.FD_SETSIZE {
		return pollEither(fd, events, wake)
	}
	for {
		var r, w unix.FdSet
		r.Set(wake)
		if events == unix.POLLOUT {
			w.Set(fd)
		} else {
			r.Set(fd)
		}
		_, err := unix.Select(max(fd, wake)+1, &r, &w, nil, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("select", err)
		}
		if r.IsSet(wake) {
			return errInterrupted
		}
		return nil
	}
}

func pollEither(fd int, events int16, wake int) error {
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
