package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"time"
)

// burst is many clients that connect at the same time.
type burst struct{}

const (
	burstDials  = 800
	burstRounds = 5
)

func (burst) About() About {
	return About{
		Name: "burst",
		What: "800 clients dial at the same time, and reset their connections when all are there; five times in each round",
		Columns: []Column{
			{Name: "burst", What: "all 800 are connected within", Unit: "ms", Digits: 1, Target: "at most 1.5 of net.Listen"},
			{Name: "burst-p50", What: "half of the dials last at most", Unit: "ms", Digits: 1},
			{Name: "burst-p99", What: "99 of 100 dials last at most", Unit: "ms", Digits: 1},
		},
	}
}

func (burst) Subjects(lab *Lab) ([]Subject, error) {
	duet, err := lab.duet()
	if err != nil {
		return nil, err
	}
	servers, err := lab.goReference("burst")
	if err != nil {
		return nil, err
	}
	return []Subject{
		dialed(server{name: "duet, Server{}", path: servers, args: []string{"duet", "127.0.0.1:{}"}, duet: true}),
		dialed(server{name: "duet listen --discard", path: duet, args: []string{"listen", "--discard", "127.0.0.1:{}"}, duet: true}),
		dialed(server{name: "Go, net.Listen", path: servers, args: []string{"net", "127.0.0.1:{}"}}),
	}, nil
}

// dialed is a server at which all clients dial at once.
func dialed(s server) Subject {
	return s.measured(func(ctx context.Context, _ *process, port string) (Sample, error) {
		var all []time.Duration
		var whole []float64 // how long it took until all were there
		for range burstRounds {
			began := time.Now()
			each, err := dialAll(ctx, "127.0.0.1:"+port, burstDials)
			if err != nil {
				return Sample{}, err
			}
			whole = append(whole, milliseconds(time.Since(began)))
			all = append(all, each...)
		}
		slices.Sort(all)
		return Sample{Figures: map[string]float64{
			"burst":     median(whole),
			"burst-p50": milliseconds(all[len(all)/2]),
			"burst-p99": milliseconds(all[len(all)*99/100]),
		}}, nil
	})
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// dialAll dials so many times at once, and tells how long each dial took.
func dialAll(ctx context.Context, address string, many int) ([]time.Duration, error) {
	type outcome struct {
		nc   net.Conn
		took time.Duration
		err  error
	}
	start, outcomes := make(chan struct{}), make(chan outcome, many)
	for range many {
		go func() {
			<-start
			began := time.Now()
			var d net.Dialer
			nc, err := d.DialContext(ctx, "tcp", address)
			outcomes <- outcome{nc, time.Since(began), err}
		}()
	}
	close(start)
	var took []time.Duration
	var failed error
	for range many {
		o := <-outcomes
		if o.err != nil {
			failed = fmt.Errorf("one of %d dials at once: %w", many, o.err)
			continue
		}
		took = append(took, o.took)
		// A reset: thousands of ports that wait for their time to pass would be missed by the next.
		_ = o.nc.(*net.TCPConn).SetLinger(0)
		defer func() { _ = o.nc.Close() }()
	}
	return took, failed
}
