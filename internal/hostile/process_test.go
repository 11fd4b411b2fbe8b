//go:build linux

package hostile_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A server is a real server in a process of its own. It is killed when the test ends.
type server struct {
	t       *testing.T
	name    string
	cmd     *exec.Cmd
	in      io.WriteCloser
	port    int
	hear    func(line []byte) // gets each line of stdout, whole or in parts; may be nil
	helpers sync.WaitGroup    // they end when it has

	mu     sync.Mutex
	notes  []byte         // the beginning of what it said on stderr, and of what of its own was said on stdout
	worst  string         // a line with which something is wrong
	arrive int            // conversations that began and
	leave  int            // that ended, as it said
	ends   map[string]int // by reason
	stacks int            // goroutines of its own in the stacks that Go printed at SIGQUIT
	done   chan struct{}  // closed when it has ended
}

// startDuet starts the real duet with at most so many descriptors, some of which are taken already.
func startDuet(t *testing.T, descriptors, taken int, hear func([]byte), args ...string) *server {
	t.Helper()
	script := fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, descriptors)
	cmd := exec.Command("sh", append([]string{"-c", script, duetPath}, args...)...)
	for range taken {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	return start(t, strings.Join(args, " "), hear, cmd)
}

// startPlain starts what duet is compared with.
func startPlain(t *testing.T, descriptors int) *server {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0"`, descriptors), self)
	cmd.Env = append(os.Environ(), asPlainEcho+"=1")
	return start(t, "plain Go echo", nil, cmd)
}

func start(t *testing.T, name string, hear func([]byte), cmd *exec.Cmd) *server {
	t.Helper()
	s := &server{t: t, name: name, cmd: cmd, hear: hear, ends: map[string]int{}, done: make(chan struct{})}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "LC_ALL=C.UTF-8", "TERM=dumb")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.in = in
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	complaints, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan int, 1)
	var wg sync.WaitGroup
	wg.Go(func() { s.readOut(out, ready) })
	wg.Go(func() { lines(complaints, s.note) })
	go func() {
		wg.Wait()
		_ = cmd.Wait()
		close(s.done)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-s.done
		s.helpers.Wait()
		if t.Failed() {
			said, _, _ := strings.Cut(s.said(), "SIGQUIT")
			t.Logf("%s said of itself:\n%s", name, said)
		}
	})
	select {
	case s.port = <-ready:
	case <-s.done:
		t.Fatalf("%s did not start: %s", name, s.said())
	case <-time.After(patience):
		t.Fatalf("%s does not listen", name)
	}
	return s
}

// lines gives each line, and a long one in parts.
func lines(r io.Reader, to func([]byte)) {
	b := bufio.NewReaderSize(r, 256<<10)
	for {
		line, err := b.ReadSlice('\n')
		if len(line) > 0 {
			to(line)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// label begins each line of what a peer said.
const label = "【Client"

func (s *server) readOut(out io.Reader, ready chan<- int) {
	part := false // of a line whose beginning was seen
	lines(out, func(line []byte) {
		if s.hear != nil {
			s.hear(line)
		}
		own := !part && !bytes.HasPrefix(line, []byte(label))
		part = line[len(line)-1] != '\n'
		if !own {
			return
		}
		if rest, ok := bytes.CutPrefix(line, []byte("The Server is running at localhost: ")); ok {
			port, _ := strconv.Atoi(strings.TrimSpace(string(rest)))
			ready <- port
		}
		s.count(line)
		s.note(line)
	})
}

var (
	arrival   = []byte("The Server has received a connection from ")
	departure = []byte("The conversation with ")
)

// count keeps account of who came and who left, and why.
func (s *server) count(line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case bytes.HasPrefix(line, arrival):
		s.arrive++
	case bytes.HasPrefix(line, departure):
		s.leave++
		_, why, _ := strings.Cut(string(line), " has ended: ")
		why, _, _ = strings.Cut(strings.TrimSpace(why), " ")
		s.ends[why]++
	}
}

// faults are words that no server that is well says of itself.
var faults = []string{"panic", "goroutine ", "fatal error", "DATA RACE", "runtime error", "SIG"}

// often is what a server says of each hostile peer, or of many.
var often = regexp.MustCompile(`^The Server has received|^The conversation with|^/use |, this is plain TCP|^level=ERROR msg="handler failed"`)

// note keeps a line that the server said of itself.
func (s *server) note(line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if bytes.HasPrefix(line, []byte("created by ")) && !bytes.HasPrefix(line, []byte("created by runtime.")) {
		s.stacks++
	}
	for _, f := range faults {
		if s.worst == "" && bytes.Contains(line, []byte(f)) {
			s.worst = string(line)
		}
	}
	if len(s.notes) < 64<<10 && !often.Match(line) {
		s.notes = append(s.notes, line...)
	}
}

func (s *server) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.notes)
}

// wantWell: the server lives and has said nothing bad.
func (s *server) wantWell() {
	s.t.Helper()
	select {
	case <-s.done:
		s.t.Fatalf("%s has ended: %v", s.name, s.cmd.ProcessState)
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.worst != "" {
		s.t.Errorf("%s said %q", s.name, s.worst)
	}
}

// account is how many conversations began and ended, as the server said.
func (s *server) account() (arrived, left int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arrive, s.leave
}

func (s *server) reasons() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]int{}
	for why, n := range s.ends {
		all[why] = n
	}
	return all
}

// types gives the server a line to read.
func (s *server) types(line string) error {
	_, err := io.WriteString(s.in, line+"\n")
	return err
}

// goroutines ends the server and counts them in the stacks that Go prints at SIGQUIT.
func (s *server) goroutines() int {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		s.t.Fatal(err)
	}
	select {
	case <-s.done:
	case <-time.After(patience):
		s.t.Fatalf("%s does not end at SIGQUIT", s.name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return 1 + s.stacks // main's has no creator
}
