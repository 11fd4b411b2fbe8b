package main

import (
	"testing"

	"go.uber.org/goleak"

	"duet.example/duet"
	"duet.example/duet/duettest"
	"duet.example/duet/framing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	s := duettest.NewServer(t, new(store), func(s *duet.Server) { s.Framing = framing.CRLF })
	first, second := s.Dial(t), s.Dial(t)
	for _, step := range []struct {
		c            *duet.Conn
		ask, receive string
	}{
		{first, "GET colour", "NONE"},
		{first, "SET colour dark blue", "OK"},
		{second, "get colour", "VALUE dark blue"},
		{second, "DEL colour", "OK"},
		{first, "GET colour", "NONE"},
		{first, "HELLO", "ERROR want SET, GET or DEL"},
	} {
		if err := step.c.Send(t.Context(), []byte(step.ask)); err != nil {
			t.Fatal(err)
		}
		if m, err := step.c.Receive(t.Context()); err != nil || string(m.Body) != step.receive {
			t.Errorf("%s: %q, %v, want %q", step.ask, m.Body, err, step.receive)
		}
	}
}
