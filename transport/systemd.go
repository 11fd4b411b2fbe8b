package transport

import (
	"errors"
	"net"
	"os"
	"strconv"
)

// firstActivated is SD_LISTEN_FDS_START (sd_listen_fds(3)).
const firstActivated = 3

// Systemd takes the one socket that systemd passed to this process (LISTEN_PID, LISTEN_FDS and
// LISTEN_FDNAMES; sd_listen_fds(3)), and closes the descriptor it came as. None and several are an *ActivationError, another kind of socket is a
// *DescriptorError. The variables are unset, so that no child takes them for its own and a second call
// finds nothing: call it once, from one goroutine.
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
	closeTaken(firstActivated)
	return l, nil
}
