package memory

import (
	"os"

	"golang.org/x/sys/unix"
)

// Available is how many bytes this process may use. Zero: it is not known.
func Available() int64 {
	var machine int64
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		machine = int64(info.Totalram) * int64(info.Unit)
	}
	group := InGroup(os.DirFS("/"))
	if group > 0 && (machine <= 0 || group < machine) {
		return group
	}
	return machine
}
