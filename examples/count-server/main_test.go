package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"go.uber.org/goleak"

	"duet.example/duet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func Example() {
	ctx := context.Background()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	l := &listener{Listener: tcp}
	served := make(chan error)
	go func() { served <- serve(l) }()

	for range 2 {
		c, err := duet.Dial(ctx, l.Addr().String())
		if err != nil {
			panic(err)
		}
		for _, line := range []string{"hello", "how are you?"} {
			if err := c.Send(ctx, []byte(line)); err != nil {
				panic(err)
			}
			m, err := c.Receive(ctx)
			if err != nil {
				panic(err)
			}
			fmt.Printf("%s\n", m.Body)
		}
		_ = c.Close()
	}
	_ = l.Close()
	fmt.Println(errors.Is(<-served, net.ErrClosed))
	// Output:
	// 6 in, 0 out
	// 19 in, 12 out
	// 25 in, 26 out
	// 38 in, 40 out
	// true
}
