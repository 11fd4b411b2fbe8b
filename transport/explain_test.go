//go:build linux

package transport_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"duet.example/duet/transport"
)

// TestStepsAgainstStrace compares each reported step with the system call that strace saw.
func TestStepsAgainstStrace(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is needed for this test: ", err)
	}
	tcp := listen(t, "127.0.0.1:0")
	tcp6 := listen(t, "[::1]:0")
	dir := t.TempDir()
	uln := listen(t, "unix:"+filepath.Join(dir, "server"))
	gone := listen(t, "127.0.0.1:0")
	gone.Close()
	_, port, _ := net.SplitHostPort(tcp.Addr().String())

	full, err := (&transport.ListenConfig{Backlog: -1}).Listen(t.Context(), parse(t, "127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	dial(t, full)

	stale := filepath.Join(dir, "stale")
	sl, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	sl.SetUnlinkOnClose(false)
	sl.Close()

	listening := duplicate(t, listen(t, "127.0.0.1:0"))
	ua := listen(t, "unix:"+filepath.Join(dir, "handed"))
	connected, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connected.Close()

	for _, tt := range []struct {
		name, task, address string
		fd                  *os.File
		fails               bool
	}{
		{name: "ipv4", task: "listen", address: "127.0.0.1:0"},
		{name: "everywhere", task: "listen", address: ":0"},
		{name: "only ipv6", task: "listen6", address: "[::1]:0"},
		{name: "name", task: "listen", address: "localhost:0"},
		{name: "unix", task: "listen", address: "unix:" + filepath.Join(dir, "own")},
		{name: "abstract", task: "listen", address: "unix:@duet-test-" + strconv.Itoa(os.Getpid())},
		{name: "unix stale", task: "listen", address: "unix:" + stale},
		{name: "unix busy", task: "listen", address: "unix:" + filepath.Join(dir, "server"), fails: true},
		{name: "port busy", task: "listen", address: tcp.Addr().String(), fails: true},
		{name: "address of another", task: "listen", address: "192.0.2.77:8080", fails: true},
		{name: "descriptor", task: "listenfd", fd: listening},
		{name: "unix descriptor", task: "listenfd", fd: duplicate(t, ua)},
		{name: "connected descriptor", task: "listenfd", fd: duplicate(t, connected), fails: true},
		{name: "ipv4", task: "connect", address: tcp.Addr().String()},
		{name: "ipv6", task: "connect", address: tcp6.Addr().String()},
		{name: "only ipv6", task: "connect6", address: tcp6.Addr().String()},
		{name: "name", task: "connect", address: "localhost:" + port},
		{name: "unix", task: "connect", address: "unix:" + uln.Addr().String()},
		{name: "unix nobody", task: "connect", address: "unix:" + filepath.Join(dir, "nothing"), fails: true},
		{name: "refused", task: "connect", address: gone.Addr().String(), fails: true},
		{name: "ipv4", task: "connectalone", address: tcp.Addr().String()},
		{name: "unix", task: "connectalone", address: "unix:" + uln.Addr().String()},
		{name: "unix nobody", task: "connectalone", address: "unix:" + filepath.Join(dir, "nothing"), fails: true},
		{name: "refused", task: "connectalone", address: gone.Addr().String(), fails: true},
		{name: "unreachable", task: "connectalone", address: "255.255.255.255:80", fails: true},
		{name: "nobody answers", task: "connectslow", address: full.Addr().String(), fails: true},
		{name: "unreachable", task: "connect", address: "255.255.255.255:80", fails: true},
		{name: "descriptor", task: "connectfd", fd: duplicate(t, connected)},
		{name: "listening descriptor", task: "connectfd", fd: listening, fails: true},
	} {
		t.Run(tt.task+" "+tt.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "trace")
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), strace, "-f", "-qq", "-s", "200", "-e", "signal=none",
				"-e", "trace=network,fcntl,fchmod,unlink,unlinkat,close", "-o", out, exe)
			cmd.Env = helperEnviron(tt.task, tt.address)
			if tt.fd != nil {
				cmd.ExtraFiles = []*os.File{tt.fd}
			}
			steps := talk(t, cmd, tt.fails)
			seen := readTrace(t, out, tt.fd != nil)
			if strings.HasPrefix(tt.task, "listen") && !tt.fails {
				steps = closedLast(t, steps, out)
			}
			for i := range max(len(steps), len(seen)) {
				switch {
				case i >= len(steps):
					t.Fatalf("not reported: %s(%s)", seen[i].name, seen[i].args)
				case i >= len(seen):
					t.Fatalf("reported and never made: %+v", steps[i])
				}
				if why := disagree(steps[i], seen[i]); why != "" {
					t.Fatalf("step %d: %s\nreported %+v\nmade %s(%s) = %s", i+1, why, steps[i], seen[i].name, seen[i].args, seen[i].result)
				}
			}
			if len(steps) == 0 {
				t.Fatal("no step was reported")
			}
		})
	}
}

// closedLast returns steps without the last one, the close of the listener, which readTrace leaves out.
func closedLast(t *testing.T, steps []jsonStep, trace string) []jsonStep {
	t.Helper()
	n := len(steps) - 1
	if n < 0 || steps[n].Call != "close" {
		t.Fatalf("the last step is not a close: %+v", steps)
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	if fd := strings.TrimPrefix(steps[n].Args, "fd "); !strings.Contains(string(text), " close("+fd+")") {
		t.Fatalf("close of %s was reported and never made", steps[n].Args)
	}
	return steps[:n]
}

// talk runs the helper, connects twice if it listens, and returns the steps that it reports.
func talk(t *testing.T, cmd *exec.Cmd, fails bool) []jsonStep {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var steps []jsonStep
	var said []string
	sc := bufio.NewScanner(out)
	for sc.Scan() {
		kind, rest, _ := strings.Cut(sc.Text(), " ")
		switch kind {
		case "step":
			var s jsonStep
			if err := json.Unmarshal([]byte(rest), &s); err != nil {
				t.Error(err)
			}
			steps = append(steps, s)
		case "ready":
			network := "tcp"
			if !strings.Contains(rest, ":") {
				network = "unix"
			}
			for range 2 {
				c, err := net.DialTimeout(network, rest, 5*time.Second)
				if err != nil {
					t.Error(err)
					continue
				}
				defer c.Close()
			}
		default:
			said = append(said, sc.Text())
		}
	}
	if err := cmd.Wait(); (err != nil) != fails {
		t.Fatalf("the helper ended with %v: %q", err, said)
	}
	return steps
}

type sysCall struct {
	name, args, result string
	fd                 string // the descriptor that the call used or made
}

var straceLine = regexp.MustCompile(`^(\d+) +(.*)$`)

// readTrace returns the calls for the helper's stream sockets. It leaves out the sockets with which package net probes for
// IPv4 and IPv6 (they neither listen nor connect nor fail to bind), the datagram sockets of the resolver, accepts that found
// no connection, flags of descriptors, and descriptors that are no sockets.
func readTrace(t *testing.T, path string, inherited bool) []sysCall {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	type socket struct {
		used  bool
		calls []int
	}
	var (
		calls []sysCall
		open  = make(map[string]*socket)
		all   []*socket
		half  = make(map[string]string)
		drop  = make(map[int]bool)
	)
	if inherited {
		open["3"] = &socket{used: true}
	}
	for line := range strings.Lines(string(b)) {
		m := straceLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			t.Fatalf("unknown line of strace: %q", line)
		}
		pid, text := m[1], m[2]
		if before, ok := strings.CutSuffix(text, " <unfinished ...>"); ok {
			half[pid] = before
			continue
		}
		if strings.HasPrefix(text, "<... ") {
			_, after, _ := strings.Cut(text, "resumed>")
			text = half[pid] + after
		}
		open1, eq := strings.Index(text, "("), strings.LastIndex(text, ") ")
		if open1 < 0 || eq < open1 {
			continue
		}
		c := sysCall{name: text[:open1], args: text[open1+1 : eq]}
		_, c.result, _ = strings.Cut(text[eq:], "= ")
		c.result = strings.TrimSpace(c.result)
		c.fd, _, _ = strings.Cut(c.args, ",")
		number, _, _ := strings.Cut(c.result, " ")
		s := open[c.fd]
		make1 := func(used bool) {
			n := &socket{used: used}
			open[number] = n
			all = append(all, n)
			s = n
		}
		switch {
		case c.name == "close":
			delete(open, c.args)
			continue
		case c.name == "unlink" || c.name == "unlinkat":
			if strings.HasPrefix(c.result, "-1") && strings.Contains(c.args, "AT_REMOVEDIR") {
				continue
			}
			c.name = "unlink"
			calls = append(calls, c)
			continue
		case c.name == "socket":
			if !strings.Contains(c.args, "SOCK_STREAM") {
				continue
			}
			make1(false)
			c.fd = number
		case c.name == "accept4":
			if strings.Contains(c.result, "EAGAIN") || s == nil {
				continue
			}
			c.name = "accept"
			on := s
			make1(true)
			s = on
		case c.name == "fcntl" && (s == nil && !inherited || !strings.Contains(c.args, "F_DUPFD_CLOEXEC")):
			continue
		case c.name == "fcntl":
			if s != nil {
				make1(true)
			}
		case s == nil && !(inherited && c.fd == "3"):
			continue
		}
		if s == nil {
			continue
		}
		if c.name == "listen" || c.name == "connect" || c.name == "bind" && strings.HasPrefix(c.result, "-1") {
			s.used = true
		}
		s.calls = append(s.calls, len(calls))
		calls = append(calls, c)
	}
	for _, s := range all {
		for _, i := range s.calls {
			drop[i] = drop[i] || !s.used
		}
	}
	var kept []sysCall
	for i, c := range calls {
		if !drop[i] {
			kept = append(kept, c)
		}
	}
	return kept
}

var (
	option = regexp.MustCompile(`\b(SO|TCP|IPV6)_[A-Z0-9_]+\b`)
	number = regexp.MustCompile(`-?\d+$`)
)

// disagree returns a difference between a step and a call, or "".
func disagree(s jsonStep, c sysCall) string {
	if s.Call != c.name {
		return "another call"
	}
	if failed := strings.HasPrefix(c.result, "-1"); failed != (s.Err != "") {
		// A connect that does not wait returns EINPROGRESS. Its result is read later.
		if !strings.Contains(c.result, "EINPROGRESS") {
			return "another outcome"
		}
	}
	if s.Call == "unlink" {
		if !strings.Contains(c.args, `"`+s.Args+`"`) {
			return "another file"
		}
		return ""
	}
	fd := s.Args
	if s.Call == "socket" {
		fd = s.Result
		if family, _, _ := strings.Cut(s.Args, ","); !strings.HasPrefix(c.args, family+",") {
			return "another family"
		}
	}
	fd, _, _ = strings.Cut(fd, ",")
	if fd != "fd "+c.fd {
		return "another descriptor"
	}
	if s.Call == "setsockopt" || s.Call == "getsockopt" {
		name := option.FindString(s.Args)
		if !regexp.MustCompile(`\b` + name + `\b`).MatchString(c.args) {
			return "another option"
		}
		if value := number.FindString(s.Args); s.Call == "setsockopt" && !strings.Contains(c.args, "["+value+"]") {
			return "another value"
		}
	}
	if value := number.FindString(s.Args); s.Call == "listen" && strings.Contains(s.Args, "backlog ") && !strings.HasSuffix(c.args, ", "+value) {
		return "another backlog"
	}
	_, port, _ := net.SplitHostPort(lastWord(s.Result))
	if port == "" && (s.Call == "connect" || s.Call == "bind") {
		_, port, _ = net.SplitHostPort(lastWord(s.Args))
	}
	if port != "" && !strings.Contains(c.args, fmt.Sprintf("htons(%s)", port)) {
		return "another port"
	}
	return ""
}

func lastWord(s string) string { return s[strings.LastIndex(s, " ")+1:] }
