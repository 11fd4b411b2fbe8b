//go:build linux

package interop_test

import (
	"errors"
	"io"
	"os"
	"syscall"
	"unsafe"
)

// Reading and writing without a look at each byte by the race detector, for which gigabytes are too many.

// readInto is read(2).
func readInto(fd uintptr, b []byte) (int, error) {
	n, _, errno := syscall.Syscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// readFrom reads once, and waits until there is something: io.EOF at the end.
func readFrom(rc syscall.RawConn, b []byte) (n int, err error) {
	waited := rc.Read(func(fd uintptr) bool {
		for {
			if n, err = readInto(fd, b); !errors.Is(err, syscall.EINTR) {
				return !errors.Is(err, syscall.EAGAIN)
			}
		}
	})
	switch {
	case waited != nil:
		return 0, waited
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// writeFrom writes all of b, and waits as often as it must.
func writeFrom(rc syscall.RawConn, b []byte) (n int, err error) {
	waited := rc.Write(func(fd uintptr) bool {
		for n < len(b) {
			k, _, errno := syscall.Syscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&b[n])), uintptr(len(b)-n))
			switch errno {
			case 0:
				n += int(k)
			case syscall.EINTR:
			case syscall.EAGAIN:
				return false
			default:
				err = os.NewSyscallError("write", errno)
				return true
			}
		}
		return true
	})
	if waited != nil {
		err = waited
	}
	return n, err
}
