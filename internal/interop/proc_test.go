//go:build linux

package interop_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything that has to happen may take: long, because all
// tests share two processors; whoever waits for it fails after that.
const patience = time.Minute

// A program is a process that a test talks with. It is killed when the test ends.
type program struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *output       // its stdout
	err  *output       // its stderr
	done chan struct{} // closed when it has ended and all its output is here
	code int           // valid after done

	copied <-chan struct{} // closed when its terminal has been read to the end; nil: it has pipes
}

// run starts a program with pipes on all its streams.
func run(t *testing.T, name string, args ...string) *program {
	t.Helper()
	p := prepare(t, name, args...)
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in = in
	p.cmd.Stdout = p.out
	p.start()
	return p
}

// duet starts the real duet.
func duet(t *testing.T, args ...string) *program {
	t.Helper()
	return run(t, duetPath, args...)
}

// prepare makes a program whose stdin and stdout the caller sets before start.
func prepare(t *testing.T, name string, args ...string) *program {
	t.Helper()
	full, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("a tool is missing, scripts/deps installs it: %v", err)
	}
	p := &program{
		t: t, name: strings.Join(append([]string{name}, args...), " "),
		cmd: exec.Command(full, args...), out: newOutput(), err: newOutput(), done: make(chan struct{}),
	}
	p.cmd.Stderr = p.err
	p.cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "PYTHONUNBUFFERED=1", "PYTHONIOENCODING=utf-8", "TERM=dumb")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return p
}

func (p *program) start() {
	p.t.Helper()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		err := p.cmd.Wait()
		var exit *exec.ExitError
		switch {
		case err == nil:
		case errors.As(err, &exit):
			p.code = exit.ExitCode()
		default:
			p.code = -1
		}
		if p.copied != nil {
			<-p.copied
		}
		p.out.finish()
		p.err.finish()
	}()
	p.t.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
		if p.t.Failed() {
			p.t.Logf("%s\nstdout: %q\nstderr: %q", p.name, clip(p.out.text()), clip(p.err.text()))
		}
	})
}

func clip(s string) string {
	const most = 8000
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// types gives the program lines to read.
func (p *program) types(lines ...string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, strings.Join(lines, "\n")+"\n"); err != nil {
		p.t.Errorf("%s does not read: %v", p.name, err)
	}
}

// says waits until the program has printed text, after what was waited for before.
func (p *program) says(text string) {
	p.t.Helper()
	p.await(p.out, "stdout", func(s string) int {
		if i := strings.Index(s, text); i >= 0 {
			return i + len(text)
		}
		return -1
	}, text)
}

// warns is says for stderr.
func (p *program) warns(text string) {
	p.t.Helper()
	p.await(p.err, "stderr", func(s string) int {
		if i := strings.Index(s, text); i >= 0 {
			return i + len(text)
		}
		return -1
	}, text)
}

// finds waits for a match on one of the streams, and gives its first group.
func (p *program) finds(on *output, pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	var group string
	p.await(on, "output", func(s string) int {
		m := re.FindStringSubmatchIndex(s)
		if m == nil {
			return -1
		}
		group = s[m[2]:m[3]]
		return m[1]
	}, pattern)
	return group
}

func (p *program) await(o *output, stream string, find func(string) int, want string) {
	p.t.Helper()
	if got, ok := o.await(find); !ok {
		p.t.Fatalf("%s: no %q on %s; there is %q", p.name, want, stream, clip(got))
	}
}

// ends waits for the end of the program and wants an exit code.
func (p *program) ends(code int) {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end", p.name)
	}
	if p.code != code {
		p.t.Fatalf("%s ended with %d, want %d", p.name, p.code, code)
	}
}

// port is where a listening duet says it is running.
func (p *program) port(on *output) string {
	p.t.Helper()
	return p.finds(on, `The Server is running at \S+ (\d+)\n`)
}

// An output collects what a program prints; it can be waited for.
type output struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	seen    int // what was waited for ends here
	ended   bool
	changed chan struct{}
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf.Write(p)
	o.note()
	return len(p), nil
}

func (o *output) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.note()
}

func (o *output) note() {
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// await waits until find gives the end of what it looks for in what was not waited for yet.
func (o *output) await(find func(string) int) (rest string, ok bool) {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		o.mu.Lock()
		rest = o.buf.String()[o.seen:]
		if n := find(rest); n >= 0 {
			o.seen += n
			o.mu.Unlock()
			return rest, true
		}
		ended, changed := o.ended, o.changed
		o.mu.Unlock()
		if ended {
			return rest, false
		}
		select {
		case <-changed:
		case <-limit.C:
			return rest, false
		}
	}
}

// nextPort goes through ports that the system gives nobody by itself, so that tests do not
// take them from each other.
var nextPort atomic.Int64

// freePort is a port of 127.0.0.1 on which nobody listens, for tools that cannot tell which one they were given.
func freePort(t *testing.T) string {
	t.Helper()
	const first, many = 20000, 10000
	// A process that another test is just starting holds the listener until it runs its own program.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for range many {
		n := first + (int64(os.Getpid())*101+nextPort.Add(1))%many
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", n))
		if err != nil {
			continue
		}
		l.Close()
		return fmt.Sprint(n)
	}
	t.Fatal("no free port")
	return ""
}

// awaitListener waits until somebody listens at a port, without connecting: a tool may serve one peer only.
func awaitListener(t *testing.T, p *program, port string) {
	t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if _, ok := listening(t, port); ok {
			return
		}
		select {
		case <-p.done:
			t.Fatalf("%s ended with %d and listens not", p.name, p.code)
		default:
		}
	}
	t.Fatalf("nobody listens at %s", port)
}

// listening gives the backlog with which somebody listens at a port, as ss shows it.
func listening(t *testing.T, port string) (backlog string, ok bool) {
	t.Helper()
	out, err := exec.Command("ss", "-Hltn", "sport = :"+port).Output()
	if err != nil {
		t.Fatalf("ss: %v", err)
	}
	f := strings.Fields(string(out))
	if len(f) < 3 {
		return "", false
	}
	return f[2], true // State, Recv-Q, Send-Q
}
