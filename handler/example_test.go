package handler_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"duet.example/duet"
	"duet.example/duet/handler"
)

func ExampleEcho() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	s := &duet.Server{Handler: handler.Echo{}}
	go s.Serve(l)
	defer s.Shutdown(context.Background())

	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	fmt.Fprint(c, "hello, hello")
	c.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(c)
	fmt.Println(string(b), err)
	// Output: hello, hello <nil>
}

// With a Pipe, a client asks one question and prints the answer.
func ExamplePipe() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	s := &duet.Server{Handler: handler.Echo{}}
	go s.Serve(l)
	defer s.Shutdown(context.Background())

	ctx := context.Background()
	c, err := duet.Dial(ctx, l.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	err = (&handler.Pipe{In: strings.NewReader("is anybody there?\n"), Out: os.Stdout}).ServeConn(ctx, c)
	c.Close()
	fmt.Println(err)
	// Output:
	// is anybody there?
	// EOF
}
