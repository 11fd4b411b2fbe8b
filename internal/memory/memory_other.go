//go:build !linux && !darwin && !windows

package memory

// Available is how many bytes this process may use. Zero: it is not known.
func Available() int64 { return 0 }
