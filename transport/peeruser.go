package transport

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// ErrPeerUser says that an abstract unix socket cannot be kept to its owner: the system does not tell which user connects.
var ErrPeerUser = errors.New("every user of this machine could connect")

// PeerUser is the number of the user at the other end of a unix socket, as the system tells it: the effective user at the
// time of its connect or listen. The error is errors.ErrUnsupported if the system does not tell.
func PeerUser(c net.Conn) (uid int, err error) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return -1, errors.Join(errNoSocket, errNoPeerUser)
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return -1, err
	}
	err = controlFD(rc, func(fd int) error {
		uid, err = peerUser(fd)
		return err
	})
	if err != nil {
		return -1, os.NewSyscallError("getsockopt", err)
	}
	return uid, nil
}

// errNoSocket: there is no descriptor behind a connection.
var errNoSocket = errors.New("not a socket")

// user returns the function that asks the system for a peer's user.
func (lc *ListenConfig) user() func(net.Conn) (int, error) {
	if lc.peerUser != nil {
		return lc.peerUser
	}
	return PeerUser
}

// checkOwnerOnly refuses an abstract name that nothing would keep to its owner.
func (lc *ListenConfig) checkOwnerOnly(path string) error {
	if !lc.OwnerOnly || path[0] != '@' {
		return nil
	}
	if _, err := lc.user()(nil); errors.Is(err, errors.ErrUnsupported) {
		return ErrPeerUser
	}
	return nil
}

// isOwner reports whether the process at the other end of c belongs to this process's user or to root. A system that does
// not tell leaves it to the mode of the socket's file.
func isOwner(c net.Conn, user func(net.Conn) (int, error)) bool {
	uid, err := user(c)
	if errors.Is(err, errors.ErrUnsupported) {
		return true
	}
	return err == nil && (uid == os.Geteuid() || uid == 0)
}
