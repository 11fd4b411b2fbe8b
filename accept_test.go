package duet_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
)

// failing is a listener that fails before it works.
type failing struct {
	net.Listener
	left int
	err  error
}

func (f *failing) Accept() (net.Conn, error) {
	if f.left > 0 {
		f.left--
		return nil, &net.OpError{Op: "accept", Err: f.err}
	}
	return f.Listener.Accept()
}

// Accepting pauses while there are no descriptors, and goes on. The log has one line.
func TestAccept_Pauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		var pauses []time.Duration
		s := &duet.Server{Logger: log.logger(), Greeting: "hi", Options: duet.Options{Trace: &duet.Trace{
			AcceptPaused: func(err error, d time.Duration) {
				wantErr(t, "paused", err, syscall.EMFILE)
				pauses = append(pauses, d)
			},
		}}}
		l := duettest.NewListener()
		served := make(chan error, 1)
		go func() { served <- s.Serve(&failing{l, 10, syscall.EMFILE}) }()
		nc, err := l.Dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		p := newPeer(t, nc)
		p.want("hi\n")
		p.Close()
		s.Shutdown(context.Background())
		wantErr(t, "Serve", <-served, duet.ErrServerClosed)
		if len(pauses) != 10 || pauses[0] != 5*time.Millisecond || pauses[1] != 10*time.Millisecond || pauses[9] != time.Second {
			t.Errorf("pauses %v", pauses)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "too many open files") {
			t.Errorf("%d log lines:\n%s", n, log.String())
		}
	})
}

// overloaded is a temporary error of a listener.
type overloaded struct{}

func (overloaded) Error() string   { return "overloaded" }
func (overloaded) Temporary() bool { return true }

// After an error that is temporary by its own method, accepting goes on, as after one of the system.
func TestAccept_Temporary(t *testing.T) {
	for _, err := range []error{overloaded{}, syscall.EAGAIN, syscall.ETIMEDOUT} {
		synctest.Test(t, func(t *testing.T) {
			var log logBuffer
			s := &duet.Server{Logger: log.logger(), Greeting: "hi"}
			l := duettest.NewListener()
			served := make(chan error, 1)
			go func() { served <- s.Serve(&failing{l, 1, err}) }()
			nc, derr := l.Dial(context.Background())
			if derr != nil {
				t.Fatalf("%v: %v", err, derr)
			}
			p := newPeer(t, nc)
			p.want("hi\n")
			p.Close()
			s.Shutdown(context.Background())
			wantErr(t, "Serve", <-served, duet.ErrServerClosed)
		})
	}
}

func TestAccept_Fails(t *testing.T) {
	var s duet.Server
	l := duettest.NewListener()
	err := s.Serve(&failing{l, 1, syscall.EBADF})
	var de *duet.Error
	if !errors.As(err, &de) || de.Op != "accept" || !errors.Is(err, syscall.EBADF) {
		t.Errorf("Serve: %v", err)
	}
}

func TestShutdown_WhileAcceptPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		s := &duet.Server{Logger: log.logger()}
		l := duettest.NewListener()
		served := make(chan error, 1)
		go func() { served <- s.Serve(&failing{l, 1 << 30, syscall.EMFILE}) }()
		time.Sleep(time.Minute)
		if n := strings.Count(log.String(), "\n"); n > 7 {
			t.Errorf("%d log lines in a minute", n)
		}
		time.Sleep(time.Millisecond) // it pauses for a second, and has just begun to
		began := time.Now()
		s.Close()
		wantErr(t, "Serve", <-served, duet.ErrServerClosed)
		if d := time.Since(began); d != 0 {
			t.Errorf("the pause held it for %v", d)
		}
	})
}

// A script is a listener whose next Accept fails or returns a connection, as its steps say.
type script struct {
	net.Listener
	fails []bool
}

func (s *script) Accept() (net.Conn, error) {
	if len(s.fails) > 0 {
		fails := s.fails[0]
		s.fails = s.fails[1:]
		if fails {
			return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
		}
	}
	return s.Listener.Accept()
}

// After accepting has worked, the next pause is short again.
func TestAccept_PausesAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		var pauses []time.Duration
		s := &duet.Server{Logger: log.logger(), Options: duet.Options{Trace: &duet.Trace{
			AcceptPaused: func(_ error, d time.Duration) { pauses = append(pauses, d) },
		}}}
		l := duettest.NewListener()
		nc, err := l.Dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- s.Serve(&script{l, []bool{true, true, true, false, true}}) }()
		time.Sleep(time.Second)
		nc.Close()
		s.Close()
		wantErr(t, "Serve", <-served, duet.ErrServerClosed)
		if len(pauses) != 4 || pauses[2] != 20*time.Millisecond || pauses[3] != 5*time.Millisecond {
			t.Errorf("pauses %v", pauses)
		}
	})
}

// deserted is a listener that fails, and has no peer for a server that gives up a descriptor to accept one.
type deserted struct {
	net.Listener
	fails    bool
	deadline time.Time
	once     sync.Once
	closed   chan struct{}
}

func (d *deserted) SetDeadline(t time.Time) error {
	d.deadline = t
	return nil
}

func (d *deserted) Accept() (net.Conn, error) {
	if d.fails = !d.fails; d.fails {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	var over <-chan time.Time
	if !d.deadline.IsZero() {
		over = time.After(time.Until(d.deadline))
	}
	select {
	case <-over:
		return nil, os.ErrDeadlineExceeded
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

func (d *deserted) Close() error {
	d.once.Do(func() { close(d.closed) })
	return d.Listener.Close()
}

// A peer that waited when descriptors ran out may be gone when one is given up for it.
func TestAccept_SpareForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		var pauses atomic.Int64
		s := &duet.Server{Logger: log.logger(), Busy: "no room", Options: duet.Options{Trace: &duet.Trace{
			AcceptPaused: func(error, time.Duration) { pauses.Add(1) },
		}}}
		served := make(chan error, 1)
		l := &deserted{Listener: duettest.NewListener(), closed: make(chan struct{})}
		go func() { served <- s.Serve(l) }()
		time.Sleep(time.Minute)
		if n := pauses.Load(); n < 60 {
			t.Errorf("in a minute it paused %d times", n)
		}
		s.Close()
		wantErr(t, "Serve", <-served, duet.ErrServerClosed)
	})
}
