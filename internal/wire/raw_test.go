package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestRaw(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *Conn, peer *net.TCPConn) {
		r := w.Raw([]byte("ahead "), nil)
		mustSend(t, peer, "rest")
		peer.CloseWrite()
		if b, err := io.ReadAll(r); string(b) != "ahead rest" || err != nil {
			t.Errorf("read %q, %v", b, err)
		}
		mustSend(t, r, "answer")
		r.Close()
		if b, _ := io.ReadAll(peer); string(b) != "answer" {
			t.Errorf("the peer has %q", b)
		}
	})
}

// Reclaim ends all calls on the RawConn at once with net.ErrClosed. Then the connection is as before.
func TestReclaim(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *Conn, peer *net.TCPConn) {
		r := w.Raw(nil, nil)
		var wg sync.WaitGroup
		reading := make(chan struct{})
		wg.Go(func() {
			close(reading)
			_, err := r.Read(make([]byte, 1))
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("Read: %v", err)
			}
		})
		<-reading
		if !w.Reclaim(testLimit) {
			t.Error("Reclaim failed")
		}
		wg.Wait()
		if _, err := r.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read afterwards: %v", err)
		}
		if _, err := r.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write afterwards: %v", err)
		}
		r.SetDeadline(longAgo)
		mustWrite(t, w, "to the peer")
		mustSend(t, peer, "from the peer")
		wantRead(t, w, "from the peer")
	})
}

// Stop is a deadline in the past that cannot be moved. With closing, it is a close.
func TestStop(t *testing.T) {
	for closing, want := range map[bool]error{false: os.ErrDeadlineExceeded, true: net.ErrClosed} {
		forEachKind(t, func(t *testing.T, w *Conn, _ *net.TCPConn) {
			w.Stop(false) // before Raw
			r := w.Raw(nil, nil)
			go w.Stop(closing)
			if _, err := r.Read(make([]byte, 1)); !errors.Is(err, want) {
				t.Errorf("Read: %v", err)
			}
			r.SetDeadline(time.Time{})
			if _, err := r.Read(make([]byte, 1)); !errors.Is(err, want) {
				t.Errorf("Read afterwards: %v", err)
			}
			if _, err := r.Write([]byte("x")); !errors.Is(err, want) {
				t.Errorf("Write afterwards: %v", err)
			}
		})
	}
}

// The deadlines of a RawConn hold on every connection, also if its own do nothing. AwaitRead obeys them too.
func TestRaw_Deadlines(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *Conn, peer *net.TCPConn) {
		r := w.Raw(nil, nil)
		r.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := r.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v", err)
		}
		if err := r.AwaitRead(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("AwaitRead: %v", err)
		}
		r.SetReadDeadline(time.Now().Add(testLimit))
		time.AfterFunc(time.Millisecond, func() { r.SetReadDeadline(time.Now()) })
		if _, err := r.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v", err)
		}
		r.SetReadDeadline(time.Time{})
		mustSend(t, peer, "x")
		if err := r.AwaitRead(); err != nil {
			t.Errorf("AwaitRead: %v", err)
		}
		if n, err := r.Read(make([]byte, 10)); n != 1 || err != nil {
			t.Errorf("Read: %d, %v", n, err)
		}
	})
}

// Interrupt ends no read of a RawConn.
func TestRaw_Interrupt(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *Conn, peer *net.TCPConn) {
		r := w.Raw(nil, nil)
		w.Interrupt()
		mustSend(t, peer, "x")
		if n, err := r.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("Read: %d, %v", n, err)
		}
	})
}

// A connection is lent only if its bytes are those of its socket and no tap has to see them. Reclaim waits until it is given back.
func TestLend(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *Conn, _ *net.TCPConn) {
		ahead := []byte("a")
		r := w.Raw(ahead, nil)
		if rc, _ := r.Lend(true); rc != nil {
			t.Error("lent with bytes read ahead")
		}
		r.Read(ahead)
		rc, tcp := r.Lend(true)
		if w.kind != socket {
			if rc != nil {
				t.Error("lent a connection that is no socket")
			}
			return
		}
		if rc == nil || !tcp {
			t.Fatalf("lent %v, %v", rc, tcp)
		}
		go func() {
			rc.Read(func(uintptr) bool { return false }) // until Reclaim ends it
			r.GiveBack(true)
		}()
		if !w.Reclaim(testLimit) {
			t.Error("it was not given back")
		}
		if rc, _ := r.Lend(true); rc != nil {
			t.Error("lent after it was taken back")
		}
	})
}

// Reclaim gives up on a connection that is not given back.
func TestReclaim_InVain(t *testing.T) {
	a, _ := pair(t)
	w := new(Conn)
	w.Init(a, nil)
	r := w.Raw(nil, nil)
	r.Lend(true)
	if w.Reclaim(time.Millisecond) {
		t.Error("it was taken back")
	}
	r.GiveBack(true)
}

// A seeingTap is a Tap. It counts.
type seeingTap struct {
	sees    bool
	in, out int64
}

func (s *seeingTap) BeforeRead() error     { return nil }
func (s *seeingTap) AfterRead(int, error)  {}
func (s *seeingTap) AfterWrite(int, error) {}
func (s *seeingTap) HalfClose() error      { return nil }
func (s *seeingTap) AfterReset(error)      {}
func (s *seeingTap) Sees() bool            { return s.sees }

func (s *seeingTap) Count(in, out int64) {
	s.in += in
	s.out += out
}

func TestLend_Seen(t *testing.T) {
	for _, sees := range []bool{true, false} {
		a, _ := pair(t)
		w := new(Conn)
		w.Init(a, nil)
		r := w.Raw(nil, &seeingTap{sees: sees})
		rc, _ := r.Lend(false)
		if (rc == nil) != sees {
			t.Errorf("seen %v, lent %v", sees, rc != nil)
		}
		if rc != nil {
			r.GiveBack(false)
		}
	}
}

// Each byte is counted once: by Read and Write, or by the borrower while the socket is lent for that direction.
func TestLend_Counts(t *testing.T) {
	a, peer := pair(t)
	w := new(Conn)
	w.Init(a, nil)
	tap := new(seeingTap)
	r := w.Raw(nil, tap)
	mustSend(t, peer, "four")
	pass := func(in, out int64) {
		t.Helper()
		if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		mustSend(t, r, "x")
		if tap.in != in || tap.out != out {
			t.Errorf("counted %d, %d, want %d, %d", tap.in, tap.out, in, out)
		}
	}
	pass(1, 1)
	r.Lend(true)
	pass(1, 2)
	r.Lend(false)
	pass(1, 2)
	r.Moved(true, 10)
	r.Moved(false, 20)
	r.GiveBack(true)
	r.GiveBack(false)
	pass(12, 23)
}

// io.Copy copies from and to a RawConn.
func TestRaw_Copy(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *Conn, peer *net.TCPConn) {
		r := w.Raw([]byte("ahead "), nil)
		mustSend(t, peer, "rest")
		peer.CloseWrite()
		if n, err := io.Copy(r, r); n != 10 || err != nil { // back to the peer
			t.Errorf("copied %d, %v", n, err)
		}
		r.Close()
		if b, _ := io.ReadAll(peer); string(b) != "ahead rest" {
			t.Errorf("the peer has %q", b)
		}
	})
}

// A write deadline that was moved does not hold any more, also on a foreign connection.
func TestRaw_WriteDeadlineMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		w := new(Conn)
		w.Init(plainConn{a}, nil)
		r := w.Raw(nil, nil)
		r.SetWriteDeadline(time.Now().Add(time.Second))
		r.SetWriteDeadline(time.Now().Add(time.Hour))
		time.AfterFunc(time.Minute, func() { b.Read(make([]byte, 1)) })
		if _, err := r.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		r.SetWriteDeadline(time.Time{})
		r.Close()
		b.Close()
	})
}
