package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestReadAndWrite(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *Conn, peer *net.TCPConn) {
		long := strings.Repeat("0123456789abcdef", 20<<10) // 320 KiB, so that buffers grow
		go io.WriteString(peer, long)
		wantRead(t, w, long)
		mustSend(t, peer, "short")
		wantRead(t, w, "short")

		got := make(chan string)
		go func() {
			b, _ := io.ReadAll(peer)
			got <- string(b)
		}()
		mustWrite(t, w, long)
		w.Close()
		if s := <-got; s != long {
			t.Errorf("the peer has %d bytes, want %d", len(s), len(long))
		}
	})
}

// The end of the peer comes after its bytes.
func TestRead_End(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *Conn, peer *net.TCPConn) {
		mustSend(t, peer, "last bytes")
		peer.CloseWrite()
		wantRead(t, w, "last bytes")
		if s, err := read(w); s != "" || !errors.Is(err, io.EOF) {
			t.Errorf("read %q, %v; want the end", s, err)
		}
	})
}

// Interrupt and a deadline end a wait on every connection, and no bytes are lost.
func TestRead_Interrupted(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *Conn, peer *net.TCPConn) {
		for range 20 {
			go w.Interrupt()
			for w.Arm(0, false) {
				if s, err := read(w); s != "" || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("read %q, %v", s, err)
				}
			}
		}
		w.Arm(w.Now().After(time.Millisecond), false)
		if s, err := read(w); s != "" || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read %q, %v; want the deadline", s, err)
		}
		mustSend(t, peer, "still here")
		wantRead(t, w, "still here")
	})
}

// TryRead finds the bytes that have come, although Interrupt is called, and does not wait for more.
func TestTryRead(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *Conn, peer *net.TCPConn) {
		w.TryRead()
		if b, err := w.Got(); len(b) > 0 || err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("found %q, %v", b, err)
		}
		w.Done()
		mustSend(t, peer, "here")
		got := ""
		for end := time.Now().Add(testLimit); got == "" && time.Now().Before(end); {
			w.Interrupt()
			w.TryRead()
			b, _ := w.Got()
			got = string(b)
			w.Done()
		}
		if got != "here" {
			t.Errorf("found %q", got)
		}
		if w.Arm(0, false) {
			t.Error("TryRead has taken the interruption")
		}
	})
}

// A meetingConn calls meet before its first Read.
type meetingConn struct {
	net.Conn
	meet func()
	once sync.Once
}

func (m *meetingConn) Read(p []byte) (int, error) {
	m.once.Do(m.meet)
	return m.Conn.Read(p)
}

type awaitableMeetingConn struct{ *meetingConn }

func (awaitableMeetingConn) AwaitRead() error { return nil }

// Interrupt does not end TryRead, whenever it is called.
func TestTryRead_Interrupted(t *testing.T) {
	for name, test := range map[string]struct {
		wrap func(*meetingConn) net.Conn
		meet func(w *Conn)
	}{
		"foreign": {
			func(m *meetingConn) net.Conn { return m },
			func(w *Conn) { w.Interrupt(); time.Sleep(graceRead / 2) },
		},
		"awaited": {
			func(m *meetingConn) net.Conn { return awaitableMeetingConn{m} },
			func(w *Conn) { w.Interrupt() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := net.Pipe()
				defer a.Close()
				w := new(Conn)
				m := &meetingConn{Conn: a, meet: func() { test.meet(w) }}
				w.Init(test.wrap(m), nil)
				go io.WriteString(b, "here")
				synctest.Wait()
				w.TryRead()
				if got, err := w.Got(); string(got) != "here" || err != nil {
					t.Errorf("found %q, %v", got, err)
				}
				w.Done()
			})
		})
	}
}

// Read returns no more bytes than its limit.
func TestRead_AtMost(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	w := new(Conn)
	w.Init(plainConn{a}, nil)
	go io.WriteString(b, "0123456789")
	var got []string
	for range 3 {
		w.Read(4)
		p, err := w.Got()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(p))
		w.Done()
	}
	if s := strings.Join(got, "|"); s != "0123|4567|89" {
		t.Errorf("read %s", s)
	}
	w.Close()
	w.AwaitEnd()
}

// A strayConn returns a timeout from each read.
type strayConn struct {
	net.Conn
	reads atomic.Int32
}

func (s *strayConn) Read([]byte) (int, error) {
	s.reads.Add(1)
	return 0, os.ErrDeadlineExceeded
}

type awaitableStrayConn struct{ *strayConn }

func (s awaitableStrayConn) AwaitRead() error { return nil }

// A second timeout although no deadline has passed ends the connection. Otherwise the reader would try without end.
func TestRead_StrayTimeout(t *testing.T) {
	for name, wrap := range map[string]func(*strayConn) net.Conn{
		"foreign": func(s *strayConn) net.Conn { return s },
		"awaited": func(s *strayConn) net.Conn { return awaitableStrayConn{s} },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := net.Pipe()
			defer a.Close()
			defer b.Close()
			s := &strayConn{Conn: a}
			w := new(Conn)
			w.Init(wrap(s), nil)
			err := os.ErrDeadlineExceeded
			for errors.Is(err, os.ErrDeadlineExceeded) && s.reads.Load() < 10 { // Read may return early at any time
				w.Arm(0, false)
				_, err = read(w)
			}
			if !errors.Is(err, syscall.ETIMEDOUT) {
				t.Errorf("the read ended with %v", err)
			}
			if n := s.reads.Load(); n != 2 {
				t.Errorf("%d reads", n)
			}
		})
	}
}

// A read that waits holds a small buffer, also after a read with a large one.
func TestRead_SmallBufferWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		sizes := make(chan int, 100)
		w := new(Conn)
		w.Init(&sizeConn{Conn: a, sizes: sizes}, nil)
		go b.Write(make([]byte, smallRead)) // fills the first buffer exactly
		w.Read(ChunkSize)
		w.Done()
		w.Arm(w.Now().After(time.Hour), false)
		w.Read(ChunkSize)
		w.Done()
		w.Close()
		w.AwaitEnd()
		close(sizes)
		var all []int
		for n := range sizes {
			all = append(all, n)
		}
		if len(all) != 3 || all[0] != smallRead || all[1] != ChunkSize || all[2] != smallRead {
			t.Errorf("reads of %v bytes, want small, large for a moment, small", all)
		}
	})
}

// A sizeConn sends the sizes of the buffers of its reads to a channel.
type sizeConn struct {
	net.Conn
	sizes chan int
}

func (s *sizeConn) Read(p []byte) (int, error) {
	s.sizes <- len(p)
	return s.Conn.Read(p)
}

type panicConn struct{ net.Conn }

func (panicConn) Read([]byte) (int, error) { panic("broken") }

// A panic of the connection is the error of a read.
func TestRead_Panics(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	w := new(Conn)
	w.Init(panicConn{a}, nil)
	_, err := read(w)
	var p *Panic
	if !errors.As(err, &p) || p.Value != "broken" || !strings.Contains(string(p.Stack), "panicConn.Read") {
		t.Errorf("%v", err)
	}
}

// A stuckConn goes on reading after its Close.
type stuckConn struct {
	net.Conn
	release chan struct{}
}

func (s *stuckConn) Read([]byte) (int, error) {
	<-s.release
	return 0, io.EOF
}

// AwaitEnd gives up on a Read that does not end with the connection.
func TestAwaitEnd_InVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer b.Close()
		s := &stuckConn{a, make(chan struct{})}
		defer close(s.release)
		w := new(Conn)
		w.Init(s, nil)
		w.Arm(w.Now().After(time.Millisecond), false)
		w.Read(ChunkSize)
		w.Done()
		w.Close()
		began := time.Now()
		w.AwaitEnd()
		if d := time.Since(began); d != endGrace {
			t.Errorf("it took %v, want %v", d, endGrace)
		}
	})
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		w := new(Conn)
		w.Init(a, nil)
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		for i, wake := range []func(){func() {}, w.Interrupt, cancel} {
			time.AfterFunc(time.Minute, wake)
			w.Sleep(ctx, w.Now().After(time.Duration(i+1)*time.Minute))
			if d := time.Since(began); d != time.Minute {
				t.Errorf("%d: slept %v", i, d)
			}
			began = time.Now()
		}
	})
}

// A TryRead that finds nothing holds no buffer afterwards: the connection may stay silent for long.
func TestTryRead_HoldsNothing(t *testing.T) {
	forEachKind(t, func(t *testing.T, w *Conn, _ *net.TCPConn) {
		w.TryRead()
		if w.buf != nil {
			t.Error("it holds a buffer")
		}
	})
}

// TryRead ends after 1 ms if it was in time, and after maxLateLooks looks if each was late.
func TestTryRead_Ends(t *testing.T) {
	for delay, want := range map[time.Duration]time.Duration{
		0:             graceRead,
		2 * graceRead: maxLateLooks * 2 * graceRead,
	} {
		synctest.Test(t, func(t *testing.T) {
			a, b := net.Pipe()
			defer a.Close()
			defer b.Close()
			w := new(Conn)
			w.Init(slowConn{a, delay}, nil)
			began := time.Now()
			w.TryRead()
			if took := time.Since(began); took != want {
				t.Errorf("late by %v, the look took %v, want %v", delay, took, want)
			}
		})
	}
}

// A slowConn gets to its Read late.
type slowConn struct {
	net.Conn
	delay time.Duration
}

func (slowConn) AwaitRead() error { return nil }

func (s slowConn) Read(p []byte) (int, error) {
	time.Sleep(s.delay)
	return s.Conn.Read(p)
}
