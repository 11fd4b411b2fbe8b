package admission_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/admission"
	"duet.example/duet/duettest"
)

// A peer that sends too fast is read more slowly. Its messages still arrive.
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
		if _, err := c.Receive(t.Context()); err != nil { // so that each message is one read
			t.Fatal(err)
		}
	}
	select {
	case took := <-got:
		// The first message is within the burst. The second delays the third by 200 ms.
		if took < 150*time.Millisecond {
			t.Errorf("three messages in %v: not slowed down", took)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the messages did not arrive")
	}
}

// Guard keeps the server's Throttle: the longer wait counts, an error of either is returned, and both see all bytes.
func TestGuardJoinsThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			wait    time.Duration
			failure error
			asked   int
		)
		s := newStage(&admission.Gate{})
		s.Throttle = func(_ *duet.Conn, n int) (time.Duration, error) {
			asked += n
			return wait, failure
		}
		(&admission.Gate{Rate: 1000}).Guard(s.Server)
		c, leave := s.enter(tcp("192.0.2.1"))
		defer leave()
		errOwn, all := errors.New("of the server's own"), 0
		for _, step := range []struct {
			own     time.Duration
			ownErr  error
			n       int
			want    time.Duration
			wantErr error
		}{
			{own: 3 * time.Second, n: 2000, want: 3 * time.Second}, // the burst
			{own: 0, n: 1000, want: time.Second},
			{ownErr: errOwn, n: 500, wantErr: errOwn},
			{own: 0, n: 1, want: 1501 * time.Millisecond},
			{own: time.Minute, n: 100_000, wantErr: admission.ErrTooFast},
			{ownErr: errOwn, n: 100_000, wantErr: errOwn},
		} {
			wait, failure = step.own, step.ownErr
			all += step.n
			d, err := s.Throttle(c, step.n)
			if !errors.Is(err, step.wantErr) || (d-step.want).Abs() > time.Millisecond {
				t.Errorf("%d bytes, the server's own delay is %v, %v: the delay is %v, %v; want %v, %v",
					step.n, step.own, step.ownErr, d, err, step.want, step.wantErr)
			}
			if asked != all {
				t.Errorf("the server's own Throttle saw %d bytes, want %d", asked, all)
			}
		}
	})
}
