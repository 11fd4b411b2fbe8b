package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// A machine says on what was measured, in general terms.
type machine struct {
	System string `json:"system"`
	CPUs   int    `json:"cpus"`
	GiB    int    `json:"memory_gib,omitempty"`
	Go     string `json:"go"`
}

func (m machine) String() string {
	memory := ""
	if m.GiB > 0 {
		memory = fmt.Sprintf(" and %d GiB", m.GiB)
	}
	return fmt.Sprintf("%d cores%s, %s, %s", m.CPUs, memory, m.System, m.Go)
}

func (lab *Lab) machine() machine {
	m := machine{System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version()}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		release, _, _ := strings.Cut(strings.TrimSpace(string(b)), "-")
		m.System += " " + release
	}
	b, _ := os.ReadFile("/proc/meminfo")
	if kb := field(string(b), "MemTotal:"); kb > 0 {
		m.GiB = int((kb + 1<<19) >> 20)
	}
	return m
}

// field is the number behind name in the text of a file below /proc; 0 where there is none.
func field(text, name string) int64 {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if words := strings.Fields(rest); len(words) > 0 {
				n, _ := strconv.ParseInt(words[0], 10, 64)
				return n
			}
		}
	}
	return 0
}
