package memory

import "golang.org/x/sys/unix"

// Available is how many bytes this process may use. Zero: it is not known.
func Available() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0
	}
	return int64(n)
}
