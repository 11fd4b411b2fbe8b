package transport

import "golang.org/x/sys/unix"

// Somaxconn returns the largest backlog that the system grants. The bool is false if it is unknown.
func Somaxconn() (int, bool) {
	n, err := unix.SysctlUint32("kern.ipc.somaxconn")
	return int(n), err == nil
}
