//go:build !linux && !darwin

package transport

// Somaxconn is the largest backlog the system grants, if that can be known.
func Somaxconn() (int, bool) { return 0, false }
