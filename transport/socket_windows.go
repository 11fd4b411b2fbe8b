package transport

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

const (
	netReuses   = false
	maxUnixPath = 107

	// soExclusiveAddrUse is ~SO_REUSEADDR (winsock2.h).
	soExclusiveAddrUse = ^windows.SO_REUSEADDR
)

// setListenOptions reserves the port. Without it, any process could bind the same port with SO_REUSEADDR.
func setListenOptions(n *narrator, fd int) error {
	err := windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, soExclusiveAddrUse, 1)
	return os.NewSyscallError("setsockopt", n.call("setsockopt", optionText(fd, "SO_EXCLUSIVEADDRUSE", 1), "ok", err))
}

// listenAgain always fails, because Winsock ignores a second call of listen.
func listenAgain(int, int) error { return errors.ErrUnsupported }
