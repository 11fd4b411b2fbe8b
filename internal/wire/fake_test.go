package wire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// testLimit bounds every wait of a test.
const testLimit = time.Minute

// A plainConn has nothing but the methods of net.Conn.
type plainConn struct{ net.Conn }

// A deafConn ignores its deadlines.
type deafConn struct{ net.Conn }

func (deafConn) SetDeadline(time.Time) error      { return nil }
func (deafConn) SetReadDeadline(time.Time) error  { return nil }
func (deafConn) SetWriteDeadline(time.Time) error { return nil }

// An awaitableConn has AwaitRead. It keeps the byte that it has found for Read.
type awaitableConn struct {
	*net.TCPConn
	r *bufio.Reader
}

func (c *awaitableConn) AwaitRead() error {
	_, err := c.r.Peek(1)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil // Read meets any other error again
}

func (c *awaitableConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// pair returns the two ends of a connection over the loopback.
func pair(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	x, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	y, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close(); y.Close() })
	return x.(*net.TCPConn), y.(*net.TCPConn)
}

// A connKind is a way in which a connection can be waited on.
type connKind struct {
	name string
	kind kind
	wrap func(*net.TCPConn) net.Conn
}

var connKinds = []connKind{
	{"socket", socket, func(c *net.TCPConn) net.Conn { return c }},
	{"awaited", awaited, func(c *net.TCPConn) net.Conn { return &awaitableConn{c, bufio.NewReaderSize(c, 16)} }},
	{"foreign", foreign, func(c *net.TCPConn) net.Conn { return plainConn{c} }},
	{"deaf", foreign, func(c *net.TCPConn) net.Conn { return deafConn{c} }},
}

// forEachKind runs test for each kind of connection. peer is the other end.
func forEachKind(t *testing.T, test func(t *testing.T, w *Conn, peer *net.TCPConn)) {
	for _, k := range connKinds {
		t.Run(k.name, func(t *testing.T) {
			a, b := pair(t)
			w := new(Conn)
			w.Init(k.wrap(a), nil)
			if w.kind != k.kind {
				t.Fatalf("it is waited on as %d, want %d", w.kind, k.kind)
			}
			test(t, w, b)
			w.Close()
			w.AwaitEnd()
		})
	}
}

// read reads once and returns a copy of the bytes.
func read(w *Conn) (string, error) {
	w.Read(ChunkSize)
	b, err := w.Got()
	s := string(b)
	w.Done()
	return s, err
}

// wantRead reads until all of want has come.
func wantRead(t *testing.T, w *Conn, want string) {
	t.Helper()
	got, end := "", w.Now().After(testLimit)
	for len(got) < len(want) {
		w.Arm(end, false)
		s, err := read(w)
		if got += s; isTimeout(err) && w.Now() < end {
			continue // Read may return early at any time
		} else if err != nil {
			t.Fatalf("read %d bytes, %v; want %d", len(got), err, len(want))
		}
	}
	if got != want {
		t.Fatalf("read %.50q, want %.50q", got, want)
	}
}

func mustSend(t *testing.T, nc net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(nc, s); err != nil {
		t.Fatal(err)
	}
}

func mustWrite(t *testing.T, w *Conn, s string) {
	t.Helper()
	if n, err := w.Write(context.Background(), []byte(s), testLimit); n != len(s) || err != nil {
		t.Fatalf("wrote %d of %d bytes, %v", n, len(s), err)
	}
}
