package transport

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// setSocketMode sets the socket's mode, which bind(2) then gives to its file (unix(7)). So there is no moment at which
// other users can connect.
func setSocketMode(n *narrator, fd int) error {
	err := unix.Fchmod(fd, 0o600)
	return os.NewSyscallError("fchmod", n.call("fchmod", fdText(fd)+", 0600", "ok", err))
}

func listenPrivately(listen func() (net.Listener, error)) (net.Listener, error) { return listen() }
