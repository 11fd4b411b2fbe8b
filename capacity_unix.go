//go:build unix

package duet

import (
	"math"
	"syscall"
)

// capacity is how many conversations the descriptors of this process are good for: four of five, the rest
// is for everything else. 0: no limit is known.
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
