//go:build linux

package interop_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A sum says how many bytes passed and which: two streams with the same sum are the same.
type sum struct {
	n      int64
	sha256 string
	err    error
}

// pour writes n random bytes, waits for hold, which may be nil, and closes w.
func pour(w *os.File, n int64, seed byte, hold <-chan struct{}) <-chan sum {
	done := make(chan sum, 1)
	go func() {
		defer w.Close()
		h := sha256.New()
		written, err := pourInto(w, h, keystream(seed), n)
		done <- sum{written, fmt.Sprintf("%x", h.Sum(nil)), err}
		if hold != nil {
			<-hold
		}
	}()
	return done
}

// pourInto writes n bytes of random to w and h, in pieces that do not make two processes take turns all the time.
func pourInto(w *os.File, h io.Writer, random cipher.Stream, n int64) (written int64, err error) {
	rc, err := w.SyscallConn()
	if err != nil {
		return 0, err
	}
	zeros, buf := make([]byte, 512<<10), make([]byte, 512<<10)
	for written < n {
		b := buf[:min(n-written, int64(len(buf)))]
		random.XORKeyStream(b, zeros[:len(b)])
		_, _ = h.Write(b)
		k, err := writeFrom(rc, b)
		written += int64(k)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// keystream is as random as can be, and made by the processor itself: a generator in Go, at each of whose bytes the race
// detector looks, takes longer than everything that it is there to test.
func keystream(seed byte) cipher.Stream {
	block, err := aes.NewCipher(bytes.Repeat([]byte{seed}, 16))
	if err != nil {
		panic(err)
	}
	return cipher.NewCTR(block, make([]byte, aes.BlockSize))
}

// A catcher reads a stream to its end.
type catcher struct {
	done    chan sum
	arrived chan struct{} // closed when as many bytes have come as were expected
}

// catch reads r to its end, and expects n bytes.
func catch(r *os.File, n int64) *catcher {
	c := &catcher{done: make(chan sum, 1), arrived: make(chan struct{})}
	go func() {
		defer r.Close()
		h := sha256.New()
		buf := make([]byte, 512<<10)
		rc, err := r.SyscallConn()
		if err != nil {
			c.done <- sum{err: err}
			return
		}
		for got := int64(0); ; {
			k, err := readFrom(rc, buf)
			h.Write(buf[:k])
			if before := got; before < n && before+int64(k) >= n {
				close(c.arrived)
			}
			got += int64(k)
			if err != nil {
				if err == io.EOF {
					err = nil
				}
				c.done <- sum{got, fmt.Sprintf("%x", h.Sum(nil)), err}
				return
			}
		}
	}()
	return c
}

// A pipeline is a program between two pipes.
type pipeline struct {
	*program
	stdin, stdout *os.File // our ends
}

// pipes starts a program between pipes: exact bytes in and out.
func pipes(t *testing.T, name string, args ...string) *pipeline {
	t.Helper()
	p := &pipeline{program: prepare(t, name, args...)}
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{inW, outW} {
		_, _ = unix.FcntlInt(f.Fd(), unix.F_SETPIPE_SZ, 1<<20) // only for speed
		_ = unix.SetNonblock(int(f.Fd()), false)
	}
	p.cmd.Stdin, p.cmd.Stdout = inR, outW
	p.stdin, p.stdout = nonblocking(t, inW), nonblocking(t, outR)
	p.start()
	_, _ = inR.Close(), outW.Close()
	t.Cleanup(func() { _, _ = p.stdin.Close(), p.stdout.Close() })
	return p
}

// nonblocking gives the file back as one whose Close wakes who reads or writes: Fd had made it blocking.
func nonblocking(t *testing.T, f *os.File) *os.File {
	t.Helper()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	return os.NewFile(uintptr(fd), "pipe")
}

// wantSame waits for both ends of a stream and compares them.
func wantSame(t *testing.T, what string, sent <-chan sum, caught *catcher, limit time.Duration) {
	t.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var s, g sum
	got := caught.done
	for range 2 {
		select {
		case s = <-sent:
			sent = nil
		case g = <-got:
			got = nil
		case <-timer.C:
			t.Fatalf("%s: not done after %v", what, limit)
		}
	}
	if s != g {
		t.Errorf("%s: sent %d bytes, sha256 %s (%v); arrived %d, %s (%v)", what, s.n, s.sha256, s.err, g.n, g.sha256, g.err)
	}
}
