// Command idle is the least that a goroutine for each connection costs: it accepts and says back what
// comes, holds no buffer while nothing comes, and has nothing else.
package main

import (
	"fmt"
	"net"
	"os"
	"sync"
)

func main() {
	l, err := net.Listen("tcp", os.Args[1])
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
		go serve(nc.(*net.TCPConn))
	}
}

var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

func serve(nc *net.TCPConn) {
	defer nc.Close()
	rc, err := nc.SyscallConn()
	if err != nil {
		return
	}
	_ = rc.Read(func(fd uintptr) (done bool) {
		b := buffers.Get().(*[64 << 10]byte)
		defer buffers.Put(b)
		return !echo(fd, b[:])
	})
}
