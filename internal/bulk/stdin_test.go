//go:build unix

package bulk_test

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"duet.example/duet/internal/bulk"
)

func stdinFiles(t *testing.T) map[string]*os.File {
	pipe, _ := blockingPipe(t)
	socket, _ := blockingSocket(t)
	nonblocking, w, err := os.Pipe()
	must(t, err)
	closeLater(t, nonblocking, w)
	master, terminal, err := pty.Open()
	must(t, err)
	closeLater(t, terminal, master)
	name := t.TempDir() + "/fifo"
	must(t, syscall.Mkfifo(name, 0o600))
	fifo := get(os.OpenFile(name, os.O_RDWR, 0))(t)
	closeLater(t, fifo)
	return map[string]*os.File{"pipe": pipe, "socket": socket, "non-blocking pipe": nonblocking, "terminal": terminal, "FIFO": fifo}
}

func TestStdinCancel(t *testing.T) {
	for name, f := range stdinFiles(t) {
		t.Run(name, func(t *testing.T) {
			s := stdin(t, f)
			done := make(chan error, 1)
			started := make(chan struct{})
			go func() {
				close(started)
				_, err := s.Read(make([]byte, 10))
				done <- err
			}()
			<-started
			s.Cancel()
			select {
			case err := <-done:
				if err != bulk.ErrCanceled {
					t.Errorf("blocked Read: %v", err)
				}
			case <-time.After(soon):
				t.Fatal("Read does not return")
			}
			if _, err := s.Read(make([]byte, 10)); err != bulk.ErrCanceled {
				t.Errorf("later Read: %v", err)
			}
			if _, err := bulk.Copy(t.Context(), newSink(t, "tcp").w, s, nil); !errors.Is(err, bulk.ErrCanceled) {
				t.Errorf("later Copy: %v", err)
			}
		})
	}
}

// TestStdinCancelEndsCopy: after Cancel, a Copy ends with an error of its source.
func TestStdinCancelEndsCopy(t *testing.T) {
	for _, to := range []string{"tcp", "pipe", "memory"} {
		src, dst := newSource(t, "stdin-pipe", nil), newSink(t, to)
		go io.Copy(io.Discard, dst.out())
		moved := make(chan int64, 1)
		done := start(t.Context(), dst.w, src.r, func(n int64) { moved <- n })
		src.feed.Write([]byte("x"))
		<-moved
		src.r.(*bulk.Stdin).Cancel()
		wantSide(t, await(t, done).err, "read", bulk.ErrCanceled)
		dst.finish()
	}
}

func TestStdinReads(t *testing.T) {
	r, w := blockingPipe(t)
	s := stdin(t, r)
	if n, err := s.Read(nil); n != 0 || err != nil {
		t.Errorf("empty Read: %d, %v", n, err)
	}
	w.WriteString("one two")
	buf := make([]byte, 4)
	for _, want := range []string{"one ", "two"} {
		if n, err := s.Read(buf); err != nil || string(buf[:n]) != want {
			t.Errorf("Read: %q, %v, want %q", buf[:n], err, want)
		}
	}
	w.Close()
	if n, err := s.Read(buf); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
}

// TestStdinKeepsNothing: bytes that one Stdin has not returned are there for the next.
func TestStdinKeepsNothing(t *testing.T) {
	r, w := blockingPipe(t)
	w.WriteString("first second")
	s := get(bulk.NewStdin(r))(t)
	buf := make([]byte, 6)
	io.ReadFull(s, buf)
	must(t, s.Close())
	must(t, s.Close())
	n, err := stdin(t, r).Read(buf)
	if err != nil || string(buf[:n]) != "second" {
		t.Fatalf("Read: %q, %v", buf[:n], err)
	}
}

// TestFlagsAreLeftAlone: the flags of a descriptor do not change, because other processes may share it.
func TestFlagsAreLeftAlone(t *testing.T) {
	flags := func(f *os.File) (v int) {
		raw := get(f.SyscallConn())(t)
		must(t, raw.Control(func(fd uintptr) { v, _ = unix.FcntlInt(fd, unix.F_GETFL, 0) }))
		return v
	}
	for name, f := range stdinFiles(t) {
		before := flags(f)
		s := stdin(t, f)
		go func() { s.Cancel() }()
		s.Read(make([]byte, 1))
		if during := flags(f); during != before {
			t.Errorf("%s: flags were %#x, now %#x", name, before, during)
		}
	}
	in, feed := blockingPipe(t)
	drain, out := blockingPipe(t)
	a, b := sockets(t, "tcp")
	before := []int{flags(in), flags(out)}
	go func() { feed.WriteString("text"); feed.Close() }()
	if _, err := bulk.Copy(t.Context(), a, stdin(t, in), nil); err != nil {
		t.Fatal(err)
	}
	a.Close()
	if _, err := bulk.Copy(t.Context(), out, b, nil); err != nil {
		t.Fatal(err)
	}
	out.Sync()
	if after := []int{flags(in), flags(out)}; after[0] != before[0] || after[1] != before[1] {
		t.Errorf("flags were %#x, now %#x", before, after)
	}
	out.Close()
	if got, _ := io.ReadAll(drain); string(got) != "text" {
		t.Errorf("arrived: %q", got)
	}
}
