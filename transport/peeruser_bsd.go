//go:build darwin || freebsd

package transport

import "golang.org/x/sys/unix"

// errNoPeerUser is nil because this system tells the user.
var errNoPeerUser error

func peerUser(fd int) (uid int, err error) {
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return -1, err
	}
	return int(cred.Uid), nil
}
