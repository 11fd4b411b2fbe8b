package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// A pair are two ends of one conversation, from the stdin of one to the stdout of the other; {} is the port.
type pair struct {
	name          string
	duet          bool
	receive, send []string
}

// pairs are those that copy bytes, duet first. The others have the settings that make them fastest.
func (lab *Lab) pairs() ([]pair, error) {
	if runtime.GOOS != "linux" {
		return nil, errNoLoad
	}
	duet, err := lab.duet()
	if err != nil {
		return nil, err
	}
	all := []pair{{"duet", true, []string{duet, "listen", "127.0.0.1:{}"}, []string{duet, "connect", "127.0.0.1:{}"}}}
	if c := lab.cReference("pump"); c != "" {
		all = append(all, pair{"C: splice, sendfile", false, []string{c, "receive", "{}"}, []string{c, "send", "{}"}})
	}
	if nc := lab.tool("nc", "-h"); nc != "" {
		all = append(all, pair{"nc", false, []string{nc, "-l", "127.0.0.1", "{}"}, []string{nc, "-N", "127.0.0.1", "{}"}})
	}
	if ncat := lab.tool("ncat", "--version"); ncat != "" {
		all = append(all, pair{"ncat", false, []string{ncat, "-l", "--recv-only", "127.0.0.1", "{}"}, []string{ncat, "--send-only", "127.0.0.1", "{}"}})
	}
	if socat := lab.tool("socat", "-V"); socat != "" {
		all = append(all, pair{
			"socat -u -b 262144", false,
			[]string{socat, "-u", "-b", "262144", "TCP-LISTEN:{},bind=127.0.0.1,reuseaddr", "STDOUT"},
			[]string{socat, "-u", "-b", "262144", "STDIN", "TCP:127.0.0.1:{}"},
		})
	}
	return all, nil
}

// A transfer is a pair that runs.
type transfer struct {
	receive, send             *exec.Cmd
	receiveSays, sendSays     tail
	receiveEnded, sendEnded   chan struct{}
	receiveResult, sendResult error
	sendAt                    time.Time
	stop                      context.CancelFunc
}

// start runs both ends, the receiver first. A nil silent is an empty stdin for the receiver.
func (p pair) start(ctx context.Context, silent, from io.Reader, to io.Writer) (*transfer, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	t := &transfer{stop: cancel, receiveEnded: make(chan struct{}), sendEnded: make(chan struct{})}
	receive, send := withPort(p.receive, port), withPort(p.send, port)
	t.receive = exec.CommandContext(ctx, receive[0], receive[1:]...)
	t.receive.Stdin, t.receive.Stdout, t.receive.Stderr = silent, to, &t.receiveSays
	t.send = exec.CommandContext(ctx, send[0], send[1:]...)
	t.send.Stdin, t.send.Stderr = from, &t.sendSays
	if err := t.receive.Start(); err != nil {
		cancel()
		return nil, err
	}
	go func() {
		t.receiveResult = t.receive.Wait()
		close(t.receiveEnded)
	}()
	err = listening(ctx, port, t.receiveEnded)
	if err == nil {
		t.sendAt = time.Now()
		err = t.send.Start()
	}
	if err != nil {
		cancel()
		<-t.receiveEnded
		return nil, fmt.Errorf("%w: %s", err, &t.receiveSays)
	}
	go func() {
		t.sendResult = t.send.Wait()
		close(t.sendEnded)
	}()
	return t, nil
}

// wait waits for both ends and gives the CPU time that they have used.
func (t *transfer) wait() (time.Duration, error) {
	<-t.sendEnded
	<-t.receiveEnded
	var used time.Duration
	for _, c := range []*exec.Cmd{t.receive, t.send} {
		used += c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	}
	if err := errors.Join(t.sendResult, t.receiveResult); err != nil {
		return used, fmt.Errorf("%w: %s %s", err, &t.sendSays, &t.receiveSays)
	}
	return used, nil
}

// end ends both, if they have not.
func (t *transfer) end() {
	t.stop()
	<-t.sendEnded
	<-t.receiveEnded
}

// verify sends bytes that nobody can guess through a pair, as a pipe or a file, and compares the digest.
func (p pair) verify(ctx context.Context, dir string, file bool) error {
	b := make([]byte, 24<<20+13)
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte(p.name))).Read(b)
	var got bytes.Buffer
	var from io.Reader = bytes.NewReader(b)
	if file {
		name := filepath.Join(dir, "verify")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		from = f
	}
	t, err := p.start(ctx, nil, from, &got)
	if err != nil {
		return err
	}
	defer t.end()
	if _, err := t.wait(); err != nil {
		return err
	}
	if sha256.Sum256(got.Bytes()) != sha256.Sum256(b) {
		return wrong("%d bytes were sent, %d have come, and their SHA-256 differ", len(b), got.Len())
	}
	return nil
}

// longest is how long one measurement may take before it has failed.
const longest = 90 * time.Second

// once makes a function that does its work the first time only.
func once(do func(context.Context) error) func(context.Context) error {
	done := false
	return func(ctx context.Context) error {
		if done {
			return nil
		}
		err := do(ctx)
		done = err == nil
		return err
	}
}
