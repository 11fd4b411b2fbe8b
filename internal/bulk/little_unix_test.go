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

// TestLittle: what comes is given back as it came, up to the end, and a deadline ends a wait.
func TestLittle(t *testing.T) {
	a, b := tcpPair(t)
	l := NewLittle(b)
	for _, text := range []string{"x", "hello\n", strings.Repeat("y", LittleMost)} {
		a.Write([]byte(text))
		for got := ""; len(got) < len(text); {
			l.Wait()
			p, err := l.Got()
			if err != nil || len(p) == 0 || len(p) > LittleMost {
				t.Fatalf("got %d bytes, %v", len(p), err)
			}
			got += string(p)
			if n, err := l.Return(); n != len(p) || err != nil {
				t.Fatalf("gave back %d of %d, %v", n, len(p), err)
			}
			l.Done()
		}
		back := make([]byte, len(text))
		if _, err := io.ReadFull(a, back); err != nil || string(back) != text {
			t.Errorf("%d bytes came back as %q, %v", len(text), back[:min(len(back), 20)], err)
		}
	}
	b.SetReadDeadline(time.Now())
	l.Wait()
	if p, err := l.Got(); len(p) > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("at the deadline: %q, %v", p, err)
	}
	b.SetReadDeadline(time.Time{})
	a.CloseWrite()
	l.Wait()
	if p, err := l.Got(); len(p) > 0 || err != nil {
		t.Errorf("at the end: %q, %v", p, err)
	}
}

// TestLittle_NoRoom: a peer that does not read takes what fits, and nobody waits.
func TestLittle_NoRoom(t *testing.T) {
	a, b := tcpPair(t)
	l := NewLittle(b)
	a.Write(bytes.Repeat([]byte("z"), 1000))
	l.Wait()
	defer l.Done()
	for deadline := time.Now().Add(10 * time.Second); ; {
		n, err := l.Return()
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

// TestLittle_Reset names the side that failed.
func TestLittle_Reset(t *testing.T) {
	a, b := tcpPair(t)
	l := NewLittle(b)
	a.Write([]byte("x"))
	l.Wait()
	defer l.Done()
	a.SetLinger(0)
	a.Close()
	var side *SideError
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if _, err := l.Return(); err != nil {
			if !errors.As(err, &side) || side.Op != "write" {
				t.Errorf("%v", err)
			}
			return
		}
	}
	t.Error("nobody noticed the reset")
}

// TestLittle_Wrapped: one that may have bytes of its own is not read behind its back.
func TestLittle_Wrapped(t *testing.T) {
	_, b := tcpPair(t)
	if NewLittle(struct{ net.Conn }{b}) != nil {
		t.Error("a wrapped connection was taken")
	}
}

func tcpPair(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	check(t, err)
	d, err := l.Accept()
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
