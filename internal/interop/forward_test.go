//go:build linux

package interop_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"duet.example/duet/handler"
)

// forwardTo starts a duet that passes everything on to a port.
func forwardTo(t *testing.T, port string, flags ...string) (d *program, at string) {
	t.Helper()
	args := append([]string{"listen", "--forward", "127.0.0.1:" + port}, flags...)
	d = duet(t, append(args, "127.0.0.1:0")...)
	return d, d.port(d.out)
}

// twoHops starts two of them, one behind the other.
func twoHops(t *testing.T, port string) (near, far *program, at string) {
	t.Helper()
	far, at = forwardTo(t, port)
	near, at = forwardTo(t, at)
	return near, far, at
}

// forwardClients and forwardServers are who talks through two hops.
var (
	forwardClients = append([]piper{
		{name: "duet", connect: []string{"DUET", "connect", "--half-open", "30s", "127.0.0.1", "PORT"}},
		{name: "python", connect: []string{"python3", "testdata/piper.py", "PORT"}},
	}, pipers...)
	forwardServers = append([]piper{
		{name: "duet", listen: []string{"DUET", "listen", "--half-open", "30s", "127.0.0.1:PORT"}},
	}, pipers...)
)

func forwardPipes(t *testing.T, command []string, port string) *pipeline {
	t.Helper()
	a := forPort(command, port)
	if a[0] == "DUET" {
		a[0] = duetPath
	}
	return pipes(t, a[0], a[1:]...)
}

// Whoever talks through two hops with whomever: all bytes arrive, both ways, also after either side's half-close.
func TestForward_Pipes(t *testing.T) {
	for _, server := range forwardServers {
		for _, client := range forwardClients {
			t.Run(client.name+" to "+server.name, func(t *testing.T) {
				t.Parallel()
				meet := func(t *testing.T) (c, s *pipeline, near, far string) {
					t.Helper()
					far = freePort(t)
					s = forwardPipes(t, server.listen, far)
					awaitListener(t, s.program, far)
					_, _, near = twoHops(t, far)
					return forwardPipes(t, client.connect, near), s, near, far
				}
				for _, n := range []int64{0, 1, 64<<10 + 1, 16 * mib} {
					t.Run(fmt.Sprintf("%d bytes", n), func(t *testing.T) {
						c, s, near, _ := meet(t)
						atServer, atClient := catch(s.stdout, n), catch(c.stdout, n)
						var hold chan struct{}
						if server.quits && n > 0 {
							hold = atClient.arrived
						}
						down := pour(s.stdin, n, 2, nil)
						if server.quits && n == 0 { // it must have finished before its peer has
							awaitHalfClosed(t, near)
						}
						up := pour(c.stdin, n, 1, hold)
						wantSame(t, "to the server", up, atServer, patience)
						wantSame(t, "to the client", down, atClient, patience)
						c.ends(0)
						s.ends(0)
					})
				}
				const n = 4*mib + 1
				t.Run("server finishes first", func(t *testing.T) {
					c, s, near, _ := meet(t)
					oneThenOther(t, s, c, near, n)
				})
				if server.quits {
					return
				}
				t.Run("client finishes first", func(t *testing.T) {
					c, s, _, far := meet(t)
					oneThenOther(t, c, s, far, n)
				})
			})
		}
	}
}

// A reset arrives through two hops as a reset, behind what was said before it.
func TestForward_Reset(t *testing.T) {
	t.Run("by the client", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		_, _, at := twoHops(t, port)
		py := python(t, "resetter.py", at)
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		wantReset(t, c, py)
	})
	t.Run("by the server", func(t *testing.T) {
		t.Parallel()
		py := python(t, "resetter.py")
		_, _, at := twoHops(t, py.finds(py.out, `port (\d+)\n`))
		c, err := net.Dial("tcp", "127.0.0.1:"+at)
		if err != nil {
			t.Fatal(err)
		}
		wantReset(t, c, py)
	})
	t.Run("by the server, to duet", func(t *testing.T) {
		t.Parallel()
		py := python(t, "resetter.py")
		_, _, at := twoHops(t, py.finds(py.out, `port (\d+)\n`))
		c := duet(t, "connect", "127.0.0.1", at)
		c.says("hello\n")
		py.types("now")
		c.ends(6)
	})
	t.Run("by a client that is killed", func(t *testing.T) {
		t.Parallel()
		far := freePort(t)
		s := forwardPipes(t, forwardServers[0].listen, far)
		awaitListener(t, s.program, far)
		_, _, at := twoHops(t, far)
		c := run(t, "python3", "-c", "import socket,sys,time\nc=socket.create_connection(('127.0.0.1',int(sys.argv[1])))\nc.sendall(b'x')\nc.recv(1,socket.MSG_PEEK)\nprint('there')\ntime.sleep(1000)", at)
		if _, err := io.WriteString(s.stdin, "never read"); err != nil {
			t.Fatal(err)
		}
		c.says("there\n")
		_ = c.cmd.Process.Kill() // with bytes that it has not read
		s.ends(6)
	})
}

// wantReset hears hello, has the other end reset, and wants to see that.
func wantReset(t *testing.T, c net.Conn, py *program) {
	t.Helper()
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	hello := make([]byte, 6)
	if _, err := io.ReadFull(c, hello); err != nil || string(hello) != "hello\n" {
		t.Fatalf("heard %q, %v", hello, err)
	}
	py.types("now")
	if n, err := c.Read(hello); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %d bytes, %v, want a reset", n, err)
	}
}

// A target that is not there is one line to the client, and one to the operator.
func TestForward_Dead(t *testing.T) {
	for _, hops := range []int{1, 2} {
		t.Run(fmt.Sprint(hops), func(t *testing.T) {
			t.Parallel()
			dead := freePort(t)
			far, at := forwardTo(t, dead)
			if hops == 2 {
				_, at = forwardTo(t, at)
			}
			c := run(t, "nc.openbsd", "-N", "127.0.0.1", at)
			c.types("hello?")
			closeInput(c)
			c.ends(0)
			if got := c.out.text(); got != handler.DefaultForwardBusy+"\n" {
				t.Errorf("the client reads %q", got)
			}
			far.says("handler-failed (cannot reach 127.0.0.1:" + dead + ": connection refused)\n")
			_ = far.cmd.Process.Signal(syscall.SIGTERM)
			far.ends(143)
			if got := far.out.text() + far.err.text(); strings.Count(got, dead) != 1 {
				t.Errorf("the operator reads %q", got)
			}
		})
	}
}

// A forward stays, and serves many at once.
func TestForward_Many(t *testing.T) {
	t.Parallel()
	echo := duet(t, "listen", "--echo", "127.0.0.1:0")
	_, _, at := twoHops(t, echo.port(echo.out))
	const n = mib + 1
	for range 3 {
		var sums []<-chan sum
		var caught []*catcher
		for i := range 5 {
			c := forwardPipes(t, forwardClients[0].connect, at)
			caught = append(caught, catch(c.stdout, n))
			sums = append(sums, pour(c.stdin, n, byte(i), nil))
		}
		for i := range sums {
			wantSame(t, "back", sums[i], caught[i], patience)
		}
	}
}

// --tee keeps what passes, for its owner alone.
func TestForward_Tee(t *testing.T) {
	t.Parallel()
	echo := duet(t, "listen", "--echo", "127.0.0.1:0")
	file := filepath.Join(t.TempDir(), "tee")
	_, at := forwardTo(t, echo.port(echo.out), "--tee", file)
	c := duet(t, "connect", "127.0.0.1", at)
	c.types("question")
	closeInput(c)
	c.ends(0)
	if got := c.out.text(); got != "question\n" {
		t.Errorf("heard %q", got)
	}
	st, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if st.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v", st.Mode())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{" 1 > 9\nquestion\n\n", " 1 < 9\nquestion\n\n", " 1 > 0\n\n", " 1 < 0\n\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("recorded %q, want %q in it", text, want)
		}
	}
}
