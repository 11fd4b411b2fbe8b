// Package hostile has only tests, and what they need: peers that mean harm, as data in one
// table (Kinds), and a storm of them (Storm). While it goes on, a canary keeps talking to the real
// duet; afterwards descriptors, goroutines and memory must be where they were. The tests run on Linux.
// DUET_HOSTILE_N is how many sessions there are; `make hostile N=1000000` is the long form.
package hostile
