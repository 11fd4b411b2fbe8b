//go:build unix

package bulk

import "golang.org/x/sys/unix"

// Poll says which of events (unix.POLLIN, unix.POLLOUT), an error or an end fd is ready for now (poll(2)). It does not wait, and takes
// nothing: neither bytes nor an error that is for the call which follows. A signal, the runtime's own for one, does not
// make it fail.
func Poll(fd uintptr, events int16) (revents int16, err error) {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: events}}
	for {
		if _, err = unix.Poll(fds[:], 0); err != unix.EINTR {
			return fds[0].Revents, err
		}
	}
}

// Ready reports whether a call that wants events of fd would not wait. An end or an error counts as ready: the call will tell.
func Ready(fd uintptr, events int16) bool {
	revents, err := Poll(fd, events)
	return revents != 0 || err != nil
}
