package duet_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"duet.example/duet"
)

// childEnv is the environment variable that makes a copy of the test program a server with few descriptors.
const childEnv = "DUET_TEST_CHILD"

// serveWithFew is the child. It serves on a socket with a low limit of descriptors, and answers each line of
// its stdin with a report of its use of processor time and of its log.
func serveWithFew(t *testing.T, maxConns int, busy string) {
	limit := syscall.Rlimit{Cur: 100, Max: 100}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	var log logBuffer
	var refused, full, pauses atomic.Int64
	s := &duet.Server{
		MaxConns: maxConns, Busy: busy, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Handler: duet.HandlerFunc(func(_ context.Context, c *duet.Conn) error {
			nc, err := c.Raw(context.Background())
			if err != nil {
				return err
			}
			_, err = io.Copy(nc, struct{ io.Reader }{nc})
			return err
		}),
		Options: duet.Options{Trace: &duet.Trace{
			Refused: func(_ net.Addr, err error) {
				refused.Add(1)
				if errors.Is(err, duet.ErrFull) {
					full.Add(1)
				}
			},
			AcceptPaused: func(error, time.Duration) { pauses.Add(1) },
		}},
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	fmt.Println("at", l.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var r syscall.Rusage
		syscall.Getrusage(syscall.RUSAGE_SELF, &r)
		fmt.Println("used", time.Duration(r.Utime.Nano()+r.Stime.Nano()).Microseconds(),
			refused.Load(), full.Load(), pauses.Load(), strings.Count(log.String(), "\n"))
	}
	s.Close()
}

// few is a child that serves.
type few struct {
	t    *testing.T
	addr string
	in   io.Writer
	out  *bufio.Scanner
}

func startFew(t *testing.T, maxConns int, busy string) *few {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestDescriptors$", "-test.count=1")
	cmd.Env = append(os.Environ(), childEnv+"="+strconv.Itoa(maxConns)+","+busy)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f := &few{t: t, in: in, out: bufio.NewScanner(out)}
	t.Cleanup(func() {
		in.Close()
		io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the child: %v", err)
		}
	})
	f.addr = strings.TrimPrefix(f.line(), "at ")
	return f
}

func (f *few) line() string {
	f.t.Helper()
	if !f.out.Scan() {
		f.t.Fatal("the child says nothing")
	}
	return f.out.Text()
}

type usage struct{ cpu, refused, full, pauses, logged int }

func (f *few) usage() (u usage) {
	f.t.Helper()
	io.WriteString(f.in, "\n")
	if _, err := fmt.Sscanf(f.line(), "used %d %d %d %d %d", &u.cpu, &u.refused, &u.full, &u.pauses, &u.logged); err != nil {
		f.t.Fatal(err)
	}
	return u
}

// meet connects and sends a line. It returns the answer, and whether the connection stays.
func (f *few) meet() (p *peer, answer string) {
	f.t.Helper()
	nc, err := net.Dial("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	p = newPeer(f.t, nc)
	p.say("here\n")
	b := make([]byte, 100)
	n, err := nc.Read(b)
	if err != nil && err != io.EOF {
		f.t.Fatalf("peer: %v", err)
	}
	return p, string(b[:n])
}

// Peers beyond the descriptors are sent Busy, in bounded time and without spinning. There is room again when others have left.
func TestDescriptors(t *testing.T) {
	if limit, busy, isChild := strings.Cut(os.Getenv(childEnv), ","); isChild {
		n, _ := strconv.Atoi(limit)
		serveWithFew(t, n, busy)
		return
	}
	t.Run("four of five", func(t *testing.T) {
		f := startFew(t, 0, "no room")
		for i := range 90 {
			p, answer := f.meet()
			want := "here\n"
			if i >= 80 {
				want = "no room\n"
				p.Close()
			}
			if answer != want {
				t.Fatalf("peer %d got %q, want %q", i+1, answer, want)
			}
		}
		if u := f.usage(); u.refused != 10 || u.full != 10 || u.pauses != 0 {
			t.Errorf("%+v, want 10 refused as ErrFull, and no pause", u)
		}
	})
	t.Run("all of them", func(t *testing.T) {
		f := startFew(t, -1, "no room")
		var in []*peer
		told := 0
		for range 130 {
			switch p, answer := f.meet(); answer {
			case "here\n":
				in = append(in, p)
			case "no room\n":
				told++
				p.wantEOF()
			default:
				t.Fatalf("a peer got %q", answer)
			}
		}
		if len(in) < 70 || told < 30 {
			t.Errorf("%d are admitted, %d were refused", len(in), told)
		}
		u := f.usage()
		if u.full != told || u.pauses == 0 || u.logged != 1 {
			t.Errorf("%+v, want %d refused as ErrFull, pauses, and one line of log", u, told)
		}
		const watch = time.Second
		time.Sleep(watch) // it is the time in which it must not spin
		if v := f.usage(); time.Duration(v.cpu-u.cpu)*time.Microsecond > watch/20 || v.pauses-u.pauses > 100 {
			t.Errorf("in %v it went from %+v to %+v", watch, u, v)
		}
		for _, p := range in[:20] {
			p.fin()
			p.wantEOF()
			p.Close()
		}
		waitFor(t, func() bool {
			p, answer := f.meet()
			if answer != "here\n" {
				p.Close()
			}
			return answer == "here\n"
		})
	})
	t.Run("a crowd", func(t *testing.T) {
		f := startFew(t, -1, "no room")
		for {
			p, answer := f.meet()
			if answer != "here\n" {
				p.Close()
				break
			}
		}
		const crowd, round = 80, 16
		before := f.usage()
		var all []*peer
		for range crowd {
			nc, err := net.Dial("tcp", f.addr)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, newPeer(t, nc))
		}
		for _, p := range all {
			p.want("no room\n")
		}
		after := f.usage()
		if told, pauses := after.full-before.full, after.pauses-before.pauses; told != crowd || pauses < crowd/round {
			t.Errorf("%d were refused in %d pauses, want at most %d in each", told, pauses, round)
		}
	})
}
