package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"duet.example/duet"
)

// Waiting for a server grows from the first to the last of these, with jitter.
const (
	firstWait = 100 * time.Millisecond
	lastWait  = 5 * time.Second
)

// pauseBefore is how long to wait after so many attempts in vain, the first being 0: twice as long each time, up to lastWait,
// and then by jitter, from 0 to 1, from half to one and a half of that.
func pauseBefore(attempt int, jitter float64) time.Duration {
	wait := lastWait
	if attempt < 10 { // beyond that it would not be shorter, and in the end overflow
		wait = min(firstWait<<attempt, lastWait)
	}
	return wait/2 + time.Duration(jitter*float64(wait))
}

// persist connects, and tries again while nobody answers: with growing waits and
// jitter, so that many clients do not come back at the same moment. It says a line for each change of state.
// What no waiting mends, such as a port that has no such name, ends it. So does a server that answers and resets at once, unless
// duet comes back after a reset.
func (k *connect) persist(ctx context.Context, d *duet.Dialer) (*duet.Conn, error) {
	if k.retryFor > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, k.retryFor, errRetryFor)
		defer cancel()
	}
	said := ""
	var last error
	for attempt := 0; ; attempt++ {
		c, err := d.DialAddress(ctx, k.addr)
		if err == nil {
			return c, nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		text, _, code := explainError(last)
		if code == exitUsage || wasReset(last) && !k.reconnect {
			return nil, last
		}
		if errors.Is(context.Cause(ctx), errRetryFor) {
			k.say("gave up after %v", k.retryFor)
			return nil, last
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if text != said {
			k.say("%s; trying again until it answers", text)
			said = text
		}
		pause := time.NewTimer(pauseBefore(attempt, rand.Float64()))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
	}
}

// errRetryFor: --retry-for is over.
var errRetryFor = errors.New("retrying took too long")
