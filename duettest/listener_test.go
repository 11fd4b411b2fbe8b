package duettest_test

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"testing/synctest"

	"duet.example/duet/duettest"
)

func TestListener(t *testing.T) {
	l := duettest.NewListener()
	seen := map[string]bool{l.Addr().String(): true}
	for range 3 {
		c, err := l.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if s.RemoteAddr() != c.LocalAddr() || c.RemoteAddr() != l.Addr() || s.LocalAddr() != l.Addr() {
			t.Errorf("client %v to %v, server %v to %v", c.LocalAddr(), c.RemoteAddr(), s.LocalAddr(), s.RemoteAddr())
		}
		if name := c.LocalAddr().String(); seen[name] {
			t.Errorf("the address %q twice", name)
		} else {
			seen[name] = true
		}
		sendBothWays(t, c.(duettest.Conn), s.(duettest.Conn), 1000)
	}

	waiting, err := l.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = waiting.Read(make([]byte, 1))
	wantErr(t, "read of a connection that was not accepted", err, syscall.ECONNRESET)
	_, err = l.Accept()
	wantErr(t, "accept", err, net.ErrClosed)
	_, err = l.Dial(t.Context())
	wantErr(t, "dial", err, syscall.ECONNREFUSED)
	wantErr(t, "close", l.Close(), net.ErrClosed)
}

func TestListener_CloseWakesAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := duettest.NewListener()
		accepted := make(chan error)
		go func() { _, err := l.Accept(); accepted <- err }()
		synctest.Wait()
		l.Close()
		wantErr(t, "accept", <-accepted, net.ErrClosed)
	})
	synctest.Test(t, func(t *testing.T) {
		l := duettest.NewListener()
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		dialed := make(chan error)
		go func() {
			for {
				if _, err := l.Dial(ctx); err != nil {
					dialed <- err
					return
				}
			}
		}()
		synctest.Wait()
		cancel(gone)
		wantErr(t, "dial with a full backlog", <-dialed, gone)
	})
}
