package duet_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/internal/aside"
)

// Serve calls a handler for a conversation that was dialled, and ends it as a server would.
func TestConverse(t *testing.T) {
	failed := errors.New("it did not work")
	for _, test := range []struct {
		name   string
		handle func(ctx context.Context, c *duet.Conn) error
		want   duet.EndReason
		err    error
	}{
		{"returns", func(context.Context, *duet.Conn) error { return nil }, duet.EndClosed, nil},
		{"to the peer's end", func(ctx context.Context, c *duet.Conn) error { _, err := c.Receive(ctx); return err }, duet.EndPeerClosed, io.EOF},
		{"fails", func(context.Context, *duet.Conn) error { return failed }, duet.EndHandlerFailed, failed},
		{"with a reason", func(context.Context, *duet.Conn) error {
			return &duet.Error{Op: "play", Reason: duet.EndTimeout, Err: failed}
		}, duet.EndTimeout, failed},
	} {
		t.Run(test.name, func(t *testing.T) {
			overEach(t, func(t *testing.T, n network) {
				x, y := connect(t, n)
				c := new(duet.Dialer).NewConn(x)
				p := newPeer(t, y)
				p.fin()
				err := duet.Serve(context.Background(), c, duet.HandlerFunc(test.handle))
				if !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
					t.Errorf("error %v, want %v", err, test.err)
				}
				wantReason(t, c, test.want)
				select {
				case <-c.Done():
				default:
					t.Error("it has not ended")
				}
			})
		})
	}
}

// EndingOf tells a handler how the conversation ends if it returns an error. The ending is then the same.
func TestEndingOf(t *testing.T) {
	failed := errors.New("it did not work")
	idle := &duet.Error{Op: "play", Reason: duet.EndIdle, Err: duet.ErrIdle}
	toEnd := func(c *duet.Conn) {
		if _, err := c.Receive(c.Context()); err != io.EOF {
			t.Errorf("received %v, want io.EOF", err)
		}
	}
	kick := func(c *duet.Conn) { c.Kick("no more") }
	for _, test := range []struct {
		name   string
		before func(c *duet.Conn)
		err    error
		want   duet.EndReason
		cause  error
	}{
		{"nil", nil, nil, duet.EndClosed, nil},
		{"io.EOF", nil, io.EOF, duet.EndPeerClosed, nil},
		{"any error", nil, failed, duet.EndHandlerFailed, failed},
		{"with a reason", nil, idle, duet.EndIdle, duet.ErrIdle},
		{"nil at the peer's end", toEnd, nil, duet.EndPeerClosed, nil},
		{"io.EOF at the peer's end", toEnd, io.EOF, duet.EndPeerClosed, nil},
		{"any error at the peer's end", toEnd, failed, duet.EndHandlerFailed, failed},
		{"nil after Kick", kick, nil, duet.EndKicked, duet.ErrKicked},
		{"any error after Kick", kick, failed, duet.EndKicked, duet.ErrKicked},
		{"any error after Kick at the peer's end", func(c *duet.Conn) { toEnd(c); kick(c) }, failed, duet.EndKicked, duet.ErrKicked},
		{"any error after the farewell", func(c *duet.Conn) { c.PostBye() }, failed, duet.EndFarewell, failed},
	} {
		t.Run(test.name, func(t *testing.T) {
			x, y := connect(t, memory)
			d := duet.Dialer{Options: duet.Options{Farewell: "bye"}}
			c := d.NewConn(x)
			p := newPeer(t, y)
			p.fin()
			duet.Serve(t.Context(), c, handle(func(_ context.Context, c *duet.Conn) error {
				if test.before != nil {
					test.before(c)
				}
				reason, cause := duet.EndingOf(c, test.err)
				if reason != test.want || !errors.Is(cause, test.cause) || (cause == nil) != (test.cause == nil) {
					t.Errorf("%v (%v), want %v (%v)", reason, cause, test.want, test.cause)
				}
				return test.err
			}))
			wantReason(t, c, test.want)
			p.Close()
		})
	}
}

// A panic comes back with its value and its stack, and the conversation ends.
func TestConverse_PanicError(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		x, y := connect(t, n)
		c := new(duet.Dialer).NewConn(x)
		p := newPeer(t, y)
		p.fin()
		err := duet.Serve(context.Background(), c, duet.HandlerFunc(func(context.Context, *duet.Conn) error {
			explode()
			return nil
		}))
		var pe *duet.PanicError
		if !errors.As(err, &pe) || pe.Value != "boom" || !strings.Contains(string(pe.Stack), "explode") {
			t.Fatalf("error %#v", err)
		}
		if s := err.Error(); s != "handler panicked: boom" {
			t.Errorf("text %q", s)
		}
		p.wantEOF()
		wantReason(t, c, duet.EndHandlerFailed)
		if _, cause := c.Result(); cause != err {
			t.Errorf("cause %v", cause)
		}
	})
}

// A panic on another stack of the handler is reported with the frames and the value of that stack.
func TestConverse_PanicAside(t *testing.T) {
	x, y := connect(t, tcp)
	c := new(duet.Dialer).NewConn(x)
	newPeer(t, y).fin()
	err := duet.Serve(context.Background(), c, duet.HandlerFunc(func(context.Context, *duet.Conn) error {
		aside.Do(explode)
		return nil
	}))
	var pe *duet.PanicError
	if !errors.As(err, &pe) || pe.Value != "boom" || !strings.Contains(string(pe.Stack), "explode") {
		t.Fatalf("error %v, stack\n%s", err, pe.Stack)
	}
}

// runtime.Goexit ends the conversation as well.
func TestConverse_Goexit(t *testing.T) {
	x, y := connect(t, tcp)
	c := new(duet.Dialer).NewConn(x)
	newPeer(t, y).fin()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		duet.Serve(context.Background(), c, duet.HandlerFunc(func(context.Context, *duet.Conn) error {
			runtime.Goexit()
			return nil
		}))
	}()
	<-gone
	<-c.Done()
	wantReason(t, c, duet.EndHandlerFailed)
}

// After Abort, Receive and Send fail at once, and the peer receives nothing.
func TestAbort(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		x, y := connect(t, n)
		d := duet.Dialer{Options: duet.Options{Farewell: "bye", SendTimeout: -1}}
		c := d.NewConn(x)
		p := newPeer(t, y)
		received, sent := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := c.Receive(context.Background())
			received <- err
		}()
		go func() { sent <- c.Send(context.Background(), make([]byte, 64<<20)) }()
		p.want("\x00") // it sends, to one who reads no more
		c.Abort()
		wantErr(t, "Receive", <-received, duet.ErrClosed)
		if err := <-sent; err == nil {
			t.Error("Send: no error")
		}
		wantReason(t, c, duet.EndClosed)
		select {
		case <-c.Done():
			t.Error("it has ended before its owner ended it")
		default:
		}
		rest, _ := io.ReadAll(p)
		if strings.Contains(string(rest), "bye") {
			t.Error("a farewell was said")
		}
		c.Close()
		<-c.Done()
		wantReason(t, c, duet.EndClosed)
		_, err := c.Receive(context.Background())
		wantErr(t, "Receive after it", err, duet.ErrClosed)
	})
}

// A peer that goes on sending delays the end by at most 1 MiB. [C-11]
func TestDrain_C11_Bytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inMemoryPair(t, duet.Dialer{Options: duet.Options{CloseTimeout: time.Hour}}, func(c *duet.Conn, p *peer) {
			p.SetDeadline(time.Time{})
			took := make(chan int64, 1)
			go func() {
				n, _ := io.Copy(p.Conn, zeros{})
				took <- n
			}()
			began := time.Now()
			c.Close()
			if d := time.Since(began); d != 0 {
				t.Errorf("Close took %v", d)
			}
			if n := <-took; n < 1<<20 || n > 2<<20 {
				t.Errorf("%d bytes were taken, want a mebibyte", n)
			}
		})
	})
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }
