//go:build !race

package screen_test

const sampled = false
