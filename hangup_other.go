//go:build !linux

package duet

import (
	"errors"
	"syscall"
)

// hangups is only on Linux: elsewhere a connection that fails is noticed by the next read or write.
type hangups struct{}

func newHangups() (*hangups, error) { return nil, errors.ErrUnsupported }

func (*hangups) add(syscall.RawConn, uint64) {}

func (*hangups) failed() []uint64 { return nil }

func (*hangups) close() {}
