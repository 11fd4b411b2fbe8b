package duet_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"syscall"
	"testing"

	"duet.example/duet"
)

// A server that resets at once may do so before connect(2) has returned. It is a reset in either case, because there was a connection.
func TestDial_ResetAtOnce(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a reset has other errors there")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			nc.(*net.TCPConn).SetLinger(0)
			nc.Close()
		}
	}()
	defer func() { l.Close(); <-done }()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dialed := 0
	for range 200 {
		c, err := duet.Dial(ctx, l.Addr().String())
		if err == nil {
			dialed++
			_, err = c.Receive(ctx)
			c.Close()
		}
		var de *duet.Error
		if !errors.As(err, &de) || de.Reason != duet.EndReset || !errors.Is(err, syscall.ECONNRESET) || de.Addr != l.Addr().String() {
			t.Fatalf("%v after %d of these had connected, want a reset", err, dialed)
		}
	}
	t.Logf("%d of 200 had connected before the reset", dialed)
}
