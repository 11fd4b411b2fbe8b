package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// word is what a peer says once.
const word = "hello"

// A process is a server that is measured.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	out   io.Closer
	says  tail         // what it has said on stderr
	words atomic.Int64 // how often it has printed word
	ended chan struct{}
	read  chan struct{}
}

// startProcess starts a server, whose stdin stays open and silent. Stop it.
func startProcess(ctx context.Context, path string, args ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, path, args...), ended: make(chan struct{}), read: make(chan struct{})}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stderr = &p.says
	// A child of a server that was killed may still hold its stderr.
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.stdin, p.out = in, out
	go p.count(out)
	go func() {
		<-p.read
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) count(out io.Reader) {
	defer close(p.read)
	b := make([]byte, 64<<10)
	kept := 0 // of the last read, as the word may be cut
	for {
		n, err := out.Read(b[kept:])
		n += kept
		p.words.Add(int64(bytes.Count(b[:n], []byte(word))))
		kept = min(n, len(word)-1)
		copy(b, b[n-kept:n])
		if err != nil {
			return
		}
	}
}

func (p *process) stop() {
	for _, pid := range p.family() {
		if proc, err := os.FindProcess(pid); err == nil {
			_ = proc.Kill()
		}
	}
	_ = p.stdin.Close()
	select {
	case <-p.ended:
	case <-time.After(2 * time.Second):
		// A child that came up while the others went holds stdout.
		_ = p.out.Close()
		<-p.ended
	}
}

// hasEnded is the error of a server that has ended by itself.
func (p *process) hasEnded() error {
	return fmt.Errorf("the server has ended: %s", p.says.String())
}

// A tail keeps the last that a program says, for an error.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(b []byte) (int, error) {
	const most = 300
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b[max(0, len(b)-most):]...)
	t.b = t.b[max(0, len(t.b)-most):]
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(strings.Fields(string(t.b)), " ")
}

// family are the numbers of the process and, where the system tells, of its children.
func (p *process) family() []int {
	pid := p.cmd.Process.Pid
	all := []int{pid}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range tasks {
		b, _ := os.ReadFile(file)
		for _, child := range strings.Fields(string(b)) {
			if n, err := strconv.Atoi(child); err == nil {
				all = append(all, n)
			}
		}
	}
	return all
}

// memory is what the process and its children occupy in user space, in bytes: the Pss of proc(5), in which a page that several share counts in parts.
func (p *process) memory() (int64, error) {
	var kb int64
	for i, pid := range p.family() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil && i == 0 {
			return 0, fmt.Errorf("the system does not tell a process's memory: %w", err)
		}
		kb += field(string(b), "Pss:")
	}
	return kb << 10, nil
}

// settled is memory once it has stopped changing.
func (p *process) settled(ctx context.Context) (int64, error) {
	const pause, same, most = 100 * time.Millisecond, 5, 100
	last, seen := int64(-1), 0
	for range most {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-p.ended:
			return 0, p.hasEnded()
		case <-time.After(pause):
		}
		now, err := p.memory()
		if err != nil {
			return 0, err
		}
		if now != last {
			last, seen = now, 0
			continue
		}
		if seen++; seen == same {
			break
		}
	}
	return last, nil
}
