package main

import (
	"math"

	"golang.org/x/sys/unix"
)

// keepDescriptors has no program inherit a descriptor that this process was started with. Package handler sees to that for each start as
// well, without touching its host's descriptors. It cannot if one of these has a number just below the limit.
func keepDescriptors() {
	_ = unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) // an old system has no such call
}
