package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"duet.example/duet"
	"duet.example/duet/duettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newRoom() *room { return &room{members: map[*duet.Conn]bool{}} }

func join(ctx context.Context, l *duettest.Listener) *duet.Conn {
	nc, err := l.Dial(ctx)
	if err != nil {
		panic(err)
	}
	return new(duet.Dialer).NewConn(nc)
}

func Example() {
	ctx := context.Background()
	l := duettest.NewListener()
	s := &duet.Server{Handler: newRoom()}
	served := make(chan error)
	go func() { served <- s.Serve(l) }()

	receive := func(name string, c *duet.Conn) {
		m, err := c.Receive(ctx)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s receives %q\n", name, m.Body)
	}
	anna := join(ctx, l)
	receive("anna", anna)
	bob := join(ctx, l)
	receive("bob", bob)
	receive("anna", anna)

	_ = bob.Send(ctx, []byte("hello"))
	receive("anna", anna)
	_ = anna.Send(ctx, []byte("welcome"))
	receive("bob", bob)

	_ = bob.Close()
	receive("anna", anna)
	_ = anna.Close()
	_ = s.Close()
	fmt.Println(<-served)
	// Output:
	// anna receives "-- 1 has joined"
	// bob receives "-- 2 has joined"
	// anna receives "-- 2 has joined"
	// anna receives "2: hello"
	// bob receives "1: welcome"
	// anna receives "-- 2 has left"
	// server closed
}

// A member that does not read is dropped. The others do not wait for it.
func TestRoom_SlowMember(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	l := duettest.NewListener()
	s := &duet.Server{Handler: newRoom(), Options: duet.Options{QueueSize: 64 << 10, SendTimeout: time.Hour}}
	served := make(chan error)
	go func() { served <- s.Serve(l) }()
	defer func() { _ = s.Close(); <-served }()

	receive := func(c *duet.Conn) string {
		m, err := c.Receive(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return string(m.Body)
	}
	var members []*duet.Conn
	for range 3 {
		c := join(ctx, l)
		defer c.Close()
		receive(c) // its own announcement: it is a member now
		members = append(members, c)
	}
	speaker, reader := members[1], members[2]
	for body := ""; body != "-- 1 has left"; body = receive(reader) {
		if err := speaker.Send(ctx, make([]byte, 1<<10)); err != nil {
			t.Fatal(err)
		}
	}
}
