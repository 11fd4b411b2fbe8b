package transport

import (
	"errors"
	"net"
	"os"
	"strconv"
)

// firstActivated is the first descriptor that systemd passes: SD_LISTEN_FDS_START of sd_listen_fds(3).
const firstActivated = 3

// Systemd returns a listener for the one socket that systemd passed to this process. It reads the environment variables
// LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES; see sd_listen_fds(3). It closes the descriptor that systemd passed.
//
// If systemd passed no socket or several, the error is an *ActivationError. If the descriptor is no listening stream
// socket, the error is a *DescriptorError.
//
// Systemd unsets the variables, so that no child process uses them. A second call therefore finds no socket. Call it
// once, from one goroutine.
func (lc *ListenConfig) Systemd() (net.Listener, error) {
	pid, fds, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	err := errors.Join(os.Unsetenv("LISTEN_PID"), os.Unsetenv("LISTEN_FDS"), os.Unsetenv("LISTEN_FDNAMES"))
	if err != nil {
		return nil, err
	}
	if pid == "" || fds == "" {
		return nil, &ActivationError{"no socket was passed (LISTEN_PID and LISTEN_FDS are not set)"}
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return nil, &ActivationError{"the sockets were passed to process " + strconv.Quote(pid) + ", not to this one"}
	}
	count, err := strconv.Atoi(fds)
	switch {
	case err != nil || count < 0:
		return nil, &ActivationError{"LISTEN_FDS is no number: " + strconv.Quote(fds)}
	case count == 0:
		return nil, &ActivationError{"no socket was passed (LISTEN_FDS is 0)"}
	case count > 1:
		reason := fds + " sockets were passed, and one is wanted"
		if names != "" {
			reason += ": " + strconv.Quote(names)
		}
		return nil, &ActivationError{reason}
	}
	l, err := lc.File(firstActivated)
	if err != nil {
		return nil, err
	}
	closeFD(firstActivated)
	return l, nil
}
