//go:build linux

package interop_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Where a peer resets, that is told, and that the socket is closed without waiting.
func TestExplain_Reset(t *testing.T) {
	t.Run("server", func(t *testing.T) {
		t.Parallel()
		server, saw := traced(t, "listen", "--console", "127.0.0.1:0")
		port := server.port(server.out)
		py := python(t, "resetter.py", port)
		server.says("【Client】 hello\n")
		py.types("now")
		server.says("explain: the conversation with")
		server.types("/quit")
		server.ends(0)
		agree(t, "server", server, saw(), port, []string{"recv ECONNRESET"})
	})
	t.Run("client", func(t *testing.T) {
		t.Parallel()
		py := python(t, "resetter.py")
		port := py.finds(py.out, `port (\d+)\n`)
		client, saw := traced(t, "connect", "--console", "127.0.0.1", port)
		client.says("【Server】 hello\n")
		py.types("now")
		client.ends(6)
		agree(t, "client", client, saw(), port, []string{"recv ECONNRESET"})
	})
}

// A duet whose own output fails must not look to its peer as if it had taken everything: it resets, also while it explains.
func TestExplain_OutputFails(t *testing.T) {
	for _, flags := range [][]string{nil, {"--explain"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer full.Close()
			d := prepare(t, duetPath, append(append([]string{"connect"}, flags...), l.Addr().String())...)
			in, err := d.cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			d.cmd.Stdout = full
			d.start()
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(patience))
			if _, err := io.WriteString(c, "hello\n"); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, c); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the peer read to %v, want a reset", err)
			}
			d.ends(1)
		})
	}
}
