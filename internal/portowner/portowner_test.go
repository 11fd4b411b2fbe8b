package portowner_test

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"duet.example/duet/internal/portowner"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFindsThisProcess(t *testing.T) {
	for _, tt := range []struct {
		network, at string
		ask         []string
	}{
		{"tcp4", "127.0.0.1:0", []string{"127.0.0.1", "", "0.0.0.0", "localhost", "::ffff:127.0.0.1"}},
		{"tcp6", "[::1]:0", []string{"::1", "::"}},
		{"tcp", ":0", []string{"127.0.0.1", "::1", ""}},
	} {
		t.Run(tt.network+tt.at, func(t *testing.T) {
			l, err := net.Listen(tt.network, tt.at)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
			for _, host := range tt.ask {
				pid, name, ok := portowner.Find(t.Context(), "tcp", net.JoinHostPort(host, port))
				if runtime.GOOS != "linux" {
					if ok {
						t.Errorf("host %q: found %d, which nobody can know here", host, pid)
					}
					continue
				}
				if !ok || pid != os.Getpid() {
					t.Errorf("host %q: got %d %q %v, want %d", host, pid, name, ok, os.Getpid())
				}
				// The kernel keeps 15 bytes of a name.
				if name == "" || !strings.HasPrefix(filepath.Base(os.Args[0]), name) {
					t.Errorf("host %q: name %q of %q", host, name, os.Args[0])
				}
			}
		})
	}
}

func TestFindsNobody(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	if pid, name, ok := portowner.Find(t.Context(), "tcp", "127.0.0.2:"+port); ok {
		t.Errorf("another address: got %d %q", pid, name)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, q := range [][2]string{
		{"tcp", "127.0.0.1:" + port},
		{"tcp", "127.0.0.1:0"},
		{"tcp", "127.0.0.1:http"},
		{"tcp", "127.0.0.1"},
		{"tcp", ":99999"},
		{"unix", "/tmp/x:80"},
		{"udp", "127.0.0.1:80"},
	} {
		if pid, name, ok := portowner.Find(t.Context(), q[0], q[1]); ok {
			t.Errorf("%v: got %d %q", q, pid, name)
		}
	}
}
