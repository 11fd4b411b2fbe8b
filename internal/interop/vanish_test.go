//go:build linux

package interop_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A stuckTerminal is a terminal that shows nothing while nobody reads it.
type stuckTerminal struct {
	*os.File
	seen bytes.Buffer
}

// newStuckTerminal gives the terminal's two ends.
func newStuckTerminal(t *testing.T) (term *stuckTerminal, program *os.File) {
	t.Helper()
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo terminals here: ", err)
	}
	t.Cleanup(func() { _ = ptmx.Close() })
	n, err := unix.IoctlGetInt(int(ptmx.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(ptmx.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	_ = unix.IoctlSetWinsize(int(ptmx.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return &stuckTerminal{File: ptmx}, program
}

// reads reads until pattern was seen, and no further than that needs.
func (s *stuckTerminal) reads(t *testing.T, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	found := make(chan []string, 1)
	go func() {
		defer close(found)
		b := make([]byte, 4096)
		for {
			if m := re.FindStringSubmatch(s.seen.String()); m != nil {
				found <- m
				return
			}
			n, err := s.Read(b)
			if err != nil {
				return
			}
			s.seen.Write(b[:n])
		}
	}()
	select {
	case m, ok := <-found:
		if !ok {
			t.Fatalf("the terminal has gone before it shows %q", pattern)
		}
		return m
	case <-time.After(patience):
		t.Fatalf("the terminal does not show %q", pattern)
	}
	return nil
}

// Peers that connect, say something and reset keep no place and no descriptor while the operator's screen is stuck.
func TestVanishedPeers(t *testing.T) {
	const descriptors, peers, lines = 64, 300, 60
	term, program := newStuckTerminal(t)
	cmd := exec.Command("sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0" listen 127.0.0.1:0`, descriptors), duetPath)
	cmd.Env = append(os.Environ(), "TERM=xterm", "LC_ALL=C.UTF-8")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = program.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	port := term.reads(t, `running at 127\.0\.0\.1: (\d+)`)[1]

	let := func() *net.TCPConn {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		b := make([]byte, 100)
		if n, err := c.Read(b); err != nil || !strings.HasPrefix(string(b[:n]), "Can I help you?") {
			t.Fatalf("a new client got %q, %v", b[:n], err)
		}
		return c.(*net.TCPConn)
	}
	words := strings.Repeat("nothing worth while\n", lines)
	for range peers {
		c := let()
		_, _ = io.WriteString(c, words)
		_ = c.SetLinger(0)
		_ = c.Close()
	}
	live := let()
	defer func() { _ = live.Close() }()
	sockets := func() (n int) {
		dir := fmt.Sprintf("/proc/%d/fd", cmd.Process.Pid)
		all, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if to, _ := os.Readlink(dir + "/" + e.Name()); strings.HasPrefix(to, "socket:") {
				n++
			}
		}
		return n
	}
	for end := time.Now().Add(patience); sockets() > 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d sockets are open, want the listener and one client", sockets())
		}
	}
	_, _ = io.WriteString(live, "still here\n")
	term.reads(t, `has ended: reset`)
	term.reads(t, `still here`)
	_, _ = io.WriteString(term, "/quit\r")
	term.reads(t, `/quit`)
	_, _ = io.Copy(io.Discard, live) // until it is told goodbye
	_ = live.Close()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, term)
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("it does not end")
	}
	<-drained
}
