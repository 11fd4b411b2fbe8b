package main

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// isClosed reports whether w is stdout, and this process was started with that closed. Go opens /dev/null in its place
// before anything of ours runs, so that only what that leaves can be seen: /dev/null for reading and writing, which is not
// shared with another standard stream. Somebody may open it so on purpose; a shell's >/dev/null does not.
func isClosed(w io.Writer) bool {
	const fd = 1
	if w != io.Writer(os.Stdout) || !isNullBothWays(fd) {
		return false
	}
	for other := range 3 {
		if other != fd && isNullBothWays(other) && shares(fd, other) {
			return false
		}
	}
	return true
}

// isNullBothWays reports whether fd is /dev/null, opened for reading and writing.
func isNullBothWays(fd int) bool {
	var st, null unix.Stat_t
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_ACCMODE != unix.O_RDWR {
		return false
	}
	return unix.Fstat(fd, &st) == nil && unix.Stat(os.DevNull, &null) == nil && st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == null.Rdev
}

// shares reports whether two descriptors are one opened file, as after 2>&1. Where the system does not tell, it is assumed.
func shares(a, b int) bool {
	const kcmpFile = 0
	pid := uintptr(os.Getpid())
	order, _, err := unix.Syscall6(unix.SYS_KCMP, pid, pid, kcmpFile, uintptr(a), uintptr(b), 0)
	return err != 0 || order == 0
}
