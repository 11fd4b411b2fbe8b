// Command chat-server is a chat room: each line of a member goes to all other members.
//
//	go run ./chat-server 127.0.0.1:9000
//	duet connect 127.0.0.1:9000
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"sync"

	"duet.example/duet"
)

func main() {
	address := "127.0.0.1:8080"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	s := &duet.Server{Handler: &room{members: map[*duet.Conn]bool{}}}
	log.Fatal(s.ListenAndServe(context.Background(), address))
}

// A room is a Handler. Its members are the conversations that it answers.
type room struct {
	mu      sync.Mutex // also gives all members the same order of lines
	members map[*duet.Conn]bool
}

func (r *room) ServeConn(ctx context.Context, c *duet.Conn) error {
	r.setMember(c, true, "-- %d has joined", c.ID())
	defer r.setMember(c, false, "-- %d has left", c.ID())
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.post(c, "%d: %s", c.ID(), m.Body)
		r.mu.Unlock()
	}
	return nil
}

// setMember adds or removes a member, and announces it to all.
func (r *room) setMember(c *duet.Conn, joined bool, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if joined {
		r.members[c] = true
	} else {
		delete(r.members, c)
	}
	r.post(nil, format, args...)
}

// post sends a line to all members except from. The caller holds mu.
func (r *room) post(from *duet.Conn, format string, args ...any) {
	line := fmt.Appendf(nil, format, args...)
	for c := range r.members {
		if c != from {
			// Post never waits. If a member does not read, its queue fills, and Post ends its conversation.
			_ = c.Post(line)
		}
	}
}
