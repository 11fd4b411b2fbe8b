package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"duet.example/duet"
)

// persist connects, and tries again while nobody answers: with growing waits and
// jitter, so that many clients do not come back at the same moment. It says a line for each change of state.
func (k *connect) persist(ctx context.Context, d *duet.Dialer) (*duet.Conn, error) {
	if k.retryFor > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, k.retryFor, errRetryFor)
		defer cancel()
	}
	said := ""
	var last error
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		c, err := d.DialAddress(ctx, k.addr)
		if err == nil {
			return c, nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		text, _, _ := explainError(last)
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
		pause := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
	}
}

// errRetryFor: --retry-for is over.
var errRetryFor = errors.New("retrying took too long")
