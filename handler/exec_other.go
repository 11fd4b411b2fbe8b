//go:build !linux

package handler

import "os"

// awaitExit returns false: the end of a child cannot be awaited here without reaping it.
func awaitExit(int) bool { return false }

func onlyZombies(int) bool { return false }

// closedFiles is empty: a program gets the descriptors of this process that are not close-on-exec. Those that Go opens are.
func closedFiles() []*os.File { return nil }
