//go:build !linux && !darwin

package transport

// Somaxconn returns the largest backlog that the system grants. The bool is false if it is unknown.
func Somaxconn() (int, bool) { return 0, false }
