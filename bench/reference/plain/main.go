// Command plain is what one writes first: a goroutine for each connection, and a buffer of its own.
//
//	plain echo ADDRESS    says back what comes
//	plain greet ADDRESS   says hello, and waits for the end
//	plain room ADDRESS    says to all others what one says: a queue of lines and a goroutine that writes for each
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
)

func main() {
	serve := map[string]func(net.Conn){"echo": echo, "greet": greet, "room": (&room{}).serve}[os.Args[1]]
	l, err := net.Listen("tcp", os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		nc, err := l.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		go serve(nc)
	}
}

func echo(nc net.Conn) {
	defer nc.Close()
	b := make([]byte, 4096)
	for {
		n, err := nc.Read(b)
		if err != nil {
			return
		}
		if _, err := nc.Write(b[:n]); err != nil {
			return
		}
	}
}

func greet(nc net.Conn) {
	defer nc.Close()
	if _, err := io.WriteString(nc, "hello\n"); err != nil {
		return
	}
	b := make([]byte, 256)
	for {
		if _, err := nc.Read(b); err != nil {
			return
		}
	}
}

// A room has a queue for each member. Who speaks waits for a queue that is full, so that nothing is lost.
type room struct {
	mu      sync.Mutex
	members map[net.Conn]chan []byte
}

func (r *room) serve(nc net.Conn) {
	defer nc.Close()
	queue := make(chan []byte, 64)
	r.mu.Lock()
	if r.members == nil {
		r.members = map[net.Conn]chan []byte{}
	}
	r.members[nc] = queue
	r.mu.Unlock()
	go func() {
		for line := range queue {
			_, _ = nc.Write(line)
		}
	}()
	defer func() {
		r.mu.Lock()
		delete(r.members, nc)
		r.mu.Unlock()
		close(queue)
	}()
	for in := bufio.NewReader(nc); ; {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		r.mu.Lock()
		for other, queue := range r.members {
			if other != nc {
				queue <- line
			}
		}
		r.mu.Unlock()
	}
}
