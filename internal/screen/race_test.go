//go:build race

package screen_test

// The race detector makes the walk over every code point ten times slower and finds nothing in it: the
// code has no goroutines. It then takes a sample beyond the first plane.
const sampled = true
