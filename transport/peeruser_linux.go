package transport

import "golang.org/x/sys/unix"

// errNoPeerUser is nil because this system tells the user.
var errNoPeerUser error

func peerUser(fd int) (uid int, err error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return -1, err
	}
	return int(cred.Uid), nil
}
