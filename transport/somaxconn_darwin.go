package transport

import "golang.org/x/sys/unix"

// Somaxconn is the largest backlog the system grants, if that can be known.
func Somaxconn() (int, bool) {
	n, err := unix.SysctlUint32("kern.ipc.somaxconn")
	return int(n), err == nil
}
