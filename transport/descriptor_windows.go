package transport

import (
	"errors"
	"os"
)

// takeDescriptor always fails, because package net cannot use existing sockets on Windows.
func takeDescriptor(_ *narrator, fd int, want string) (*os.File, error) {
	return nil, &DescriptorError{FD: fd, Want: want, Err: errors.ErrUnsupported}
}

func onlyV6(*narrator, int) bool { return false }
