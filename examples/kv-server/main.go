// Command kv-server stores values by name: `SET name value`, `GET name`, `DEL name`.
//
//	go run ./kv-server 127.0.0.1:9000
//	duet connect 127.0.0.1:9000
package main

import (
	"context"
	"log"
	"os"
	"strings"
	"sync"
	"time"

	"duet.example/duet"
	"duet.example/duet/framing"
)

func main() {
	address := "127.0.0.1:8080"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	s := &duet.Server{
		Options: duet.Options{Framing: framing.CRLF, MaxMessage: 4 << 10, IdleTimeout: 5 * time.Minute},
		Handler: new(store), Greeting: "kv 1", MaxConns: 100,
	}
	log.Fatal(s.ListenAndServe(context.Background(), address))
}

// A store is the handler of all conversations. Each has a goroutine of its own.
type store struct{ values sync.Map }

func (s *store) ServeConn(ctx context.Context, c *duet.Conn) error {
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		if err := c.Send(ctx, []byte(s.answer(string(m.Body)))); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) answer(line string) string {
	verb, rest, _ := strings.Cut(line, " ")
	name, value, _ := strings.Cut(rest, " ")
	switch strings.ToUpper(verb) {
	case "SET":
		s.values.Store(name, value)
	case "DEL":
		s.values.Delete(name)
	case "GET":
		if v, ok := s.values.Load(name); ok {
			return "VALUE " + v.(string)
		}
		return "NONE"
	default:
		return "ERROR want SET, GET or DEL"
	}
	return "OK"
}
