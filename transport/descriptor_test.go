//go:build unix

package transport_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"duet.example/duet/transport"
)

func TestListeningDescriptor(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", ":0", "unix:" + t.TempDir() + "/s"} {
		first := listen(t, address)
		f := duplicate(t, first)
		var lc transport.ListenConfig
		l, err := lc.File(int(f.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		if l.Addr().String() != first.Addr().String() {
			t.Errorf("%s: address %s", address, l.Addr())
		}
		out, in := dial(t, l), accept(t, l)
		if _, err := io.WriteString(out, "x"); err != nil {
			t.Error(err)
		}
		if _, err := in.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
		// The socket was duplicated: the first descriptor still works.
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		dial(t, first)
		accept(t, first)
		if _, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); err != nil {
			t.Errorf("%s: the descriptor was closed: %v", address, err)
		}
	}
}

func TestConnectedDescriptor(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "unix:" + t.TempDir() + "/s"} {
		l := listen(t, address)
		out, in := dial(t, l), accept(t, l)
		f := duplicate(t, out)
		out.Close()
		var d transport.Dialer
		c, err := d.File(int(f.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		if _, err := io.WriteString(c, "hello"); err != nil {
			t.Error(err)
		}
		c.Close()
		if b, err := io.ReadAll(in); err != nil || string(b) != "hello" {
			t.Errorf("%s: read %q, %v", address, b, err)
		}
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	var d transport.Dialer
	c, err := d.File(pair[0])
	if err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	unix.Close(pair[0])
	unix.Close(pair[1])
}

func TestWrongDescriptors(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	conn := dial(t, l)
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	bare, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(bare)
	const closed = 1 << 20 // above the limit of open files
	var lc transport.ListenConfig
	var d transport.Dialer
	for _, tt := range []struct {
		name                   string
		fd                     int
		listen, dial           bool // true: ListenConfig.File or Dialer.File refuses it
		listenError, dialError string
		err                    error
	}{
		{"connected", int(duplicate(t, conn).Fd()), true, false, "does not listen", "", nil},
		{"listening", int(duplicate(t, l).Fd()), false, true, "", "a listening one", nil},
		{"datagram", int(duplicate(t, udp).Fd()), true, true, "another type", "another type", nil},
		{"pipe", int(r.Fd()), true, true, "no socket", "no socket", syscall.ENOTSOCK},
		{"closed", closed, true, true, "no open descriptor", "no open descriptor", syscall.EBADF},
		{"negative", -1, true, true, "no open descriptor", "no open descriptor", syscall.EBADF},
		{"neither", bare, true, true, "does not listen", "without a peer", nil},
	} {
		check := func(refused bool, text string, c io.Closer, err error) {
			t.Helper()
			if !refused {
				if err != nil {
					t.Errorf("%s: %v", tt.name, err)
				} else {
					c.Close()
				}
				return
			}
			var de *transport.DescriptorError
			if !errors.As(err, &de) || de.FD != tt.fd || !strings.Contains(de.Error(), text) {
				t.Errorf("%s: %v", tt.name, err)
			}
			if tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("%s: %v is not %v", tt.name, err, tt.err)
			}
		}
		ln, err := lc.File(tt.fd)
		check(tt.listen, tt.listenError, ln, err)
		c, err := d.File(tt.fd)
		check(tt.dial, tt.dialError, c, err)
	}
}

func TestSystemd(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	ul := listen(t, "unix:"+t.TempDir()+"/s")
	conn := dial(t, l)
	for _, tt := range []struct {
		name          string
		pid, fds, tag string
		fd            any
		want          string // part of the error; empty: the socket works
	}{
		{"one", "self", "1", "duet", l, ""},
		{"one on a unix socket", "self", "1", "", ul, ""},
		{"nothing", "", "", "", nil, "no socket was passed"},
		{"none", "self", "0", "", nil, "no socket was passed"},
		{"several", "self", "2", "web:duet", l, "2 sockets were passed, and one is wanted: \"web:duet\""},
		{"another process", "1", "1", "", l, "not to this one"},
		{"no number", "self", "many", "", l, "no number"},
		{"connected", "self", "1", "", conn, "does not listen"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), exe)
			cmd.Env = helperEnviron("systemd", "")
			for name, v := range map[string]string{"LISTEN_PID": tt.pid, "LISTEN_FDS": tt.fds, "LISTEN_FDNAMES": tt.tag} {
				if v != "" {
					cmd.Env = append(cmd.Env, name+"="+v)
				}
			}
			if tt.fd != nil {
				cmd.ExtraFiles = []*os.File{duplicate(t, tt.fd)}
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			said := ""
			sc := bufio.NewScanner(out)
			for sc.Scan() {
				if strings.HasPrefix(sc.Text(), "ready ") {
					for range 2 {
						dial(t, tt.fd.(net.Listener))
					}
				}
				if strings.HasPrefix(sc.Text(), "error ") {
					said = sc.Text()
				}
			}
			err = cmd.Wait()
			if (err == nil) != (tt.want == "") || !strings.Contains(said, tt.want) {
				t.Errorf("ended with %v, said %q", err, said)
			}
		})
	}
}
