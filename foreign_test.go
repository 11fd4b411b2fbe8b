package duet_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
	"duet.example/duet/framing"
)

// A shouting connection is a TCP connection whose own Read makes letters large, and whose own Write makes them small.
type shouting struct {
	*net.TCPConn
	writes atomic.Int64
}

func (s *shouting) Read(b []byte) (int, error) {
	n, err := s.TCPConn.Read(b)
	copy(b, strings.ToUpper(string(b[:n])))
	return n, err
}

func (s *shouting) Write(b []byte) (int, error) {
	s.writes.Add(1)
	return s.TCPConn.Write([]byte(strings.ToLower(string(b))))
}

// A connection's own Read and Write are used, although it has all the methods of a TCP connection: by messages, and by what Raw gives.
func TestForeign_OwnReadAndWrite(t *testing.T) {
	x, y := connect(t, tcp)
	s := &shouting{TCPConn: x.(*net.TCPConn)}
	c := new(duet.Dialer).NewConn(s)
	p := newPeer(t, y)
	p.say("hello\nagain")
	wantReceive(t, c, "HELLO")
	if err := c.Send(t.Context(), []byte("ANSWER")); err != nil {
		t.Error(err)
	}
	p.want("answer\n")
	if s.writes.Load() == 0 {
		t.Error("Write was not called")
	}
	nc, err := c.Raw(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	// io.Copy must not find a way around them either.
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(nc, nc)
		copied <- err
	}()
	p.say(" and again")
	p.want("again and again")
	writes := s.writes.Load()
	p.say("!")
	p.want("!")
	if s.writes.Load() == writes {
		t.Error("Write was not called by io.Copy")
	}
	p.Close()
	if err := <-copied; err != nil {
		t.Errorf("io.Copy: %v", err)
	}
	c.Close()
}

// manyReads is how often a connection may be read while nothing comes from it.
const manyReads = 20

// errManyReads ends a Receive that spins, which would never end in a bubble.
var errManyReads = errors.New("read again and again")

// A reading connection counts how often it is read.
type reading struct {
	net.Conn
	reads atomic.Int64
}

func (r *reading) Read(b []byte) (int, error) {
	if r.reads.Add(1) > manyReads {
		return 0, errManyReads
	}
	return r.Conn.Read(b)
}

// A Receive that is cancelled while a handshake waits for the peer does not break the handshake, and reads no faster than bytes come.
func TestForeign_HandshakeInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := duettest.Pipe()
		r := &reading{Conn: tlsServer(x)}
		c := new(duet.Dialer).NewConn(r)
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := c.Receive(ctx)
			cancel()
			wantErr(t, "Receive", err, context.DeadlineExceeded)
		}
		if n := r.reads.Load(); n > 3 {
			t.Errorf("read %d times in three seconds of silence", n)
		}
		client := tlsClient(y).(*tls.Conn)
		go io.WriteString(client, "hello\n")
		m, err := c.Receive(t.Context())
		if err != nil || string(m.Body) != "hello" {
			t.Errorf("received %q, %v", m.Body, err)
		}
		go client.Close()
		wantEOF(t, c)
		c.Close()
	})
}

// A stale connection fails with a timeout whenever it is read, whatever its deadline is.
type stale struct {
	reading
	err error
}

func (s *stale) Read([]byte) (int, error) {
	if s.reads.Add(1) > manyReads {
		return 0, errManyReads
	}
	return 0, s.err
}

// A staleAwaiting connection fails so when it is waited on.
type staleAwaiting struct{ *stale }

func (s staleAwaiting) AwaitRead() error {
	_, err := s.Read(nil)
	return err
}

// A timeout that comes again, although no deadline is due and nobody interrupted, ends the conversation.
func TestForeign_TimeoutAgainAndAgain(t *testing.T) {
	cause := fmt.Errorf("handshake: %w", os.ErrDeadlineExceeded)
	for name, wrap := range map[string]func(s *stale) net.Conn{
		"Read":      func(s *stale) net.Conn { return s },
		"AwaitRead": func(s *stale) net.Conn { return staleAwaiting{s} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, y := duettest.Pipe()
				s := &stale{reading: reading{Conn: x}, err: cause}
				c := new(duet.Dialer).NewConn(wrap(s))
				_, err := c.Receive(t.Context())
				wantErr(t, "Receive", err, syscall.ETIMEDOUT)
				if !strings.Contains(err.Error(), cause.Error()) {
					t.Errorf("%q does not tell the cause", err)
				}
				wantReason(t, c, duet.EndTimeout)
				c.Close()
				y.Close()
				if n := s.reads.Load(); n > manyReads {
					t.Errorf("read %d times", n)
				}
			})
		})
	}
}

// Whoever reads what Raw gave is let go at once when the conversation is closed.
func TestRaw_ThenClose(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		const long = patience / 3
		x, y := connect(t, n)
		d := duet.Dialer{Options: duet.Options{CloseTimeout: long}}
		c := d.NewConn(x)
		p := newPeer(t, y)
		nc, err := c.Raw(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		read, closed := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := nc.Read(make([]byte, 1))
			read <- err
		}()
		time.Sleep(5 * time.Millisecond) // most often it waits by then; either way is right
		began := time.Now()
		go func() { closed <- c.Close() }()
		err = <-read
		wantErr(t, "Read", err, net.ErrClosed)
		if took := time.Since(began); took >= long {
			t.Errorf("Read returned after %v", took)
		}
		_, err = nc.Read(make([]byte, 1))
		wantErr(t, "Read after it", err, net.ErrClosed)
		p.Close()
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

// Bytes that came before a pause was over belong to its burst, also when somebody interrupts at that moment. [C-8]
func TestPause_C8_Interrupted(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		x, y := connect(t, n)
		p := newPeer(t, y)
		d := duet.Dialer{Options: duet.Options{Framing: framing.Raw, CloseTimeout: -1}}
		d.Trace = &duet.Trace{Read: func(c *duet.Conn, n int, _ error) {
			if n == 3 { // the pause passes while this goroutine is held up
				p.say("def\n")
				time.Sleep(3 * framing.Quiet)
				c.SetEncoding(nil)
			}
		}}
		c := d.NewConn(x)
		p.say("abc")
		wantReceive(t, c, "abcdef\n")
		c.Close()
	})
}

// A broken connection panics in Read.
type broken struct{ net.Conn }

func (broken) Read([]byte) (int, error) { panic("broken") }

// A brokenWriter panics in Write.
type brokenWriter struct{ net.Conn }

func (brokenWriter) Write([]byte) (int, error) { panic("broken") }

// A connection whose Write panics ends its conversation, and nothing else. Send and the writer of Post may call it.
func TestForeign_WritePanics(t *testing.T) {
	for name, send := range map[string]func(c *duet.Conn) error{
		"Send": func(c *duet.Conn) error { return c.Send(t.Context(), []byte("x")) },
		"Post": func(c *duet.Conn) error { return c.Post([]byte("x")) },
	} {
		t.Run(name, func(t *testing.T) {
			x, y := duettest.Pipe()
			defer y.Close()
			s := &duet.Server{
				Logger: slog.New(slog.DiscardHandler),
				Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
					_ = send(c)
					_, err := c.Receive(ctx)
					return err
				}),
			}
			err := s.ServeNetConn(brokenWriter{x})
			if p := new(duet.PanicError); !errors.As(err, &p) || p.Value != "broken" {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// A connection whose Read panics ends its conversation, and nothing else.
func TestForeign_ReadPanics(t *testing.T) {
	x, y := duettest.Pipe()
	defer y.Close()
	var log bytes.Buffer
	s := &duet.Server{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	err := s.ServeNetConn(broken{x})
	if p := new(duet.PanicError); !errors.As(err, &p) || p.Value != "broken" {
		t.Errorf("ended with %v", err)
	}
	if s := log.String(); !strings.Contains(s, "broken.Read") {
		t.Errorf("the log has no stack: %s", s)
	}
}
