//go:build !linux

package duet

import (
	"errors"
	"syscall"
)

// hangups exists only on Linux. On other systems the next read or write notices that a connection has failed.
type hangups struct{}

func newHangups() (*hangups, error) { return nil, errors.ErrUnsupported }

func (*hangups) add(syscall.RawConn, uint64) {}

func (*hangups) failed() []uint64 { return nil }

func (*hangups) close() {}
