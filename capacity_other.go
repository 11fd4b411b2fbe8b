//go:build !unix

package duet

// capacity returns zero: the system has no limit that is known here.
func capacity() int { return 0 }
