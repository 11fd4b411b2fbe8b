package main

import (
	"context"
	"fmt"
	"net"
	"testing"

	"go.uber.org/goleak"

	"duet.example/duet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func Example() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	s := &duet.Server{
		Options: duet.Options{Farewell: "bye"},
		Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
			for m, err := range c.Messages(ctx) {
				if err != nil {
					return err
				}
				if err := c.Send(ctx, fmt.Appendf(nil, "you asked: %s", m.Body)); err != nil {
					return err
				}
			}
			return nil
		}),
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Serve(l)
	}()

	if err := ask(context.Background(), l.Addr().String(), []string{"hello", "how are you?"}); err != nil {
		fmt.Println(err)
	}
	_ = s.Close()
	<-ended
	// Output:
	// you asked: hello
	// you asked: how are you?
}
