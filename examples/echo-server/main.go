// Command echo-server answers each line with the line in upper case.
//
//	go run ./echo-server 127.0.0.1:9000
//	duet connect 127.0.0.1:9000
package main

import (
	"bytes"
	"context"
	"errors"
	"log"
	"os"
	"os/signal"

	"duet.example/duet"
)

func main() {
	address := "127.0.0.1:8080"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	s := &duet.Server{
		Handler:  duet.HandlerFunc(shout),
		Greeting: "Say something.",
		Options:  duet.Options{Farewell: "bye"},
	}
	log.Print("listening at ", address)
	// Ctrl-C ends ctx. Then each client gets the farewell, and the server ends.
	if err := s.ListenAndServe(ctx, address); !errors.Is(err, duet.ErrServerClosed) {
		log.Fatal(err)
	}
}

func shout(ctx context.Context, c *duet.Conn) error {
	log.Printf("%d: %v is here", c.ID(), c.RemoteAddr())
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		if err := c.Send(ctx, bytes.ToUpper(m.Body)); err != nil {
			return err
		}
	}
	return nil
}
