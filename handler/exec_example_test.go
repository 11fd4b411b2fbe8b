//go:build unix

package handler_test

import (
	"context"
	"fmt"
	"io"
	"net"

	"duet.example/duet"
	"duet.example/duet/handler"
)

// A program that sorts its input answers at the peer's end of input, and the peer receives the answer.
func ExampleExec() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	s := &duet.Server{Handler: &handler.Exec{Args: []string{"sort"}}}
	go s.Serve(l)
	defer s.Shutdown(context.Background())

	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	fmt.Fprint(c, "pears\napples\n")
	c.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(c)
	fmt.Print(string(b), err, "\n")
	// Output:
	// apples
	// pears
	// <nil>
}

// One program for all: it reads the number of the sender, and prints that of the receiver.
func ExampleShared() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	h := &handler.Shared{Shell: `while read -r who text; do echo "$who you are number $who"; done`, Numbers: true}
	defer h.Close()
	s := &duet.Server{Handler: h}
	go s.Serve(l)
	defer s.Shutdown(context.Background())

	ctx := context.Background()
	c, err := duet.Dial(ctx, l.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	if err := c.Send(ctx, []byte("hello")); err != nil {
		fmt.Println(err)
		return
	}
	m, err := c.Receive(ctx)
	fmt.Println(string(m.Body), err)
	// Output: you are number 1 <nil>
}
