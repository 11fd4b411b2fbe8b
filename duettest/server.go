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

// handlerTimeout is how long handlers have to return after the server has begun to stop, and again after their contexts have
// ended.
const handlerTimeout = 3 * time.Second

// Server is a duet server that runs for one test, on a free port of 127.0.0.1. Make it with [NewServer].
type Server struct {
	Addr   string       // for example "127.0.0.1:40123"
	Server *duet.Server // do not change its fields: it serves already
}

// NewServer starts a server with the handler h. The opts may set its other fields. Its log goes to the output of the test,
// unless one of opts sets Logger.
//
// At the end of the test the server is shut down. The test fails if a handler has not returned 3 s after its context has
// ended.
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

// Dial connects to the server, with the Framing, MaxMessage and Farewell of the server. It fails the test if it cannot connect.
// The conversation is closed at the end of the test.
func (s *Server) Dial(tb testing.TB) *duet.Conn {
	tb.Helper()
	c, err := dialer(s.Server).Dial(tb.Context(), s.Addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// ConnPair returns both ends of one conversation over [Pipe]. It works in a testing/synctest bubble. The server's end
// belongs to a server whose fields opts may set, except Handler. The client's end has the same Framing, MaxMessage and Farewell.
// If there is a greeting, it is the client's first message. Both ends are closed at the end of the test.
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

// dialer returns a dialer with the framing, longest message and farewell of s.
func dialer(s *duet.Server) *duet.Dialer {
	return &duet.Dialer{Options: duet.Options{Framing: s.Framing, MaxMessage: s.MaxMessage, Farewell: s.Farewell, ShowFarewell: s.ShowFarewell}}
}

// serve calls run, which serves with s, in a goroutine, and shuts s down at the end of the test. The channel returns the
// error of run.
func serve(tb testing.TB, s *duet.Server, run func() error) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- run() }()
	tb.Cleanup(func() {
		err := shutdown(s)
		if err != nil {
			err = shutdown(s) // the first one has ended the handlers' contexts
		}
		if err != nil {
			tb.Errorf("duettest: a handler has not returned %v after its context has ended", handlerTimeout)
			return // run may never return
		}
		select {
		case err := <-ended:
			var de *duet.Error
			if !errors.Is(err, duet.ErrServerClosed) && errors.As(err, &de) && de.Op == "accept" {
				tb.Errorf("duettest: server: %v", err)
			}
		case <-time.After(handlerTimeout):
			tb.Error("duettest: the server has not stopped")
		}
	})
	return ended
}

func shutdown(s *duet.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), handlerTimeout)
	defer cancel()
	return s.Shutdown(ctx)
}
