//go:build unix

package main

import "syscall"

// echo says back what has come; false at the end.
func echo(fd uintptr, b []byte) bool {
	n, err := syscall.Read(int(fd), b)
	if err == nil && n > 0 {
		_, err = syscall.Write(int(fd), b[:n])
	}
	return n != 0 && (err == nil || err == syscall.EAGAIN)
}
