package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A Lab has what rows need: duet and the references, built for this run, and which tools there are.
type Lab struct {
	ctx    context.Context
	dir    string
	log    io.Writer
	began  time.Time
	built  map[string]string
	called map[string]string // tools that took part, and their versions
	absent map[string]bool   // what was looked for in vain

	big     string // a file for bulk-file
	bigSize int64
}

func newLab(ctx context.Context, log io.Writer) (*Lab, error) {
	if _, err := os.Stat(filepath.Join("..", "cmd", "duet")); err != nil {
		return nil, errors.New("run it in its own folder, bench, of duet's repository")
	}
	dir, err := os.MkdirTemp("", "duet-bench-")
	if err != nil {
		return nil, err
	}
	return &Lab{ctx: ctx, dir: dir, log: log, began: time.Now(), built: map[string]string{}, called: map[string]string{}, absent: map[string]bool{}}, nil
}

func (lab *Lab) close() { _ = os.RemoveAll(lab.dir) }

// since is how long the run has lasted, in seconds.
func (lab *Lab) since() float64 { return time.Since(lab.began).Seconds() }

func (lab *Lab) progress(format string, args ...any) { fmt.Fprintf(lab.log, format+"\n", args...) }

// duet is the path of duet, built as it is released.
func (lab *Lab) duet() (string, error) {
	path, err := lab.build("duet", "..", "go", "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", "{}", "./cmd/duet")
	if err == nil {
		lab.note("duet", path, "--version")
	}
	return path, err
}

// goReference is the path of a reference in Go, reference/NAME.
func (lab *Lab) goReference(name string) (string, error) {
	return lab.build(name+"-go", ".", "go", "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", "{}", "./reference/"+name)
}

// cReference is the path of a reference in C, reference/NAME.c; "" where there is no compiler.
func (lab *Lab) cReference(name string) string {
	if runtime.GOOS != "linux" || lab.tool("cc", "--version") == "" {
		return ""
	}
	path, err := lab.build(name+"-c", ".", "cc", "-O2", "-o", "{}", filepath.Join("reference", name+".c"))
	if err != nil {
		lab.progress("left out: %v", err)
		return ""
	}
	return path
}

// build runs a command that makes the file {}, once.
func (lab *Lab) build(name, dir string, args ...string) (string, error) {
	if path, ok := lab.built[name]; ok {
		return path, nil
	}
	path := filepath.Join(lab.dir, name)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	for i, a := range args {
		if a == "{}" {
			args[i] = path
		}
	}
	c := exec.CommandContext(lab.ctx, args[0], args[1:]...)
	c.Dir = dir
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, out)
	}
	lab.built[name] = path
	return path, nil
}

// tool is the path of an installed tool, "" where it is not; version are the arguments that make it say its version.
func (lab *Lab) tool(name string, version ...string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		if !lab.absent[name] {
			lab.absent[name] = true
			lab.progress("left out: %s is not installed", name)
		}
		return ""
	}
	lab.note(name, path, version...)
	return path
}

// knows reports whether duet listen knows a flag: what it does not know is left out.
func (lab *Lab) knows(duet, flag string) bool {
	out, _ := exec.CommandContext(lab.ctx, duet, "listen", "--help").Output()
	if slices.ContainsFunc(strings.Fields(string(out)), func(word string) bool { return word == flag }) {
		return true
	}
	if !lab.absent[flag] {
		lab.absent[flag] = true
		lab.progress("left out: duet does not know %s", flag)
	}
	return false
}

// note keeps the first line of what a tool says of its version.
func (lab *Lab) note(name, path string, version ...string) {
	if _, known := lab.called[name]; known {
		return
	}
	out, _ := exec.CommandContext(lab.ctx, path, version...).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); strings.ContainsAny(line, "0123456789") {
			lab.called[name] = line
			return
		}
	}
	lab.called[name] = "unknown"
}

func (lab *Lab) versions() map[string]string { return lab.called }
