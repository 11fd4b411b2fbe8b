package hostile

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"
)

// hosts is how many addresses of 127/8 a storm goes to: who closes first keeps the pair of
// addresses for a minute (TIME-WAIT, RFC 9293, 3.6.1), and one address has 28,000 ports or so.
const hosts = 250

// A Storm is many hostile sessions against one port of this machine. The server must listen at every
// address. The same seed gives the same sessions, whatever their order.
type Storm struct {
	// Port is the server's.
	Port int
	// Sessions is how many there are in all, and AtOnce how many go on at the same time; zero is 64.
	Sessions, AtOnce int
	// Seed makes one storm differ from another.
	Seed uint64
	// Kinds are what may happen; nil is all of Kinds. Each comes at least once where there are as many
	// Sessions, the rest by weight.
	Kinds []Kind
	// Longest bounds one session; zero is 10 s.
	Longest time.Duration
	// Progress is called now and then with how many sessions have ended. It may be nil.
	Progress func(ended int)
	// Every is how often Progress is called; zero is 10 s.
	Every time.Duration
}

// Run makes the storm and waits for its end. When ctx ends, so do all sessions, and no more are begun.
func (s Storm) Run(ctx context.Context) *Tally {
	if s.Kinds == nil {
		s.Kinds = Kinds()
	}
	s.AtOnce, s.Longest, s.Every = orElse(s.AtOnce, 64), orElse(s.Longest, 10*time.Second), orElse(s.Every, 10*time.Second)
	tally := newTally()
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(s.AtOnce, s.Sessions) {
		wg.Go(func() {
			for i := range next {
				s.session(ctx, i, tally)
			}
		})
	}
	s.feed(ctx, next, tally)
	close(next)
	wg.Wait()
	tally.Took = time.Since(tally.began)
	return tally
}

func (s Storm) feed(ctx context.Context, next chan<- int, tally *Tally) {
	tick := time.NewTicker(s.Every)
	defer tick.Stop()
	for i := 0; i < s.Sessions; {
		select {
		case next <- i:
			i++
		case <-tick.C:
			if s.Progress != nil {
				s.Progress(tally.Sessions())
			}
		case <-ctx.Done():
			return
		}
	}
}

func (s Storm) session(ctx context.Context, i int, tally *Tally) {
	rng := rand.New(rand.NewPCG(s.Seed, uint64(i)))
	k := s.pick(i, rng)
	host := 1 + rng.IntN(hosts)
	ctx, cancel := context.WithTimeout(ctx, s.Longest)
	defer cancel()
	err := k.Attack(ctx, net.JoinHostPort(fmt.Sprintf("127.0.0.%d", host), strconv.Itoa(s.Port)), rng)
	tally.note(k.Name, outcomeOf(err))
}

func (s Storm) pick(i int, rng *rand.Rand) Kind {
	if i < len(s.Kinds) {
		return s.Kinds[i]
	}
	sum := 0
	for _, k := range s.Kinds {
		sum += k.Weight
	}
	n := rng.IntN(sum)
	for _, k := range s.Kinds {
		if n -= k.Weight; n < 0 {
			return k
		}
	}
	return s.Kinds[0]
}

func orElse[T int | time.Duration](v, other T) T {
	if v == 0 {
		return other
	}
	return v
}
