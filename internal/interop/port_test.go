//go:build linux

package interop_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"duet.example/duet/transport"
)

// The queue of connections that wait to be accepted is as long as was asked for, and by default as long as the system allows.
// ss shows it.
func TestBacklog(t *testing.T) {
	largest, known := transport.Somaxconn()
	if !known {
		t.Fatal("the system does not tell its largest backlog")
	}
	for asked, want := range map[string]string{"-5": "0", "0": "0", "7": "7", "100": "100", "": strconv.Itoa(largest)} {
		t.Run("backlog "+asked, func(t *testing.T) {
			t.Parallel()
			args := []string{"listen", "--echo"}
			if asked != "" {
				args = append(args, "--backlog", asked)
			}
			d := duet(t, append(args, "127.0.0.1:0")...)
			got, ok := listening(t, d.port(d.out))
			if !ok || got != want {
				t.Errorf("ss shows a backlog of %q, want %s", got, want)
			}
		})
	}
}

// However a server ends, its port can be used again at once, also while conversations that it ended are in TIME_WAIT.
func TestPortIsFree(t *testing.T) {
	signal := func(sig syscall.Signal) func(d *program) {
		return func(d *program) { _ = d.cmd.Process.Signal(sig) }
	}
	for _, tt := range []struct {
		name string
		args []string
		stop func(server *program)
		code int
		// open leaves a second conversation for the end of the server.
		open bool
	}{
		{"quit", []string{"--console"}, func(d *program) { d.types("/quit") }, 0, true},
		{"SIGINT", []string{"--console"}, signal(syscall.SIGINT), 130, true},
		{"SIGTERM", []string{"--console"}, signal(syscall.SIGTERM), 143, true},
		{"SIGHUP", []string{"--console"}, signal(syscall.SIGHUP), 129, true},
		{"SIGTERM, nobody there", []string{"--console"}, signal(syscall.SIGTERM), 143, false},
		{"SIGKILL", []string{"--console"}, signal(syscall.SIGKILL), -1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := duet(t, append(append([]string{"listen"}, tt.args...), "127.0.0.1:0")...)
			port := d.port(d.out)
			c := duet(t, "connect", "--console", "127.0.0.1", port)
			c.says("【Server】 Can I help you?\n")
			d.says("The Server has received a connection")
			d.types("bye") // whoever finishes first is the one that has to wait in TIME_WAIT
			c.ends(0)
			d.says("has ended: farewell\n")
			if tt.open {
				c = duet(t, "connect", "--console", "127.0.0.1", port)
				c.says("【Server】 Can I help you?\n")
			}
			tt.stop(d)
			d.ends(tt.code)
			if !waiting(t, port) {
				t.Error("nothing is in TIME_WAIT: this shows nothing")
			}
			again(t, port)
		})
	}
	t.Run("pipe", func(t *testing.T) {
		t.Parallel()
		d := duet(t, "listen", "127.0.0.1:0")
		port := d.port(d.err)
		closeInput(d)
		c := run(t, "nc.openbsd", "-N", "127.0.0.1", port)
		awaitHalfClosed(t, port) // duet has finished, and nc has not
		closeInput(c)
		d.ends(0)
		if !waiting(t, port) {
			t.Error("nothing is in TIME_WAIT: this shows nothing")
		}
		again(t, port)
	})
}

// waiting reports whether a connection of the server's side is in TIME_WAIT.
func waiting(t *testing.T, port string) bool {
	t.Helper()
	for until := time.Now().Add(time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		out, err := exec.Command("ss", "-Htn", "state", "time-wait", "sport = :"+port).Output()
		if err != nil {
			t.Fatalf("ss: %v", err)
		}
		if len(out) > 0 {
			return true
		}
	}
	return false
}

// again starts a server at the port, once, and talks with it.
func again(t *testing.T, port string) {
	t.Helper()
	d := duet(t, "listen", "--console", "127.0.0.1", port)
	d.port(d.out)
	c := duet(t, "connect", "--console", "127.0.0.1", port)
	c.says("【Server】 Can I help you?\n")
	c.types("bye")
	c.ends(0)
}

// While a server that is stopped accepts nobody, as many connections wait as were asked for, and one more, as Linux
// counts. The others (Linux may have told them that they are connected) get in later; none is lost.
func TestBacklog_HeldBack(t *testing.T) {
	t.Parallel()
	d := duet(t, "listen", "--echo", "--backlog", "3", "127.0.0.1:0")
	port := d.port(d.out)
	_ = d.cmd.Process.Signal(syscall.SIGSTOP)
	stopped(t, d.cmd.Process.Pid)
	const all, most = 8, 4
	var dials errgroup.Group
	for range all {
		dials.Go(func() error {
			c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, patience)
			if err != nil {
				return err
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(patience))
			if _, err := io.WriteString(c, "x"); err != nil {
				return err
			}
			_, err = io.ReadFull(c, make([]byte, 1))
			return err
		})
	}
	for until := time.Now().Add(patience); queued(t, port) < most && time.Now().Before(until); {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond) // for one too many to show itself
	if n := queued(t, port); n != most {
		t.Errorf("%d connections of %d wait, want %d", n, all, most)
	}
	_ = d.cmd.Process.Signal(syscall.SIGCONT)
	if err := dials.Wait(); err != nil {
		t.Error(err)
	}
}

// stopped waits until every thread of a process has stopped: the signal alone is only on its way.
func stopped(t *testing.T, pid int) {
	t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(time.Millisecond) {
		stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil || len(stats) == 0 {
			t.Fatalf("process %d: %v", pid, err)
		}
		running := slices.ContainsFunc(stats, func(path string) bool {
			b, err := os.ReadFile(path)
			_, state, _ := strings.Cut(string(b), ") ") // proc(5): the name, which is in parentheses, comes before the state
			return err == nil && !strings.HasPrefix(state, "T")
		})
		if !running {
			return
		}
	}
	t.Fatalf("process %d does not stop", pid)
}

// queued is how many connections wait to be accepted, as ss shows it.
func queued(t *testing.T, port string) int {
	t.Helper()
	out, err := exec.Command("ss", "-Hltn", "sport = :"+port).Output()
	if err != nil {
		t.Fatalf("ss: %v", err)
	}
	f := strings.Fields(string(out))
	if len(f) < 3 {
		t.Fatalf("nobody listens at %s", port)
	}
	n, _ := strconv.Atoi(f[1])
	return n
}
