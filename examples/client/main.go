// Command client sends each of its arguments as a question and prints the answers:
//
//	go run ./client 127.0.0.1:9000 hello 'how are you?'
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"duet.example/duet"
)

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: client ADDRESS QUESTION...")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := ask(ctx, os.Args[1], os.Args[2:]); err != nil {
		log.Fatal(err)
	}
}

func ask(ctx context.Context, address string, questions []string) error {
	d := duet.Dialer{Options: duet.Options{Farewell: "bye"}}
	c, err := d.Dial(ctx, address)
	if err != nil {
		return err
	}
	defer c.Close()

	// A second goroutine sends, so that answers are received meanwhile.
	go func() {
		for _, q := range questions {
			if c.Send(ctx, []byte(q)) != nil {
				return // Messages returns the error
			}
		}
		_ = c.SayBye(ctx)
	}()
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		fmt.Printf("%s\n", m.Body)
	}
	return nil
}
