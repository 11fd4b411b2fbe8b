package transport

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// setSocketMode gives the socket the mode that bind(2) will give its file (unix(7)), so that there is no
// moment at which others may connect.
func setSocketMode(n *narrator, fd int) error {
	err := unix.Fchmod(fd, 0o600)
	return os.NewSyscallError("fchmod", n.call("fchmod", fdText(fd)+", 0600", "ok", err))
}

func listenPrivately(listen func() (net.Listener, error)) (net.Listener, error) { return listen() }
