// Command burst takes connections and says nothing, as two servers that one writes in Go:
//
//	burst duet ADDRESS    a zero duet.Server, which makes its listening socket itself
//	burst net ADDRESS     net.Listen, and a goroutine for each connection
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"

	"duet.example/duet"
)

func main() {
	serve := map[string]func(address string) error{"duet": serveDuet, "net": serveNet}[os.Args[1]]
	fmt.Fprintln(os.Stderr, serve(os.Args[2]))
	os.Exit(1)
}

func serveDuet(address string) error {
	var s duet.Server
	return s.ListenAndServe(context.Background(), address)
}

func serveNet(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		nc, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer func() { _ = nc.Close() }()
			_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{nc}, make([]byte, 256))
		}()
	}
}
