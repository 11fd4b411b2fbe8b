//go:build unix

package transport_test

import (
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func dupFile(t *testing.T, rc syscall.RawConn) *os.File {
	t.Helper()
	n, err := -1, error(nil)
	if cerr := rc.Control(func(fd uintptr) { n, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); cerr != nil {
		t.Fatal(cerr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(n), "socket")
}
