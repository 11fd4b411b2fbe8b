//go:build unix

package duet

import (
	"math"
	"syscall"
)

// capacity returns the number of conversations that the process has descriptors for: four fifths of its limit. The rest is for
// everything else. Zero: no limit is known.
func capacity() int {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	if n := float64(r.Cur) * 0.8; n < math.MaxInt32 {
		return max(int(n), 1)
	}
	return 0
}
