// Command count-server counts the bytes of all its conversations, and answers each line with the counts. It shows that
// a conversation works over any net.Conn, such as one that wraps another.
//
//	go run ./count-server 127.0.0.1:9000
//	duet connect 127.0.0.1:9000
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"sync/atomic"

	"duet.example/duet"
)

func main() {
	address := "127.0.0.1:8080"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(serve(&listener{Listener: l}))
}

func serve(l *listener) error {
	s := &duet.Server{Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
		for _, err := range c.Messages(ctx) {
			if err != nil {
				return err
			}
			if err := c.Send(ctx, fmt.Appendf(nil, "%d in, %d out", l.in.Load(), l.out.Load())); err != nil {
				return err
			}
		}
		return nil
	})}
	return s.Serve(l)
}

// A listener counts the bytes of all connections that it has accepted.
type listener struct {
	net.Listener
	in, out atomic.Int64
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, l: l}, nil
}

type conn struct {
	net.Conn
	l *listener
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.l.in.Add(int64(n))
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.l.out.Add(int64(n))
	return n, err
}

// CloseWrite lets duet end a conversation with a FIN, as over the connection below. Without it, an ending waits until
// the peer has been silent for 100 ms.
func (c *conn) CloseWrite() error {
	return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}
