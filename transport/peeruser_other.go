//go:build !linux && !darwin && !freebsd

package transport

import "errors"

// errNoPeerUser: this system does not tell.
var errNoPeerUser = errors.ErrUnsupported

func peerUser(int) (uid int, err error) { return -1, errors.ErrUnsupported }
