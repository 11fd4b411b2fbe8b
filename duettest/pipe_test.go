package duettest_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"duet.example/duet/duettest"
)

func TestPipe_IsConn(t *testing.T) {
	for _, size := range []int{16, 512, duettest.DefaultBuffer} {
		nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
			c1, c2 = duettest.PipeSize(size)
			return c1, c2, func() { c1.Close(); c2.Close() }, nil
		})
	}
}

// pipe returns a pair of ends that are closed at the end of the test.
func pipe(t *testing.T, size int) (a, b duettest.Conn) {
	t.Helper()
	x, y := duettest.PipeSize(size)
	t.Cleanup(func() { x.Close(); y.Close() })
	return x.(duettest.Conn), y.(duettest.Conn)
}

// wantErr checks that err is a *net.OpError that wraps target.
func wantErr(t *testing.T, name string, err, target error) {
	t.Helper()
	var op *net.OpError
	if !errors.As(err, &op) || !errors.Is(err, target) {
		t.Errorf("%s: %v (%T), want a *net.OpError that wraps %v", name, err, err, target)
	}
}

func randomBytes(n int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func TestPipe_HalfCloseEachWay(t *testing.T) {
	for _, size := range []int{1, 7, 4096, duettest.DefaultBuffer} {
		a, b := pipe(t, size)
		sendBothWays(t, a, b, 100_000)
	}
}

// sendBothWays sends n bytes each way at the same time, half-closes both ends, and compares digests. After it, both directions
// are at their end, and neither connection is closed.
func sendBothWays(t *testing.T, a, b duettest.Conn, n int) {
	t.Helper()
	up, down := randomBytes(n, 1), randomBytes(n, 2)
	var wg sync.WaitGroup
	send := func(c duettest.Conn, body []byte) {
		if _, err := c.Write(body); err != nil {
			t.Errorf("write: %v", err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Errorf("half-close: %v", err)
		}
	}
	receive := func(c duettest.Conn, want []byte) {
		h := sha256.New()
		got, err := io.Copy(h, c)
		if sum := sha256.Sum256(want); err != nil || !bytes.Equal(h.Sum(nil), sum[:]) {
			t.Errorf("received %d bytes, %v; want the %d bytes that were sent", got, err, len(want))
		}
	}
	wg.Go(func() { send(a, up) })
	wg.Go(func() { receive(b, up) })
	wg.Go(func() { send(b, down) })
	wg.Go(func() { receive(a, down) })
	wg.Wait()
}

func TestPipe_AnswerAfterHalfClose(t *testing.T) {
	a, b := pipe(t, 16)
	a.Write([]byte("question"))
	a.CloseWrite()
	if got, err := io.ReadAll(b); err != nil || string(got) != "question" {
		t.Fatalf("read %q, %v", got, err)
	}
	_, err := a.Write([]byte("more"))
	wantErr(t, "write after half-close", err, syscall.EPIPE)
	b.Write([]byte("answer"))
	b.Close()
	if got, err := io.ReadAll(a); err != nil || string(got) != "answer" {
		t.Fatalf("read %q, %v", got, err)
	}
}

func TestPipe_Close(t *testing.T) {
	a, b := pipe(t, 16)
	a.Write([]byte("last"))
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := b.Write([]byte("x"))
	wantErr(t, "write to a closed peer", err, syscall.EPIPE)
	if got, err := io.ReadAll(b); err != nil || string(got) != "last" {
		t.Errorf("read %q, %v; want the bytes that were written before the close", got, err)
	}
	_, err = a.Read(make([]byte, 1))
	wantErr(t, "read", err, net.ErrClosed)
	_, err = a.Write([]byte("x"))
	wantErr(t, "write", err, net.ErrClosed)
	wantErr(t, "close", a.Close(), net.ErrClosed)
	wantErr(t, "half-close", a.CloseWrite(), net.ErrClosed)
	wantErr(t, "close read", a.CloseRead(), net.ErrClosed)
	wantErr(t, "reset", a.Reset(), net.ErrClosed)
	wantErr(t, "deadline", a.SetDeadline(time.Now()), net.ErrClosed)
}

func TestPipe_Reset(t *testing.T) {
	a, b := pipe(t, 16)
	a.Write([]byte("last"))
	if err := a.Reset(); err != nil {
		t.Fatal(err)
	}
	_, err := b.Write([]byte("x"))
	wantErr(t, "write", err, syscall.ECONNRESET)
	got, err := io.ReadAll(b)
	wantErr(t, "read", err, syscall.ECONNRESET)
	if string(got) != "last" {
		t.Errorf("read %q before the reset, want %q", got, "last")
	}
	_, err = a.Read(make([]byte, 1))
	wantErr(t, "own read", err, net.ErrClosed)
}

func TestPipe_CloseRead(t *testing.T) {
	a, b := pipe(t, 4)
	b.Write([]byte("old"))
	if err := a.CloseRead(); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Write(make([]byte, 100)); n != 100 || err != nil {
		t.Errorf("write to a deaf peer: %d, %v", n, err)
	}
	if n, err := a.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("read: %d, %v; want io.EOF", n, err)
	}
}

// Each of these wakes a goroutine that already waits.
func TestPipeWakes(t *testing.T) {
	fill := func(c duettest.Conn) error { _, err := c.Write(make([]byte, 100)); return err }
	read := func(c duettest.Conn) error { _, err := c.Read(make([]byte, 1)); return err }
	past := time.Unix(1, 0)
	for _, test := range []struct {
		name string
		wait func(duettest.Conn) error
		do   func(a, b duettest.Conn) error
		want error
	}{
		{"read, own close", read, func(a, _ duettest.Conn) error { return a.Close() }, net.ErrClosed},
		{"read, reset", read, func(_, b duettest.Conn) error { return b.Reset() }, syscall.ECONNRESET},
		{"read, deadline", read, func(a, _ duettest.Conn) error { return a.SetReadDeadline(past) }, os.ErrDeadlineExceeded},
		{"write, own close", fill, func(a, _ duettest.Conn) error { return a.Close() }, net.ErrClosed},
		{"write, own half-close", fill, func(a, _ duettest.Conn) error { return a.CloseWrite() }, syscall.EPIPE},
		{"write, peer's close", fill, func(_, b duettest.Conn) error { return b.Close() }, syscall.EPIPE},
		{"write, reset", fill, func(_, b duettest.Conn) error { return b.Reset() }, syscall.ECONNRESET},
		{"write, deadline", fill, func(a, _ duettest.Conn) error { return a.SetWriteDeadline(past) }, os.ErrDeadlineExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pipe(t, 10)
				done := make(chan error, 1)
				go func() { done <- test.wait(a) }()
				synctest.Wait()
				select {
				case err := <-done:
					t.Fatalf("did not wait: %v", err)
				default:
				}
				if err := test.do(a, b); err != nil {
					t.Fatal(err)
				}
				wantErr(t, test.name, <-done, test.want)
			})
		})
	}
}

func TestPipe_Deadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe(t, 10)
		start := time.Now()
		a.SetReadDeadline(start.Add(time.Hour))
		_, err := a.Read(make([]byte, 1))
		wantErr(t, "read", err, os.ErrDeadlineExceeded)
		if d := time.Since(start); d != time.Hour {
			t.Errorf("waited %v, want 1h", d)
		}
		b.Write([]byte("x"))
		_, err = a.Read(make([]byte, 1))
		wantErr(t, "read after the deadline", err, os.ErrDeadlineExceeded)
		a.SetReadDeadline(time.Time{})
		if n, err := a.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("read after the deadline was taken away: %d, %v", n, err)
		}

		a.SetWriteDeadline(time.Now().Add(time.Minute))
		n, err := a.Write(make([]byte, 12))
		wantErr(t, "write", err, os.ErrDeadlineExceeded)
		if n != 10 {
			t.Errorf("wrote %d bytes, want the 10 there is room for", n)
		}
	})
}

// A second writer that waits for its turn is durably blocked. Two writes are not mixed.
func TestPipe_WritersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe(t, 1)
		var wg sync.WaitGroup
		for _, body := range []string{"aaaa", "bbbb"} {
			wg.Go(func() { a.Write([]byte(body)) })
		}
		synctest.Wait()
		got := make([]byte, 8)
		if _, err := io.ReadFull(b, got); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if s := string(got); s != "aaaabbbb" && s != "bbbbaaaa" {
			t.Errorf("read %q: two writes were mixed", s)
		}
	})
}

// A writer gets ECONNRESET, whenever the reset comes.
func TestPipe_WriterSeesReset(t *testing.T) {
	for range 3000 {
		a, b := duettest.Pipe()
		failed := make(chan error, 1)
		go func() {
			var err error
			for err == nil {
				_, err = a.Write([]byte("x"))
			}
			failed <- err
		}()
		b.(duettest.Conn).Reset()
		if err := <-failed; !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("write: %v", err)
		}
		a.Close()
	}
}
