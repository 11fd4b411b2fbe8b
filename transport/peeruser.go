package transport

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// ErrPeerUser is the error of [ListenConfig.Listen] if OwnerOnly is set, the address is an abstract unix socket, and the
// system does not tell which user connects.
var ErrPeerUser = errors.New("every user of this machine could connect")

// PeerUser returns the number of the user at the other end of a unix socket. It is the effective user at the time when
// the other end called connect or listen. The error is errors.ErrUnsupported if the system does not tell the user.
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

// errNoSocket is the error for a connection that has no descriptor.
var errNoSocket = errors.New("not a socket")

// user returns the function that asks the system for a peer's user.
func (lc *ListenConfig) user() func(net.Conn) (int, error) {
	if lc.peerUser != nil {
		return lc.peerUser
	}
	return PeerUser
}

// checkOwnerOnly refuses an abstract name if the system cannot restrict it to this process's user.
func (lc *ListenConfig) checkOwnerOnly(path string) error {
	if !lc.OwnerOnly || path[0] != '@' {
		return nil
	}
	if _, err := lc.user()(nil); errors.Is(err, errors.ErrUnsupported) {
		return ErrPeerUser
	}
	return nil
}

// isOwner reports whether the process at the other end of c belongs to this process's user or to root. It is true if the
// system does not tell the user. Then only the mode of the socket's file keeps others out.
func isOwner(c net.Conn, user func(net.Conn) (int, error)) bool {
	uid, err := user(c)
	if errors.Is(err, errors.ErrUnsupported) {
		return true
	}
	return err == nil && (uid == os.Geteuid() || uid == 0)
}
