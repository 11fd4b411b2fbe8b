//go:build race

package duet_test

// raceEnabled: the detector makes stacks and objects larger.
const raceEnabled = true
