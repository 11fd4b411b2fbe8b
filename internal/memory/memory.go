// Package memory tells how much memory this process may use: what the machine has, or what its control group allows.
package memory

import (
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// InGroup is the lowest memory limit of the control groups that the process is in, of version 1 or 2, in bytes. root holds proc
// and sys/fs/cgroup. Zero: there is none. In a container the path of the group may name what only its host has: then the limit of the
// hierarchy's root is the container's.
func InGroup(root fs.FS) int64 {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	least := int64(math.MaxInt64)
	for line := range strings.Lines(string(groups)) {
		// number:controllers:path; version 2 has the number 0 and names no controllers.
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		switch {
		case len(fields) < 3:
		case fields[0] == "0" && fields[1] == "":
			least = min(least, along(root, "sys/fs/cgroup", fields[2], "memory.max"))
			least = min(least, along(root, "sys/fs/cgroup/unified", fields[2], "memory.max"))
		case isMemory(fields[1]):
			least = min(least, along(root, "sys/fs/cgroup/memory", fields[2], "memory.limit_in_bytes"))
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}

func isMemory(controllers string) bool {
	for name := range strings.SplitSeq(controllers, ",") {
		if name == "memory" {
			return true
		}
	}
	return false
}

// along is the lowest limit in a group and those above it, up to the root of the hierarchy.
func along(root fs.FS, hierarchy, group, file string) int64 {
	least := int64(math.MaxInt64)
	for group = path.Clean("/" + group); ; group = path.Dir(group) {
		if n := limit(root, path.Join(hierarchy, group, file)); n > 0 {
			least = min(least, n)
		}
		if group == "/" {
			return least
		}
	}
}

// limit is the number that a file holds; zero if there is none, as in the word max.
func limit(root fs.FS, name string) int64 {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
