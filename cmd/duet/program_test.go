//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/term"
)

type worldKey struct{}

// A world is what one script has started.
type world struct {
	programs map[string]*program
	peers    map[string]*peer
}

func newWorld() *world {
	return &world{programs: make(map[string]*program), peers: make(map[string]*peer)}
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

func (w *world) close() {
	for _, p := range w.programs {
		p.kill()
	}
	for _, p := range w.peers {
		p.close()
	}
}

func programOf(ts *testscript.TestScript, name string) *program {
	p, ok := worldOf(ts).programs[name]
	if !ok {
		ts.Fatalf("no program %s was started", name)
	}
	return p
}

// A program runs in the background of a script.
type program struct {
	cmd      *exec.Cmd
	stdin    *os.File
	stdout   *os.File      // the reading end
	heard    chan struct{} // closed when nobody reads stdout any more
	tty      *os.File      // the terminal, as the program has it; nil: none
	before   *term.State
	out, err *printed
	ended    chan struct{} // closed when it has ended and all it printed is there
}

// startOptions: in is a file for stdin, fd the peer whose socket is passed as descriptor 3.
type startOptions struct {
	in, fd string
	tty    bool
}

// startProgram runs args with the environment and in the folder of the script.
func startProgram(ts *testscript.TestScript, w *world, o startOptions, args []string) (*program, error) {
	path, err := lookPath(args[0], ts.Getenv("PATH"))
	if err != nil {
		return nil, err
	}
	p := &program{cmd: exec.Command(path, args[1:]...), out: newPrinted(), err: newPrinted(), ended: make(chan struct{})}
	p.cmd.Args[0] = args[0]
	p.cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GOCOVERDIR", "GORACE", "WORK", "TERM", "LISTEN_FDS", "LISTEN_PID", "XDG_STATE_HOME"} {
		if v := ts.Getenv(name); v != "" {
			p.cmd.Env = append(p.cmd.Env, name+"="+v)
		}
	}
	if o.fd != "" {
		f, err := w.peers[o.fd].file()
		if err != nil {
			return nil, err
		}
		defer f.Close()
		p.cmd.ExtraFiles = []*os.File{f}
	}
	if o.tty {
		return p, p.startInTerminal()
	}
	var stdin *os.File
	if o.in != "" {
		stdin, err = os.Open(o.in)
	} else {
		stdin, p.stdin, err = os.Pipe()
	}
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	stdout, outW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer outW.Close()
	stderr, errW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer errW.Close()
	p.stdout, p.heard = stdout, make(chan struct{})
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = stdin, outW, errW
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(p.heard)
		_, _ = io.Copy(p.out, stdout)
	})
	reading.Go(func() { _, _ = io.Copy(p.err, stderr) })
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
		reading.Wait()
		stdout.Close()
		stderr.Close()
	}()
	return p, nil
}

// startInTerminal runs it as a shell in a terminal of 24 rows and 80 columns would.
func (p *program) startInTerminal() error {
	master, tty, err := pty.Open()
	if err != nil {
		return err
	}
	p.stdin, p.tty = master, tty
	if err := pty.Setsize(master, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		return err
	}
	if p.before, err = term.GetState(int(tty.Fd())); err != nil {
		return err
	}
	p.cmd.Env = append(p.cmd.Env, "TERM=xterm-256color")
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = tty, tty, tty
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(p.out, master) })
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
		if after, err := term.GetState(int(tty.Fd())); err != nil || !reflect.DeepEqual(p.before, after) {
			fmt.Fprintf(p.err, "the terminal is not as it was: %+v, want %+v (%v)\n", after, p.before, err)
		}
		tty.Close() // the reader has EIO once it has all
		reading.Wait()
		master.Close()
	}()
	return nil
}

func lookPath(name, path string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if st, err := os.Stat(file); err == nil && st.Mode()&0o111 != 0 && !st.IsDir() {
			return file, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, exec.ErrNotFound)
}

func (p *program) write(b []byte) error {
	if err := p.stdin.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := p.stdin.Write(b)
	return err
}

// await waits until count matches of re are in one of its outputs, and gives the last.
func (p *program) await(re *regexp.Regexp, count int) ([]string, error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	ended := p.ended
	for {
		changed := []<-chan struct{}{p.out.changed(), p.err.changed()}
		for _, o := range []*printed{p.out, p.err} {
			if m := re.FindAllStringSubmatch(o.String(), -1); len(m) >= count {
				return m[count-1], nil
			}
		}
		if ended == nil {
			return nil, fmt.Errorf("ended without printing %q", re)
		}
		select {
		case <-changed[0]:
		case <-changed[1]:
		case <-ended:
			ended = nil // look once more
		case <-late.C:
			return nil, fmt.Errorf("did not print %q within %v", re, patience)
		}
	}
}

// end waits for its end and gives its exit code; that of one that a signal killed is 128 and the signal, as in a shell.
func (p *program) end() (int, error) {
	select {
	case <-p.ended:
	case <-time.After(patience):
		return 0, fmt.Errorf("still running after %v", patience)
	}
	if ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 0, fmt.Errorf("killed by %v", ws.Signal())
	}
	if strings.Contains(p.out.String()+p.err.String(), "goroutine ") {
		return 0, errors.New("printed a stack")
	}
	if p.tty != nil && p.err.String() != "" {
		return 0, errors.New(p.err.String())
	}
	return p.cmd.ProcessState.ExitCode(), nil
}

func (p *program) closeOutput() {
	// A deadline takes the reader off before the end is closed.
	_ = p.stdout.SetReadDeadline(time.Now())
	<-p.heard
	// A program that is just being started has it too, until it runs: what is printed meanwhile would find a reader.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	_ = p.stdout.Close()
}

func (p *program) kill() {
	if p.stdin != nil {
		p.stdin.Close()
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// A printed keeps what a program has printed.
type printed struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{} // closed and replaced when there is more
}

func newPrinted() *printed { return &printed{more: make(chan struct{})} }

func (o *printed) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.more)
	o.more = make(chan struct{})
	return o.text.Write(b)
}

func (o *printed) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *printed) changed() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.more
}
