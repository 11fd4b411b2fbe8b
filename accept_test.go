package duet_test

import (
	"context"
	"errors"
	"net"
	"strings"
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

// Accepting pauses where descriptors have run out, and goes on; the log has one line.
func TestAccept_Pauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		var pauses []time.Duration
		s := &duet.Server{ErrorLog: log.logger(), Greeting: "hi", Trace: &duet.Trace{
			AcceptPaused: func(err error, d time.Duration) {
				wantErr(t, "paused", err, syscall.EMFILE)
				pauses = append(pauses, d)
			},
		}}
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
		s := &duet.Server{ErrorLog: log.logger()}
		l := duettest.NewListener()
		served := make(chan error, 1)
		go func() { served <- s.Serve(&failing{l, 1 << 30, syscall.EMFILE}) }()
		time.Sleep(time.Minute)
		if n := strings.Count(log.String(), "\n"); n > 7 {
			t.Errorf("%d log lines in a minute", n)
		}
		s.Close()
		wantErr(t, "Serve", <-served, duet.ErrServerClosed)
	})
}
