//go:build linux

package interop_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// family is a line for a shell that starts, beside itself, processes of each kind: in its group, a grandchild there, in a session of its own, and
// one of those whose parent has ended. They ignore SIGTERM and SIGHUP. Each sleeps for the time mark, by which it is found.
func family(mark string) string {
	return "trap '' TERM HUP; sleep " + mark + " & (sleep " + mark + " & sleep " + mark + ") & " +
		"setsid sleep " + mark + " & (setsid sleep " + mark + " &) ; echo there; sleep " + mark
}

const familySize = 6

// wantSleepers waits until so many processes sleep for mark.
func wantSleepers(t *testing.T, mark string, want int) {
	t.Helper()
	got := 0
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		out, _ := exec.Command("pgrep", "-x", "-f", "sleep "+mark).Output()
		if got = len(strings.Fields(string(out))); got == want {
			return
		}
	}
	t.Fatalf("%d processes are there, want %d", got, want)
}

// newMark is a time that only one test sleeps for. What is left of it is killed when the test ends.
func newMark(t *testing.T) string {
	mark := fmt.Sprintf("600.%d%03d", os.Getpid(), nextPort.Add(1))
	t.Cleanup(func() { _ = exec.Command("pkill", "-KILL", "-x", "-f", "sleep "+mark).Run() })
	return mark
}

// Whatever ends duet ends what its programs have started. After SIGKILL, only what has made a session of its own is left.
func TestExec_Killed(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGKILL} {
		for _, flag := range []string{"--shell", "--exec-shared"} {
			t.Run(sig.String()+flag, func(t *testing.T) {
				t.Parallel()
				mark := newMark(t)
				line := family(mark)
				if flag == "--exec-shared" {
					line = `sh -c "` + line + `"`
				}
				srv, port, _ := roomServer(t, flag, line)
				dialTo(t, port).gets("there\n")
				wantSleepers(t, mark, familySize)
				guard, err := exec.Command("pgrep", "-P", fmt.Sprint(srv.cmd.Process.Pid), "-f", "duet-guard").Output()
				if err != nil {
					t.Fatalf("no guard: %v", err)
				}
				if err := srv.cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
				left := 0
				if sig == syscall.SIGKILL {
					left = 2
				}
				wantSleepers(t, mark, left)
				<-srv.done
				if dumped := strings.Contains(srv.err.text(), "goroutine "); dumped != (sig == syscall.SIGQUIT || sig == syscall.SIGABRT) {
					t.Errorf("goroutines were printed: %v", dumped)
				}
				wantNobody(t, "-f", "duet-guard", "-s", strings.TrimSpace(string(guard))) // it leads its session
			})
		}
	}
}

// If the guard is killed as well, each program itself ends with duet.
func TestExec_KilledWithItsGuard(t *testing.T) {
	t.Parallel()
	mark := newMark(t)
	srv, port, _ := roomServer(t, "--exec", "sleep "+mark)
	dialTo(t, port)
	wantSleepers(t, mark, 1)
	if out, err := exec.Command("pkill", "-KILL", "-P", fmt.Sprint(srv.cmd.Process.Pid), "-f", "duet-guard").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := srv.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	wantSleepers(t, mark, 0)
	<-srv.done
}

// What has made a session of its own ends with its program's conversation, while others go on.
func TestExec_OwnSession(t *testing.T) {
	t.Parallel()
	one, other := newMark(t), newMark(t)
	_, port, _ := roomServer(t, "--shell", `read mark; setsid sleep $mark & (setsid sleep $mark &); echo there; cat; echo`)
	a, b := dialTo(t, port), dialTo(t, port)
	for s, mark := range map[*socket]string{a: one, b: other} {
		if _, err := fmt.Fprintln(s, mark); err != nil {
			t.Fatal(err)
		}
		s.gets("there\n")
		wantSleepers(t, mark, 2)
	}
	_ = a.CloseWrite()
	a.gets("\n")
	wantSleepers(t, one, 0)
	wantSleepers(t, other, 2)
	_ = b.CloseWrite()
	wantSleepers(t, other, 0)
}
