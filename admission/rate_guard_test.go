package admission_test

import (
	"context"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/admission"
	"duet.example/duet/duettest"
)

// A peer that sends faster than it may is slowed down; what it sends arrives all the same.
func TestGuardThrottles(t *testing.T) {
	got := make(chan time.Duration, 1)
	h := duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
		began := time.Now()
		for n := 0; n < 3; n++ {
			m, err := c.Receive(ctx)
			if err == nil {
				err = c.Send(ctx, m.Body[:1])
			}
			if err != nil {
				return err
			}
		}
		got <- time.Since(began)
		return nil
	})
	g := &admission.Gate{Rate: 20_000, Burst: 4_000}
	s := duettest.NewServer(t, h, func(s *duet.Server) { g.Guard(s) })
	c := s.Dial(t)
	body := make([]byte, 4_000)
	for range 3 {
		if err := c.Send(t.Context(), body); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Receive(t.Context()); err != nil { // so that each is a read of its own
			t.Fatal(err)
		}
	}
	select {
	case took := <-got:
		// The first is within the burst; the second is worth 200 ms before the third is read.
		if took < 150*time.Millisecond {
			t.Errorf("three messages in %v: not slowed down", took)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("they did not arrive")
	}
}
