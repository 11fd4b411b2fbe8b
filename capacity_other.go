//go:build !unix

package duet

// capacity is 0: no limit is known here.
func capacity() int { return 0 }
