package transport

import (
	"os"
	"strconv"
	"strings"
)

// Somaxconn returns the largest backlog that the system grants. The bool is false if it is unknown.
func Somaxconn() (int, bool) {
	b, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	return n, err == nil
}
