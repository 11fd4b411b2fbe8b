//go:build unix && !race

package handler_test

import (
	"context"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/framing"
	"duet.example/duet/handler"
)

// TestWaitsOnASmallStack: a conversation that has spoken once and waits has the stack that it began with, 2 KiB. One that has
// grown would have 4 KiB for as long as it waits.
func TestWaitsOnASmallStack(t *testing.T) {
	const many, enough = 200, 3 << 10
	for name, s := range map[string]*duet.Server{
		"bytes":                    {Handler: &handler.Echo{}},
		"bytes, idle timeout":      {Handler: &handler.Echo{Idle: time.Hour}},
		"lines":                    {Handler: &handler.Echo{Framed: true}},
		"lines, greeted, farewell": {Handler: &handler.Echo{Framed: true}, Greeting: "hello", Options: duet.Options{Farewell: "bye", IdleTimeout: time.Hour}},
		"pauses":                   {Handler: &handler.Echo{Framed: true}, Options: duet.Options{Framing: framing.Auto, Farewell: "bye"}},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- s.Serve(l) }()
			defer func() {
				s.Close()
				<-served
				s.Shutdown(context.Background())
			}()
			talk := func() {
				nc, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { nc.Close() })
				want := "ping\n"
				if s.Greeting != "" {
					want = s.Greeting + "\n" + want
				}
				if _, err := io.WriteString(nc, "ping\n"); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(nc, make([]byte, len(want))); err != nil {
					t.Fatal(err)
				}
			}
			for range 10 {
				talk() // allocates everything that is made once
			}
			before := stacks()
			for range many {
				talk()
			}
			if each := (stacks() - before) / many; each > enough {
				t.Errorf("a conversation has %d bytes of stack", each)
			}
		})
	}
}

// stacks is how many bytes the stacks of all goroutines have, without those that have ended.
func stacks() int {
	runtime.GC() // gives back the stacks of those
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.StackInuse)
}
