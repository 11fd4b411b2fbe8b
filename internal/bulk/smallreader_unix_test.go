//go:build unix

package bulk

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// TestSmallReader: bytes are written back as they came, until the end. A deadline ends a wait.
func TestSmallReader(t *testing.T) {
	a, b := tcpPair(t)
	r := NewSmallReader(b)
	for _, text := range []string{"x", "hello\n", strings.Repeat("y", SmallReadSize)} {
		a.Write([]byte(text))
		for got := ""; len(got) < len(text); {
			r.Wait()
			p, err := r.Got()
			if err != nil || len(p) == 0 || len(p) > SmallReadSize {
				t.Fatalf("got %d bytes, %v", len(p), err)
			}
			got += string(p)
			if n, err := r.WriteBack(); n != len(p) || err != nil {
				t.Fatalf("wrote back %d of %d bytes, %v", n, len(p), err)
			}
			r.Done()
		}
		back := make([]byte, len(text))
		if _, err := io.ReadFull(a, back); err != nil || string(back) != text {
			t.Errorf("%d bytes came back as %q, %v", len(text), back[:min(len(back), 20)], err)
		}
	}
	b.SetReadDeadline(time.Now())
	r.Wait()
	if p, err := r.Got(); len(p) > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("at the deadline: %q, %v", p, err)
	}
	b.SetReadDeadline(time.Time{})
	a.CloseWrite()
	r.Wait()
	if p, err := r.Got(); len(p) > 0 || err != nil {
		t.Errorf("at the end: %q, %v", p, err)
	}
}

// TestSmallReader_NoRoom: WriteBack does not wait for a peer that does not read.
func TestSmallReader_NoRoom(t *testing.T) {
	a, b := tcpPair(t)
	r := NewSmallReader(b)
	a.Write(bytes.Repeat([]byte("z"), 1000))
	r.Wait()
	defer r.Done()
	for deadline := time.Now().Add(10 * time.Second); ; {
		n, err := r.WriteBack()
		if err != nil {
			t.Fatal(err)
		}
		if n < 1000 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("there is room for everything")
		}
	}
}

// TestSmallReader_Reset: the error names the side that has failed.
func TestSmallReader_Reset(t *testing.T) {
	a, b := tcpPair(t)
	r := NewSmallReader(b)
	a.Write([]byte("x"))
	r.Wait()
	defer r.Done()
	a.SetLinger(0)
	a.Close()
	var side *SideError
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if _, err := r.WriteBack(); err != nil {
			if !errors.As(err, &side) || side.Op != "write" {
				t.Errorf("%v", err)
			}
			return
		}
	}
	t.Error("no write back fails after the reset")
}

// TestSmallReader_Wrapped: a wrapper is refused, because it may have bytes of its own.
func TestSmallReader_Wrapped(t *testing.T) {
	_, b := tcpPair(t)
	if NewSmallReader(struct{ net.Conn }{b}) != nil {
		t.Error("a wrapped connection was taken")
	}
}

func tcpPair(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer listener.Close()
	c, err := net.Dial("tcp", listener.Addr().String())
	check(t, err)
	d, err := listener.Accept()
	check(t, err)
	t.Cleanup(func() { c.Close(); d.Close() })
	return c.(*net.TCPConn), d.(*net.TCPConn)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
