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

// DefaultGrace is how long a program has from being asked to end (SIGTERM) to being killed (SIGKILL).
const DefaultGrace = time.Second

// An ExitError tells that a program did not end well.
type ExitError struct {
	// Status is its exit status; -1 where a signal ended it.
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

// A startError is a program that could not be started: whose fault it was, in words without the system's own.
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

// exhausted tells whether it was for want of descriptors, processes or memory. The new process moves its descriptors to higher numbers
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

// command gives the words of what is to run: args, or line by the shell.
func command(args []string, line string) ([]string, error) {
	if (len(args) == 0) == (line == "") {
		return nil, errNoProgram
	}
	if line != "" {
		return []string{"/bin/sh", "-c", line}, nil
	}
	return args, nil
}

// A process is a program that runs in a process group of its own, and our ends of its pipes.
type process struct {
	cmd *exec.Cmd
	in  *os.File // its stdin
	out *os.File // its stdout; with StderrPeer its stderr as well
	err *os.File // its stderr; nil if nobody hears that

	exited chan struct{} // closed when the program itself has ended, whatever became of its children
	reaped sync.Once

	mu   sync.Mutex
	over bool // the group has gone: its number may be another's
}

// startProcess starts argv. The caller calls end and close.
func startProcess(argv, env []string, policy StderrPolicy) (_ *process, err error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.ExtraFiles = closedFiles()
	cmd.Env = append([]string{}, env...) // nil would be our own
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
	// Files, so that the program has the pipes themselves and nothing is copied in between.
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

// watch waits for the program itself; end waits for it.
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

// end ends what is left of the program and its group: it asks, and after grace it kills. It returns when the program
// is reaped and its group is empty; where the system keeps what was killed, soon after.
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
	// Not before the group was asked: as long as nobody has asked for its status, its number is nobody else's.
	p.reap()
	for wait := time.Millisecond; !p.gone(); wait = min(2*wait, 100*time.Millisecond) {
		select {
		case <-late.C:
			p.signal(true)
			p.awaitKilled()
			return
		case <-time.After(wait):
		}
	}
}

// keepsKilled is how long a group that was killed may take to vanish. On some systems what nobody reaps stays for
// longer.
const keepsKilled = 250 * time.Millisecond

func (p *process) awaitKilled() {
	for began := time.Now(); !p.gone() && time.Since(began) < keepsKilled; {
		time.Sleep(10 * time.Millisecond)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
}

// signal asks all of the group to end, or kills it.
func (p *process) signal(kill bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		signalGroup(p.cmd.Process, kill)
	}
}

// gone tells whether the group is empty. The program was reaped.
func (p *process) gone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = p.over || groupEmpty(p.cmd.Process)
	return p.over
}

// status is how the program ended, after end: nil if well.
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

// hear calls tell with what the program prints on stderr, in a goroutine. The func that it returns is called when
// the program has ended, and returns when all was told; what has left the group may hold the pipe for ever.
func (p *process) hear(tell func(line string)) (finish func()) {
	if p.err == nil {
		return func() {}
	}
	done := make(chan struct{})
	r, release := cancelable(p.err)
	go func() {
		defer close(done)
		logLines(r, tell)
	}()
	return func() {
		_ = p.err.SetReadDeadline(time.Now().Add(lastWords))
		t := time.AfterFunc(lastWords, release)
		<-done
		t.Stop()
		release()
	}
}

// lastWords is how long a stderr is still read whose program has ended.
const lastWords = 100 * time.Millisecond
