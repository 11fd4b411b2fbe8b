//go:build linux

package interop_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A thousand conversations through cat, a hundred at once: each gets back what it said, byte for byte, to the end; afterwards no process is left over.
func TestExec_Cat(t *testing.T) {
	const (
		many   = 1000
		atOnce = 100
	)
	srv, port, _ := roomServer(t, "--exec", "cat", "--max-processes", fmt.Sprint(2*atOnce))
	began := time.Now()
	var wg sync.WaitGroup
	next := make(chan int)
	for range atOnce {
		wg.Go(func() {
			for i := range next {
				if err := throughCat(t, port, uint64(i)); err != nil {
					t.Errorf("conversation %d: %v", i, err)
				}
			}
		})
	}
	for i := range many {
		next <- i
	}
	close(next)
	wg.Wait()
	t.Logf("%d in %v", many, time.Since(began).Round(time.Millisecond))
	wantNobody(t, "-P", fmt.Sprint(srv.cmd.Process.Pid), "-x", "cat") // the guard of programs stays
}

// throughCat says bytes while it reads what comes back.
func throughCat(t *testing.T, port string, seed uint64) error {
	rng := rand.New(rand.NewPCG(6, seed))
	said := make([]byte, rng.IntN(64<<10))
	for i := range said {
		said[i] = byte(rng.Uint32())
	}
	s := dialTo(t, port)
	defer s.Close()
	failed := make(chan error, 1)
	go func() {
		_, err := s.Write(said)
		if err == nil {
			err = s.CloseWrite()
		}
		failed <- err
	}()
	got, err := io.ReadAll(s.r)
	if err == nil {
		err = <-failed
	}
	if err == nil && !bytes.Equal(got, said) {
		err = fmt.Errorf("%d bytes came back, not the %d that were said", len(got), len(said))
	}
	return err
}

// Plain tools through programs: the answer at the end of input is whole, with each tool's half-close.
func TestExec_Tools(t *testing.T) {
	t.Parallel()
	srv, port, _ := roomServer(t, "--exec", "sha256sum")
	said := bytes.Repeat([]byte("bytes \x00\xff\r\n"), 100_000)
	sum := sha256.Sum256(said)
	want := hex.EncodeToString(sum[:]) + "  -\n"
	for _, tool := range [][]string{
		{"nc.openbsd", "-N", "127.0.0.1", port},
		{"ncat", "127.0.0.1", port},
		{"socat", "-t", "30", "-", "TCP:127.0.0.1:" + port},
		{duetPath, "connect", "127.0.0.1:" + port},
		{"python3", "testdata/hearer.py", port},
	} {
		p := run(t, tool[0], tool[1:]...)
		if _, err := p.in.Write(said); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		closeInput(p)
		p.ends(0)
		if got := p.out.text(); got != want {
			t.Errorf("%s got %q, want %q", p.name, got, want)
		}
	}
	wantNobody(t, "-P", fmt.Sprint(srv.cmd.Process.Pid), "-x", "sha256sum")
}

// A program that does not end when it is asked to, and has children of its own: they are gone soon after its peer, and when the server is stopped.
func TestExec_NoOrphan(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"the peer resets", "the server stops", "the server stops after the peers' FIN"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			// A time by which they are found.
			mark := fmt.Sprintf("86400.%d%03d", os.Getpid(), nextPort.Add(1))
			srv, port, _ := roomServer(t, "-v", "--shell", "trap '' TERM; sleep "+mark+" & sleep "+mark+" & echo there; while :; do sleep "+mark+"; done")
			s := dialTo(t, port)
			s.gets("there\n")
			other := dialTo(t, port)
			other.gets("there\n")
			switch end {
			case "the peer resets":
				_ = s.Conn.(*net.TCPConn).SetLinger(0)
				_ = s.Close()
				_ = other.Conn.(*net.TCPConn).SetLinger(0)
				_ = other.Close()
			case "the server stops after the peers' FIN":
				_ = s.CloseWrite()
				_ = other.CloseWrite()
				fallthrough
			default:
				if err := srv.cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			wantNobody(t, "-x", "-f", "sleep "+mark)
			t.Logf("all were gone after %v", time.Since(began).Round(time.Millisecond))
			if end == "the peer resets" {
				srv.says("has ended: reset")
				return
			}
			srv.ends(143)
		})
	}
}

// wantNobody: soon no process is there that pgrep finds.
func wantNobody(t *testing.T, by ...string) {
	t.Helper()
	var out []byte
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if out, _ = exec.Command("pgrep", by...).Output(); len(bytes.TrimSpace(out)) == 0 {
			return
		}
	}
	t.Errorf("processes are left over: %s", strings.Fields(string(out)))
}
