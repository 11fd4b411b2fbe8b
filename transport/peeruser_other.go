//go:build !linux && !darwin && !freebsd

package transport

import "errors"

// errNoPeerUser is set because this system does not tell the user.
var errNoPeerUser = errors.ErrUnsupported

func peerUser(int) (uid int, err error) { return -1, errors.ErrUnsupported }
