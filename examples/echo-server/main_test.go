package main

import (
	"io"
	"testing"

	"go.uber.org/goleak"

	"duet.example/duet"
	"duet.example/duet/duettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestShout(t *testing.T) {
	s := duettest.NewServer(t, duet.HandlerFunc(shout), func(s *duet.Server) { s.Farewell = "bye" })
	d := duet.Dialer{Options: duet.Options{Farewell: "bye", ShowFarewell: true}}
	c, err := d.Dial(t.Context(), s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, line := range []string{"hello", "bye"} {
		if err := c.Send(t.Context(), []byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"HELLO", "Bye"} {
		if m, err := c.Receive(t.Context()); err != nil || string(m.Body) != want {
			t.Errorf("received %q, %v, want %q", m.Body, err, want)
		}
	}
	if _, err := c.Receive(t.Context()); err != io.EOF {
		t.Errorf("after the farewell: %v, want io.EOF", err)
	}
}
