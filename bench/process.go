package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// word is what a peer says once.
const word = "hello"

// A process is a server that is measured.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
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
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.stdin = in
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
	<-p.ended
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
			return 0, errors.New("the server has ended")
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

// freePort is one that was free a moment ago.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// dialNew connects to a server that may not be there yet.
func dialNew(ctx context.Context, p *process, address string) (net.Conn, error) {
	for {
		var d net.Dialer
		nc, err := d.DialContext(ctx, "tcp", address)
		if err == nil {
			return nc, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-p.ended:
			return nil, fmt.Errorf("the server has ended: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// withPort puts the port in the place of {}.
func withPort(args []string, port string) []string {
	with := make([]string, len(args))
	for i, a := range args {
		with[i] = strings.ReplaceAll(a, "{}", port)
	}
	return with
}
