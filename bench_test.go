package duet_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"testing"

	"duet.example/duet"
	"duet.example/duet/duettest"
)

// serveBench serves over TCP on the loopback until the benchmark ends.
func serveBench(b *testing.B, s *duet.Server) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	b.Cleanup(func() {
		s.Close()
		<-served
		s.Shutdown(context.Background())
	})
	return l.Addr().String()
}

func echo(ctx context.Context, c *duet.Conn) error {
	for m, err := range c.Messages(ctx) {
		if err == nil {
			err = c.Send(ctx, m.Body)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkEcho is one message of 64 bytes there and back; both ends are duet's.
func BenchmarkEcho(b *testing.B) {
	address := serveBench(b, &duet.Server{Handler: duet.HandlerFunc(echo)})
	ctx := context.Background()
	c, err := duet.Dial(ctx, address)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	body := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Send(ctx, body); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Receive(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEchoInMemory is BenchmarkEcho without the system: what duet itself does for a message there and back.
func BenchmarkEchoInMemory(b *testing.B) {
	l := duettest.NewListener()
	s := &duet.Server{Handler: duet.HandlerFunc(echo), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	defer func() {
		s.Close()
		<-served
		s.Shutdown(context.Background())
	}()
	ctx := context.Background()
	nc, err := l.Dial(ctx)
	if err != nil {
		b.Fatal(err)
	}
	c := new(duet.Dialer).NewConn(nc)
	defer c.Close()
	body := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Send(ctx, body); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Receive(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPost is one message of 64 bytes through the queue, to a peer that reads.
func BenchmarkPost(b *testing.B) {
	address := serveBench(b, &duet.Server{})
	c, err := duet.Dial(context.Background(), address)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	body := make([]byte, 64)
	b.SetBytes(64)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Post(body); err != nil {
			b.Fatal(err)
		}
		if c.Queued() > 1<<20 {
			if err := c.Send(context.Background(), body); err != nil { // waits for the queue
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkAcceptGreetClose is one whole conversation: connect, read the greeting, close.
func BenchmarkAcceptGreetClose(b *testing.B) {
	address := serveBench(b, &duet.Server{Greeting: "hello", Handler: duet.HandlerFunc(
		func(context.Context, *duet.Conn) error { return nil },
	)})
	b.ReportAllocs()
	got := make([]byte, 16)
	for b.Loop() {
		nc, err := net.Dial("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = nc.Read(got)
		}
		if err != io.EOF {
			b.Fatal(err)
		}
		nc.Close()
	}
}

// BenchmarkIsFarewell asks about a long message and about the farewell.
func BenchmarkIsFarewell(b *testing.B) {
	for name, body := range map[string][]byte{
		"1 MiB": bytes.Repeat([]byte("a line of text\n"), 1<<20/15),
		"bye":   []byte("Bye"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				duet.IsFarewell(body, "bye")
			}
		})
	}
}
