package duet_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os/signal"
	"strings"
	"syscall"

	"duet.example/duet"
)

// An echo server: each line that a peer says comes back.
func Example_echo() {
	server := &duet.Server{
		Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
			for m, err := range c.Messages(ctx) {
				if err != nil {
					return err
				}
				if err := c.Send(ctx, m.Body); err != nil {
					return err
				}
			}
			return nil
		}),
	}
	address := serveExample(server)
	defer server.Shutdown(context.Background())

	c, err := duet.Dial(context.Background(), address)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	c.Send(context.Background(), []byte("hello"))
	m, err := c.Receive(context.Background())
	fmt.Printf("%s %v\n", m.Body, err)
	// Output: hello <nil>
}

// A server for a line protocol, with a greeting and a farewell. By hand: duet connect, or nc.
func ExampleServer() {
	server := &duet.Server{
		Greeting: "Can I help you?",
		Options:  duet.Options{Farewell: "bye"},
		Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
			for m, err := range c.Messages(ctx) {
				if err != nil {
					return err
				}
				word, rest, _ := strings.Cut(string(m.Body), " ")
				switch word {
				case "UPPER":
					err = c.Send(ctx, []byte(strings.ToUpper(rest)))
				default:
					err = c.Send(ctx, []byte("unknown command "+word))
				}
				if err != nil {
					return err
				}
			}
			return nil
		}),
	}
	address := serveExample(server)
	defer server.Shutdown(context.Background())

	nc, err := net.Dial("tcp", address)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nc.Close()
	io.WriteString(nc, "UPPER quiet\nLOWER loud\nbye\n")
	answer, err := io.ReadAll(nc)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Print(string(answer))
	// Output:
	// Can I help you?
	// QUIET
	// unknown command LOWER
	// Bye
}

// A client that says what it has to say, and ends in good order.
func ExampleDialer() {
	server := &duet.Server{Greeting: "hello", Options: duet.Options{Farewell: "bye"}}
	address := serveExample(server)
	defer server.Shutdown(context.Background())

	ctx := context.Background()
	dialer := &duet.Dialer{Options: duet.Options{Farewell: "bye"}}
	c, err := dialer.Dial(ctx, address)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	c.SayBye(ctx)
	for m, err := range c.Messages(ctx) {
		fmt.Printf("%s %v\n", m.Body, err)
	}
	reason, _ := c.Result()
	fmt.Println(reason)
	// Output:
	// hello <nil>
	// farewell
}

// Graceful shutdown: on an interrupt every peer is told goodbye, and what is under way is finished.
func ExampleServer_ListenAndServe() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	server := &duet.Server{Options: duet.Options{Farewell: "bye"}}

	go stop() // here in place of a signal
	err := server.ListenAndServe(ctx, "localhost:0")
	fmt.Println(err)
	// Output: server closed
}

// serveExample serves on a free port, and returns the address.
func serveExample(s *duet.Server) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go s.Serve(l)
	return l.Addr().String()
}
