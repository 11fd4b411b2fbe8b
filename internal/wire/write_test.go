package wire

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A peer that takes nothing ends a Write, whether the connection's own deadlines work or not.
func TestWrite_Ends(t *testing.T) {
	big := make([]byte, 64<<20)
	for name, test := range map[string]struct {
		timeout time.Duration
		want    error
		end     func(w *Conn, cancel func())
	}{
		"timeout": {50 * time.Millisecond, os.ErrDeadlineExceeded, func(*Conn, func()) {}},
		"Abandon": {testLimit, os.ErrDeadlineExceeded, func(w *Conn, _ func()) { w.Abandon() }},
		"context": {testLimit, context.Canceled, func(_ *Conn, cancel func()) { cancel() }},
	} {
		t.Run(name, func(t *testing.T) {
			forEachKind(t, func(t *testing.T, w *Conn, _ *net.TCPConn) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go test.end(w, cancel)
				began := time.Now()
				if _, err := w.Write(ctx, big, test.timeout); !errors.Is(err, test.want) {
					t.Errorf("%v, want %v", err, test.want)
				}
				if d := time.Since(began); d > testLimit/2 {
					t.Errorf("it took %v", d)
				}
			})
		})
	}
}

// A Write that waits ends within endGrace, also if its connection ignores deadlines.
func TestWrite_EndsWhileItWaits(t *testing.T) {
	for name, end := range map[string]func(w *Conn, cancel func()){
		"Abandon": func(w *Conn, _ func()) { w.Abandon() },
		"context": func(_ *Conn, cancel func()) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := net.Pipe()
				defer b.Close()
				w := new(Conn)
				w.Init(deafConn{a}, nil)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended := make(chan error)
				go func() {
					_, err := w.Write(ctx, []byte("x"), time.Hour)
					ended <- err
				}()
				synctest.Wait()
				began := time.Now()
				end(w, cancel)
				if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.Canceled) {
					t.Errorf("Write: %v", err)
				}
				if d := time.Since(began); d != endGrace {
					t.Errorf("it took %v, want %v", d, endGrace)
				}
			})
		})
	}
}

// What is not waited for costs no deadline, and the connection is usable after a Write that was cancelled before it began.
func TestWrite_CancelledBefore(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *Conn, peer *net.TCPConn) {
		mustWrite(t, w, "x")
		mustWrite(t, w, "y")
		b := make([]byte, 2)
		peer.SetReadDeadline(time.Now().Add(testLimit))
		if _, err := peer.Read(b); err != nil {
			t.Error(err)
		}
	})
}

// A hastyConn returns a timeout from each Write.
type hastyConn struct{ net.Conn }

func (hastyConn) Write([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

// A timeout that comes before the deadline is no slow peer.
func TestWrite_StrayTimeout(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	w := new(Conn)
	w.Init(hastyConn{a}, nil)
	_, err := w.Write(t.Context(), []byte("x"), testLimit)
	if errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("%v", err)
	}
}
