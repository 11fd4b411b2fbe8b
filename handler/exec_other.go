//go:build !linux

package handler

// awaitExit would wait for the end of a child without reaping it; there is no such call here.
func awaitExit(int) bool { return false }

func onlyZombies(int) bool { return false }

// keepDescriptors does nothing: what was inherited without FD_CLOEXEC is passed on here. Go's own are not.
func keepDescriptors() {}
