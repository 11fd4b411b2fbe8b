//go:build unix

package bulk_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"duet.example/duet/internal/bulk"
)

// A source is a src for Copy, and the end that feeds it. feed is nil if the data is there from the start.
type source struct {
	r    io.Reader
	feed io.WriteCloser
}

// A sink is a dst for Copy. out returns a reader of the bytes that arrive; if later is set, it is called after Copy has returned. finish ends dst,
// so that the reader ends.
type sink struct {
	w      io.Writer
	out    func() io.Reader
	later  bool
	finish func()
}

var (
	sourceKinds = []string{"file", "stdin-file", "pipe", "blocking-pipe", "stdin-pipe", "tcp", "unix", "blocking-socket", "stdin-socket", "terminal", "stdin-terminal", "memory", "plain"}
	sinkKinds   = []string{"file", "append", "null", "terminal", "pipe", "blocking-pipe", "tcp", "unix", "blocking-socket", "memory", "plain"}
)

func newSource(t testing.TB, kind string, data []byte) source {
	t.Helper()
	switch kind {
	case "file", "stdin-file":
		name := filepath.Join(t.TempDir(), "src")
		must(t, os.WriteFile(name, data, 0o600))
		f := get(os.Open(name))(t)
		closeLater(t, f)
		if kind == "file" {
			return source{r: f}
		}
		return source{r: stdin(t, f)}
	case "pipe":
		r, w, err := os.Pipe()
		must(t, err)
		closeLater(t, r, w)
		return source{r, w}
	case "blocking-pipe", "stdin-pipe":
		r, w := blockingPipe(t)
		if kind == "blocking-pipe" {
			return source{r, w}
		}
		return source{stdin(t, r), w}
	case "tcp", "unix":
		a, b := sockets(t, kind)
		return source{a, b}
	case "blocking-socket", "stdin-socket":
		f, c := blockingSocket(t)
		if kind == "blocking-socket" {
			return source{f, c}
		}
		return source{stdin(t, f), c}
	case "terminal", "stdin-terminal":
		tty, keys := terminal(t)
		if kind == "terminal" {
			return source{tty, keys}
		}
		return source{stdin(t, tty), keys}
	case "memory":
		a, b := net.Pipe()
		closeLater(t, a, b)
		return source{a, b}
	case "plain":
		r, w := io.Pipe()
		return source{r, w}
	}
	t.Fatalf("no source %q", kind)
	return source{}
}

func newSink(t testing.TB, kind string) sink {
	t.Helper()
	switch kind {
	case "file", "append":
		name := filepath.Join(t.TempDir(), "dst")
		flags := os.O_CREATE | os.O_WRONLY
		if kind == "append" {
			flags |= os.O_APPEND
		}
		f := get(os.OpenFile(name, flags, 0o600))(t)
		closeLater(t, f)
		out := func() io.Reader { r := get(os.Open(name))(t); closeLater(t, r); return r }
		return sink{w: f, out: out, later: true, finish: func() {}}
	case "null":
		f := get(os.OpenFile(os.DevNull, os.O_WRONLY, 0))(t)
		closeLater(t, f)
		return sink{w: f, finish: func() {}}
	case "pipe":
		r, w, err := os.Pipe()
		must(t, err)
		closeLater(t, r, w)
		return sink{w: w, out: reader(r), finish: func() { w.Close() }}
	case "blocking-pipe":
		r, w := blockingPipe(t)
		return sink{w: w, out: reader(r), finish: func() { w.Close() }}
	case "tcp", "unix":
		a, b := sockets(t, kind)
		return sink{w: a, out: reader(b), finish: func() { a.(interface{ CloseWrite() error }).CloseWrite() }}
	case "blocking-socket":
		f, c := blockingSocket(t)
		return sink{w: f, out: reader(c), finish: func() { f.Close() }}
	case "terminal":
		tty, screen := terminal(t)
		return sink{w: tty, out: reader(screen), finish: func() { tty.Close() }}
	case "memory":
		a, b := net.Pipe()
		closeLater(t, a, b)
		return sink{w: a, out: reader(b), finish: func() { a.Close() }}
	case "plain":
		r, w := io.Pipe()
		return sink{w: w, out: reader(r), finish: func() { w.Close() }}
	}
	t.Fatalf("no sink %q", kind)
	return sink{}
}

func reader(r io.Reader) func() io.Reader { return func() io.Reader { return r } }

func stdin(t testing.TB, f *os.File) *bulk.Stdin {
	t.Helper()
	s := get(bulk.NewStdin(f))(t)
	closeLater(t, s)
	return s
}

// blockingPipe returns a pipe without O_NONBLOCK, as a shell makes it.
func blockingPipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	p := make([]int, 2)
	must(t, syscall.Pipe(p))
	r, w = os.NewFile(uintptr(p[0]), "r"), os.NewFile(uintptr(p[1]), "w")
	closeLater(t, r, w)
	return r, w
}

func blockingSocket(t testing.TB) (*os.File, net.Conn) {
	t.Helper()
	p, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	must(t, err)
	f := os.NewFile(uintptr(p[0]), "socket")
	g := os.NewFile(uintptr(p[1]), "peer")
	c := get(net.FileConn(g))(t)
	must(t, g.Close())
	closeLater(t, f, c)
	return f, c
}

// terminal returns a terminal that changes no byte, and its user.
func terminal(t testing.TB) (tty *os.File, user *terminalUser) {
	t.Helper()
	p, tty, err := pty.Open()
	must(t, err)
	_, err = term.MakeRaw(int(tty.Fd()))
	must(t, err)
	closeLater(t, p, tty)
	return tty, &terminalUser{p, tty}
}

// A terminalUser types and reads. Its Close waits until the terminal has read everything, because the end of a terminal discards the rest.
type terminalUser struct{ pty, tty *os.File }

func (u *terminalUser) Write(p []byte) (int, error) { return u.pty.Write(p) }

func (u *terminalUser) Read(p []byte) (int, error) {
	n, err := u.pty.Read(p)
	if errors.Is(err, syscall.EIO) {
		err = io.EOF // nobody has the terminal open any more
	}
	return n, err
}

func (u *terminalUser) Close() error {
	// Typed bytes get to the terminal a moment later, so it has to be empty for 20 ms.
	empty := 0
	for begin := time.Now(); empty < 20 && time.Since(begin) < soon; time.Sleep(time.Millisecond) {
		empty++
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(u.tty.Fd()), Events: unix.POLLIN}}, 0); err == nil && n > 0 {
			empty = 0
		}
	}
	return u.pty.Close()
}

func sockets(t testing.TB, network string) (a, b net.Conn) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		dir := get(os.MkdirTemp("", "bulk"))(t)
		t.Cleanup(func() { os.RemoveAll(dir) })
		address = filepath.Join(dir, "s")
	}
	l := get(net.Listen(network, address))(t)
	defer l.Close()
	a = get(net.Dial(network, l.Addr().String()))(t)
	b = get(l.Accept())(t)
	closeLater(t, a, b)
	return a, b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func get[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return v
	}
}

func closeLater(t testing.TB, cs ...io.Closer) {
	t.Cleanup(func() {
		for _, c := range cs {
			c.Close()
		}
	})
}
