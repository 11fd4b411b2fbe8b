//go:build !linux

package handler

import "os"

// awaitExit would wait for the end of a child without reaping it; there is no such call here.
func awaitExit(int) bool { return false }

func onlyZombies(int) bool { return false }

// closedFiles is empty: a program gets the descriptors of this process that are not close-on-exec. Those that Go opens are.
func closedFiles() []*os.File { return nil }
