//go:build unix

package handler_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"duet.example/duet/handler"
)

// childMark is the first argument with which the test binary is a program behind a port.
const childMark = "be-a-child:"

// child is the command line of the child called name.
func child(name string, args ...string) []string {
	if children[name] == nil {
		panic("no child is called " + name)
	}
	return append([]string{os.Args[0], childMark + name}, args...)
}

var children map[string]func(args []string)

// init runs a child if the test binary was started as one.
func init() {
	children = map[string]func(args []string){
		"stubborn": func([]string) { // ignores SIGTERM
			signal.Ignore(unix.SIGTERM, unix.SIGPIPE)
			sayPid()
			forever()
		},
		"silent": func([]string) { // neither reads nor prints, once it has printed its number
			sayPid()
			forever()
		},
		"idler": func([]string) { // a grandchild
			signal.Ignore(unix.SIGTERM, unix.SIGHUP)
			sayPid()
			os.Stderr.WriteString("x")
			forever()
		},
		"chatty idler": func([]string) {
			signal.Ignore(unix.SIGPIPE)
			sayPid()
			os.Stderr.WriteString("x")
			for range 12_000 { // two minutes, see forever
				os.Stdout.WriteString("still here\n")
				time.Sleep(10 * time.Millisecond)
			}
		},
		"leaver": func([]string) { // ends, and leaves a process that holds its output
			sayPid()
			grandchild("idler", os.Stdout, nil)
		},
		"quiet leaver": func([]string) { // leaves a process that holds nothing
			sayPid()
			grandchild("idler", nil, nil)
			sayPid()
		},
		"escaper": func([]string) { // leaves a process that holds its output and has left the group
			sayPid()
			grandchild("idler", os.Stdout, &syscall.SysProcAttr{Setsid: true})
		},
		"chatty escaper": func([]string) {
			sayPid()
			grandchild("chatty idler", os.Stdout, &syscall.SysProcAttr{Setsid: true})
		},
		"flood": func([]string) {
			sayPid()
			printForever()
		},
		"asked flood": func([]string) { // floods once it has read something
			sayPid()
			_, _ = os.Stdin.Read(make([]byte, 1))
			printForever()
		},
		"print": func(args []string) { // so many random bytes, and a status
			size, _ := strconv.ParseInt(args[0], 10, 64)
			status, _ := strconv.Atoi(args[1])
			io.Copy(os.Stdout, random(7, size))
			syscall.Exit(status)
		},
		"print zeros": func(args []string) { // one line
			size, _ := strconv.Atoi(args[0])
			os.Stdout.Write(append(make([]byte, size), '\n'))
		},
		"env":       func([]string) { fmt.Println(strings.Join(os.Environ(), "\n")) },
		"custodian": func([]string) { listGuard() },
	}
	if len(os.Args) < 2 {
		return
	}
	if name, ok := strings.CutPrefix(os.Args[1], childMark); ok {
		children[name](os.Args[2:])
		syscall.Exit(0) // os.Exit takes a second under the race detector
	}
}

// listGuard takes reaper and lists the descriptors of the guard, which is the only child (Linux).
func listGuard() {
	inherited, err := unix.Open("/dev/null", unix.O_RDONLY, 0)
	if err != nil {
		panic(err)
	}
	reaper, err := handler.StartReaper()
	if err != nil {
		panic(err)
	}
	defer reaper.Close()
	if flags, err := unix.FcntlInt(uintptr(inherited), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
		fmt.Println("our own descriptor has become close-on-exec", err)
	}
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, task := range tasks {
		list, _ := os.ReadFile(task)
		for _, pid := range strings.Fields(string(list)) {
			fds, _ := os.ReadDir("/proc/" + pid + "/fd")
			for _, fd := range fds {
				fmt.Println(fd.Name())
			}
		}
	}
}

// sayPid prints the number of the process group.
func sayPid() { fmt.Println(os.Getpid()) }

// printForever prints as fast as it can.
func printForever() {
	for b := make([]byte, 64<<10); ; {
		if _, err := os.Stdout.Write(b); err != nil {
			forever() // an error of printing must not end it
			return
		}
	}
}

// forever is longer than any test, but a child that a failing test forgets ends by itself.
func forever() { time.Sleep(2 * time.Minute) }

// grandchild starts a child of its own, which prints its number first.
func grandchild(name string, stdout *os.File, attr *syscall.SysProcAttr) {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	argv := child(name)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = stdout, w, attr
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	w.Close()
	io.ReadFull(r, make([]byte, 1)) // it is ready
}

// hearPid reads the number of a child's group.
func hearPid(t testing.TB, r io.Reader) int {
	t.Helper()
	return get(readPid(r))(t)
}

func readPid(r io.Reader) (int, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		if _, err := io.ReadFull(r, b); err != nil {
			return 0, fmt.Errorf("heard %q, %w, want a number", line, err)
		}
		if b[0] == '\n' {
			return strconv.Atoi(string(line))
		}
		line = append(line, b[0])
	}
}

// serveChild has h answer a conversation, until the child has printed the number of its group. A limit of h that ends the
// child before that, because the machine is busy, is doubled.
func serveChild(t testing.TB, h *handler.Exec) (peer net.Conn, s *served, group int) {
	t.Helper()
	for {
		peer, nc := ends(t, "tcp")
		s := serve(t, h, nc, "tcp")
		group, err := readPid(peer)
		if err == nil {
			return peer, s, group
		}
		if limit := max(h.Time, h.Idle); limit == 0 || limit > soon {
			t.Fatal(err)
		}
		<-s.done
		h.Time *= 2
		h.Idle *= 2
	}
}

// wantGone wants no process of the group to be left 2 s after since. A busy machine gets more: it may stop the test, too,
// so the test looks at least 50 times.
func wantGone(t testing.TB, group int, since time.Time) {
	t.Helper()
	for looks := 0; unix.Kill(-group, 0) != unix.ESRCH && anybodyIn(t, group); looks++ {
		if took := time.Since(since); took > 2*time.Second+slack && looks > 50 {
			unix.Kill(-group, unix.SIGKILL)
			t.Fatalf("of the group of %d somebody is still there after %v", group, took)
		}
		time.Sleep(20 * time.Millisecond) // ps has the whole machine to look at
	}
}

// slack is the time that a busy machine may add to 2 s.
const slack = time.Second

// anybodyIn looks for members of a group that have not ended.
func anybodyIn(t testing.TB, group int) bool {
	t.Helper()
	for line := range strings.Lines(string(get(exec.Command("ps", "-A", "-o", "pgid=,stat=").Output())(t))) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == strconv.Itoa(group) && f[1][0] != 'Z' {
			return true
		}
	}
	return false
}
