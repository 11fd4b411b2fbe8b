// Package interop has no code, only tests in which others judge: the real duet
// talks with twenty-line Python programs, nc, ncat, socat, telnet and itself, in both roles,
// and strace and ss say what it really does. The tests run on Linux; a tool that is missing is
// a failure. `scripts/deps` installs the tools.
package interop
