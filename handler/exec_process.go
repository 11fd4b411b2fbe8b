package handler

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// DefaultGrace is the time between asking a program to end (SIGTERM) and killing it (SIGKILL).
const DefaultGrace = time.Second

// An ExitError says that a program ended with another status than 0, or by a signal.
type ExitError struct {
	// Status is its exit status; -1 if a signal ended it.
	Status int
	// Signal is the name of the signal that ended it, "SIGKILL" for example; empty if none did.
	Signal string
}

func (e *ExitError) Error() string {
	if e.Signal != "" {
		return "program was killed by " + e.Signal
	}
	return fmt.Sprintf("program ended with status %d", e.Status)
}

// A startError says why a program could not be started.
type startError struct {
	name string
	err  error
}

func (e *startError) Unwrap() error { return e.err }

func (e *startError) Error() string {
	why := e.err.Error()
	var path *fs.PathError
	switch {
	case errors.Is(e.err, exec.ErrNotFound), errors.Is(e.err, fs.ErrNotExist):
		why = "not found"
	case errors.Is(e.err, fs.ErrPermission):
		why = "not executable"
	case errors.Is(e.err, exec.ErrDot):
		why = "found in the current folder only; write ./ before it"
	case errors.As(e.err, &path):
		why = path.Err.Error()
	}
	return "cannot start " + e.name + ": " + why
}

// exhausted reports whether the system had no more descriptors, processes or memory. The new process moves its descriptors to higher numbers
// first, and EBADF is what dup(2) returns for a number that is too high.
func (e *startError) exhausted() bool {
	for _, few := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EBADF, syscall.EAGAIN, syscall.ENOMEM} {
		if errors.Is(e.err, few) {
			return true
		}
	}
	return false
}

var errNoProgram = errors.New("either a program or a line for the shell is needed")

// command returns the program and its arguments: args, or the shell with line.
func command(args []string, line string) ([]string, error) {
	if (len(args) == 0) == (line == "") {
		return nil, errNoProgram
	}
	if line != "" {
		return []string{"/bin/sh", "-c", line}, nil
	}
	return args, nil
}

// A process is a program that runs in a process group of its own, and this side's ends of its pipes.
type process struct {
	cmd *exec.Cmd
	in  *os.File // its stdin
	out *os.File // its stdout; with StderrPeer its stderr as well
	err *os.File // its stderr; nil unless that is logged

	exited chan struct{} // closed when the program itself has ended; its children may still run
	reaped sync.Once

	mu   sync.Mutex
	gone bool // the group has gone, and its number may belong to another one
}

// startProcess starts argv. The caller calls end and close.
func startProcess(argv, env []string, policy StderrPolicy) (_ *process, err error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.ExtraFiles = closedFiles()
	cmd.Env = append([]string{}, env...) // nil would be the environment of this process
	cmd.SysProcAttr = ownGroup()
	p := &process{cmd: cmd, exited: make(chan struct{})}
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			_ = f.Close()
		}
		if err != nil {
			p.close()
			err = &startError{argv[0], err}
		}
	}()
	pipe := func() (r, w *os.File) {
		if err == nil {
			r, w, err = os.Pipe()
		}
		return r, w
	}
	var stdin, stdout, stderr *os.File
	stdin, p.in = pipe()
	p.out, stdout = pipe()
	theirs = append(theirs, stdin, stdout)
	switch policy {
	case StderrPeer:
		stderr = stdout
	case StderrLog:
		p.err, stderr = pipe()
		theirs = append(theirs, stderr)
	}
	if err != nil {
		return nil, err
	}
	// With files, the program has the pipes themselves, and package os copies nothing.
	cmd.Stdin, cmd.Stdout = stdin, stdout
	if stderr != nil {
		cmd.Stderr = stderr
	}
	running.starting.RLock()
	defer running.starting.RUnlock()
	if err := startProgram(cmd); err != nil {
		return nil, err
	}
	running.add(p)
	go p.watch()
	return p, nil
}

// watch waits for the end of the program itself. end waits for watch.
func (p *process) watch() {
	defer close(p.exited)
	if !awaitExit(p.cmd.Process.Pid) {
		p.reap()
	}
}

func (p *process) reap() {
	p.reaped.Do(func() {
		_ = p.cmd.Wait()
		programEnded()
	})
}

// end asks the program and its group to end, and kills them after grace. It returns when the program is reaped and its group is empty. If
// the system keeps killed processes, it returns soon after.
func (p *process) end(grace time.Duration) {
	defer running.remove(p)
	p.signal(false)
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case <-p.exited:
	case <-late.C:
		p.signal(true)
		<-p.exited
		late.Reset(0)
	}
	// This comes after the signal: the number of the group is not used again before the program is reaped.
	p.reap()
	for wait := time.Millisecond; !p.hasGone(); wait = min(2*wait, 100*time.Millisecond) {
		select {
		case <-late.C:
			p.signal(true)
			p.awaitKilled()
			return
		case <-time.After(wait):
		}
	}
}

// keepsKilled is how long a group that was killed may take to vanish. On some systems a process that nobody reaps stays longer.
const keepsKilled = 250 * time.Millisecond

func (p *process) awaitKilled() {
	for began := time.Now(); !p.hasGone() && time.Since(began) < keepsKilled; {
		time.Sleep(10 * time.Millisecond)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
}

// signal asks the whole group to end, or kills it.
func (p *process) signal(kill bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gone {
		signalGroup(p.cmd.Process, kill)
	}
}

// hasGone reports whether the group is empty. The program was reaped.
func (p *process) hasGone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = p.gone || groupEmpty(p.cmd.Process)
	return p.gone
}

// status returns how the program ended: nil with status 0. It is called after end.
func (p *process) status() error {
	if s := p.cmd.ProcessState; s != nil && !s.Success() {
		return exitError(s)
	}
	return nil
}

func (p *process) close() { closeFiles(p.in, p.out, p.err) }

func closeFiles(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}

// logStderr calls log with each line that the program prints on stderr, in a goroutine. The caller calls finish when the program has ended.
// finish returns when all lines were logged, or after lastWords: a process that has left the group may hold the pipe open.
func (p *process) logStderr(log func(line string)) (finish func()) {
	if p.err == nil {
		return func() {}
	}
	done := make(chan struct{})
	r, release := cancelable(p.err)
	go func() {
		defer close(done)
		logLines(r, log)
	}()
	return func() {
		_ = p.err.SetReadDeadline(time.Now().Add(lastWords))
		t := time.AfterFunc(lastWords, release)
		<-done
		t.Stop()
		release()
	}
}

// lastWords is how long the stderr of a program is still read after its end.
const lastWords = 100 * time.Millisecond
