package duettest_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
	"duet.example/duet/framing"
)

var echo = duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		if err := c.Send(ctx, m.Body); err != nil {
			return err
		}
	}
	return nil
})

func withLengths(s *duet.Server) { s.Framing = framing.Length; s.Greeting = "hello" }

func wantMessage(t *testing.T, c *duet.Conn, want string) {
	t.Helper()
	if m, err := c.Receive(t.Context()); err != nil || string(m.Body) != want {
		t.Errorf("received %q, %v; want %q", m.Body, err, want)
	}
}

func TestServer(t *testing.T) {
	s := duettest.NewServer(t, echo, withLengths)
	for i := range 3 {
		c := s.Dial(t)
		wantMessage(t, c, "hello")
		body := fmt.Sprintf("two\nlines %d", i)
		if err := c.Send(t.Context(), []byte(body)); err != nil {
			t.Fatal(err)
		}
		wantMessage(t, c, body)
	}
}

func TestServer_ThroughProxy(t *testing.T) {
	s := duettest.NewServer(t, echo)
	p := duettest.StartProxy(t, s.Addr, duettest.Faults{Up: smallPieces, Down: smallPieces})
	c, err := duet.Dial(t.Context(), p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	body := strings.Repeat("你好 ", 100)
	if err := c.Send(t.Context(), []byte(body)); err != nil {
		t.Fatal(err)
	}
	wantMessage(t, c, body)
}

// fakeTest records the failures that the server reports. The test calls its cleanup functions.
type fakeTest struct {
	testing.TB
	mu       sync.Mutex
	failures []string
	cleanup  []func()
}

func (f *fakeTest) Cleanup(do func()) { f.cleanup = append(f.cleanup, do) }
func (f *fakeTest) Output() io.Writer { return io.Discard }

func (f *fakeTest) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures = append(f.failures, fmt.Sprintf(format, args...))
}

func TestServer_ReportsLeakedHandlers(t *testing.T) {
	for _, leaks := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			free := make(chan struct{})
			f := &fakeTest{TB: t}
			started := make(chan struct{})
			// A bubble has no sockets. ServeForTest shuts down as NewServer does.
			a, b := duettest.Pipe()
			duettest.ServeForTest(f, duet.HandlerFunc(func(ctx context.Context, _ *duet.Conn) error {
				close(started)
				if leaks {
					<-free
				}
				<-ctx.Done()
				return nil
			}), b)
			<-started
			for _, do := range f.cleanup {
				do()
			}
			if failed := len(f.failures) > 0; failed != leaks {
				t.Errorf("a handler that leaks (%t): failures %q", leaks, f.failures)
			}
			close(free)
			a.Close()
		})
	}
}

func TestConnPair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := duettest.ConnPair(t, withLengths, func(s *duet.Server) { s.IdleTimeout = time.Hour })
		wantMessage(t, client, "hello")
		client.Send(t.Context(), []byte("up"))
		wantMessage(t, server, "up")
		server.Send(t.Context(), []byte("down"))
		wantMessage(t, client, "down")

		start := time.Now()
		_, err := server.Receive(t.Context())
		took := time.Since(start).Truncate(time.Second)
		if reason, _ := server.Result(); reason != duet.EndIdle || took != time.Hour {
			t.Errorf("receive: %v, ended as %v after %v; want idle after 1h", err, reason, took)
		}
	})
}

func TestConnPair_Farewell(t *testing.T) {
	client, server := duettest.ConnPair(t, func(s *duet.Server) { s.Farewell, s.ShowFarewell = "bye", true })
	if err := client.SayBye(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m, err := server.Receive(t.Context()); err != nil || !m.Farewell {
		t.Errorf("received %q, %v; want the farewell, which it shows", m.Body, err)
	}
	if _, err := server.Receive(t.Context()); err != io.EOF {
		t.Errorf("after the farewell: %v, want io.EOF", err)
	}
}
