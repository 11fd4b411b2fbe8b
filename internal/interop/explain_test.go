//go:build linux

package interop_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// traced starts duet with --explain under strace. seen gives what strace saw, once duet has ended.
func traced(t *testing.T, args ...string) (d *program, seen func() string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "trace")
	d = run(t, "strace", append([]string{
		"-f", "-qq", "-s", "32", "-e", "signal=none", "-o", file,
		"-e", "trace=network,read,readv,write,writev,splice,sendfile,close", duetPath, args[0], "--explain",
	}, args[1:]...)...)
	return d, func() string {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// What --explain tells of a conversation's sockets is what strace saw: the calls, their order, the numbers of bytes, and
// who sent FIN or RST. Reading and writing go on at the same time, so a read may be told
// before or after a write that happened beside it; all else is in one order.
func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		name string
		// talk leads the conversation until both have ended or are about to.
		talk func(t *testing.T, server, client *program)
		// mustTell is told by the server, the client.
		server, client []string
	}{
		{
			name: "client's bye",
			talk: func(t *testing.T, server, client *program) {
				client.types("hello", "你好")
				server.says("【Client】 你好\n")
				server.types("yes?")
				client.says("【Server】 yes?\n")
				client.types("bye")
			},
			server: []string{"recv 0", "shutdown", "send 4"},
			client: []string{"shutdown", "recv 0"},
		},
		{
			name: "server's bye",
			talk: func(t *testing.T, server, client *program) {
				client.types("hello")
				server.says("【Client】 hello\n")
				server.types("bye")
			},
			server: []string{"shutdown", "recv 0"},
			client: []string{"recv 0", "shutdown", "send 4"},
		},
		{
			name: "shutdown",
			talk: func(t *testing.T, server, client *program) {
				client.types("hello")
				server.says("【Client】 hello\n")
				server.types("/quit")
			},
			server: []string{"shutdown", "recv 0"},
			client: []string{"recv 0", "shutdown"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, serverSaw := traced(t, "listen", "--console", "127.0.0.1:0")
			port := server.port(server.out)
			client, clientSaw := traced(t, "connect", "--console", "127.0.0.1", port)
			client.says("【Server】 Can I help you?\n")
			server.says("The Server has received a connection")
			tt.talk(t, server, client)
			client.says("explain: the conversation with")
			server.says("explain: the conversation with")
			client.ends(0)
			if tt.name != "shutdown" {
				server.types("/quit")
			}
			server.ends(0)
			agree(t, "server", server, serverSaw(), port, tt.server)
			agree(t, "client", client, clientSaw(), port, tt.client)
		})
	}
}

// The same where bytes are copied.
func TestExplain_Echo(t *testing.T) {
	t.Parallel()
	server, saw := traced(t, "listen", "--echo", "127.0.0.1:0")
	port := server.port(server.out)
	c := run(t, "nc.openbsd", "-N", "127.0.0.1", port)
	for _, text := range []string{"one", "two two", "three three three"} {
		c.types(text)
		c.says(text + "\n")
	}
	closeInput(c)
	c.ends(0)
	server.warns("explain: the conversation with")
	stopTraced(server)
	agree(t, "server", server, saw(), port, []string{"recv 4", "recv 8", "send 18", "recv 0", "shutdown"})
}

// stopTraced ends a server that runs under strace, which passes no signals on.
func stopTraced(p *program) {
	p.t.Helper()
	child, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(child)))
	if err != nil {
		p.t.Fatal(err)
	}
	_ = syscall.Kill(pid, syscall.SIGTERM)
	p.ends(143)
}

// agree compares what a duet told with what strace saw of its sockets.
func agree(t *testing.T, who string, p *program, trace, port string, mustTell []string) {
	t.Helper()
	told := narrated(t, p.err.text()+p.out.text())
	saw := observed(trace, port)
	for _, socket := range []string{"listener", "conversation"} {
		a, b := told[socket], saw[socket]
		for _, except := range [][]string{{"recv"}, {"send", "shutdown"}} {
			if x, y := without(a, except), without(b, except); !slices.Equal(x, y) {
				t.Errorf("%s's %s, without %v:\ntold %q\nseen %q", who, socket, except, x, y)
			}
		}
	}
	rest := told["conversation"]
	for _, want := range mustTell {
		if !slices.ContainsFunc(rest, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("%s does not tell of %q: %q", who, want, rest)
		}
	}
}

func without(calls, kinds []string) []string {
	var out []string
	for _, c := range calls {
		kind, _, _ := strings.Cut(c, " ")
		if !slices.Contains(kinds, kind) {
			out = append(out, c)
		}
	}
	return out
}
