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
	CPU    string `json:"cpu,omitempty"`
	CPUs   int    `json:"cpus"`
	GiB    int    `json:"memory_gib,omitempty"`
	Go     string `json:"go"`
}

func (m machine) String() string {
	memory, model := "", ""
	if m.GiB > 0 {
		memory = fmt.Sprintf(" and %d GiB", m.GiB)
	}
	if m.CPU != "" {
		model = " of " + m.CPU
	}
	return fmt.Sprintf("%d cores%s%s, %s, %s", m.CPUs, model, memory, m.System, m.Go)
}

func theMachine() machine {
	m := machine{System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version()}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		release, _, _ := strings.Cut(strings.TrimSpace(string(b)), "-")
		m.System += " " + release
	}
	b, _ := os.ReadFile("/proc/meminfo")
	if kb := field(string(b), "MemTotal:"); kb > 0 {
		m.GiB = int((kb + 1<<19) >> 20)
	}
	b, _ = os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(model)
			break
		}
	}
	return m
}

// load is how many processes have wanted to run in the last 1, 5 and 15 minutes, in the average; "" where the system does not tell.
func load() string {
	b, _ := os.ReadFile("/proc/loadavg")
	if words := strings.Fields(string(b)); len(words) >= 3 {
		return strings.Join(words[:3], " ")
	}
	return ""
}

// kernelMemory is what the kernel keeps in records of its own, sockets among them, in bytes; 0 where it does not tell.
func kernelMemory() int64 {
	b, _ := os.ReadFile("/proc/meminfo")
	return field(string(b), "Slab:") << 10
}

// descriptors is how many a process may have at once; a thousand where the system does not tell.
func descriptors() int {
	b, _ := os.ReadFile("/proc/self/limits")
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			if words := strings.Fields(rest); len(words) > 1 {
				if words[1] == "unlimited" {
					return 1 << 20
				}
				if n, err := strconv.Atoi(words[1]); err == nil {
					return n
				}
			}
		}
	}
	return 1000
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
