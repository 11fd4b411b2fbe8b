//go:build unix

package main

import (
	"os"
	"syscall"
)

// raise sends sig to this process, which ends by it.
func raise(sig os.Signal) {
	if s, ok := sig.(syscall.Signal); ok && syscall.Kill(os.Getpid(), s) == nil {
		select {}
	}
}
