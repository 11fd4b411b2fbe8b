package transport

import (
	"os"
	"strconv"
	"strings"
)

// Somaxconn is the largest backlog the system grants, if that can be known.
func Somaxconn() (int, bool) {
	b, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	return n, err == nil
}
