package duettest

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"duet.example/duet"
)

// handlersTime is how long handlers have to return, once told that the server stops, and once
// more when their context has ended.
const handlersTime = 3 * time.Second

// Server is a duet server that runs for one test, on a free port of 127.0.0.1.
type Server struct {
	Addr   string       // "127.0.0.1:40123" for one
	Server *duet.Server // serves; its fields must not be changed any more
}

// NewServer starts a server with h as its handler and the fields that opts set. What it logs goes to
// the test's output, unless an option sets Logger.
//
// At the test's end the server is shut down, and the test fails if a handler has not returned
// three seconds after its context has ended.
func NewServer(tb testing.TB, h duet.Handler, opts ...func(*duet.Server)) *Server {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{Addr: l.Addr().String(), Server: newServer(tb, h, opts)}
	serve(tb, s.Server, func() error { return s.Server.Serve(l) })
	return s
}

// Dial connects to the server with the framing, longest message and farewell that the server has,
// and closes the conversation at the test's end. It fails the test if it cannot.
func (s *Server) Dial(tb testing.TB) *duet.Conn {
	tb.Helper()
	c, err := dialer(s.Server).Dial(tb.Context(), s.Addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// ConnPair returns both ends of one conversation over [Pipe], so that it works inside a
// testing/synctest bubble. The opts set fields of the server that the server's end belongs to,
// except for Handler; the client's end has its framing, longest message and farewell. A greeting
// waits to be received by the client. Both ends are closed at the test's end.
func ConnPair(tb testing.TB, opts ...func(*duet.Server)) (client, server *duet.Conn) {
	tb.Helper()
	a, b := Pipe()
	return connPair(tb, a, b, opts)
}

// connPair is ConnPair over any pair of connections.
func connPair(tb testing.TB, a, b net.Conn, opts []func(*duet.Server)) (client, server *duet.Conn) {
	tb.Helper()
	accepted := make(chan *duet.Conn, 1)
	srv := newServer(tb, nil, opts)
	srv.Handler = duet.HandlerFunc(func(_ context.Context, c *duet.Conn) error {
		accepted <- c
		<-c.Done()
		return nil
	})
	refused := serve(tb, srv, func() error { return srv.ServeNetConn(b) })
	client = dialer(srv).NewConn(a)
	select {
	case server = <-accepted:
	case err := <-refused:
		client.Close()
		tb.Fatalf("duettest: the server's end: %v", err)
	}
	tb.Cleanup(func() {
		// Each Close waits for the other end.
		var wg sync.WaitGroup
		wg.Go(func() { client.Close() })
		wg.Go(func() { server.Close() })
		wg.Wait()
	})
	return client, server
}

func newServer(tb testing.TB, h duet.Handler, opts []func(*duet.Server)) *duet.Server {
	s := &duet.Server{Handler: h, Logger: slog.New(slog.NewTextHandler(tb.Output(), nil))}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// dialer returns a dialer that speaks as s does.
func dialer(s *duet.Server) *duet.Dialer {
	return &duet.Dialer{Options: duet.Options{Framing: s.Framing, MaxMessage: s.MaxMessage, Farewell: s.Farewell}}
}

// serve runs run, which serves with s, until the test's end, and gives its error.
func serve(tb testing.TB, s *duet.Server, run func() error) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- run() }()
	tb.Cleanup(func() {
		err := shutdown(s)
		if err != nil {
			err = shutdown(s) // the first has ended the handlers' context
		}
		if err != nil {
			tb.Errorf("duettest: a handler has not returned %v after its context has ended", handlersTime)
			return // ended may never come
		}
		select {
		case err := <-ended:
			var de *duet.Error
			if !errors.Is(err, duet.ErrServerClosed) && errors.As(err, &de) && de.Op == "accept" {
				tb.Errorf("duettest: server: %v", err)
			}
		case <-time.After(handlersTime):
			tb.Error("duettest: the server has not stopped")
		}
	})
	return ended
}

func shutdown(s *duet.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), handlersTime)
	defer cancel()
	return s.Shutdown(ctx)
}
