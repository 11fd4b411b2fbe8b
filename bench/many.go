package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// manyProcesses is more conversations than a process may have descriptors.
type manyProcesses struct{}

const (
	manyConns   = 200000
	manyLongest = 5 * time.Minute
)

func (manyProcesses) About() About {
	return About{
		Name: "many", Long: true,
		What: "200,000 conversations at once in as many processes as the descriptors of one ask for, each of which has spoken and got its answer; each answer is compared",
		Columns: []Column{
			{Name: "many", What: "memory for one, in user space", Unit: "bytes"},
			{Name: "many-kernel", What: "the same in the kernel (Slab, both ends)", Unit: "bytes"},
			{Name: "many-rate", What: "connected, spoken and answered, all processes together", Unit: "per s"},
			{Name: "many-answered", What: "conversations that were answered", Unit: "conversations"},
		},
	}
}

func (manyProcesses) Subjects(lab *Lab) ([]Subject, error) {
	load, err := lab.load("crowd")
	if err != nil {
		return nil, err
	}
	duet, err := lab.duet()
	if err != nil {
		return nil, err
	}
	floor, err := lab.goReference("idle")
	if err != nil {
		return nil, err
	}
	per := min(25000, descriptors()-1000) // of one process; there are not more ports than 28,000 for one address
	count := (manyConns + per - 1) / per
	of := func(name string) string { return fmt.Sprintf("%s, %d processes", name, count) }
	all := []Subject{
		several(server{
			name: of("duet"), path: duet, duet: true,
			args: []string{"listen", "--echo", "--framing", "lf", "--max-conns", fmt.Sprint(per), "127.0.0.1:{}"},
		}, load, count),
		several(server{name: of("Go, goroutine and connection alone"), path: floor, args: []string{"127.0.0.1:{}"}}, load, count),
	}
	if c := lab.cReference("idle"); c != "" {
		all = append(all, several(server{name: of("C, epoll"), path: c, args: []string{"{}"}}, load, count))
	}
	return all, nil
}

// several are so many servers with a load each, all at the same time.
func several(s server, load string, count int) Subject {
	return Subject{Name: s.name, Duet: s.duet, Measure: func(ctx context.Context) (Sample, error) {
		ctx, cancel := context.WithTimeout(ctx, manyLongest)
		defer cancel()
		var servers []*process
		var loads []*peers
		defer func() {
			for _, l := range loads {
				l.end()
			}
			for _, p := range servers {
				p.stop()
			}
		}()
		for range count {
			p, port, err := s.start(ctx)
			if err != nil {
				return Sample{}, err
			}
			servers = append(servers, p)
			l, err := throng{word: word, echoes: true}.peers(ctx, load, port)
			if err != nil {
				return Sample{}, err
			}
			loads = append(loads, l)
		}
		before, err := memoryOf(ctx, servers)
		if err != nil {
			return Sample{}, err
		}
		kernelBefore, began := kernelMemory(), time.Now()
		if err := growAll(loads); err != nil {
			return Sample{}, err
		}
		took := time.Since(began)
		after, err := memoryOf(ctx, servers)
		if err != nil {
			return Sample{}, err
		}
		figures := map[string]float64{
			"many":          float64(after-before) / manyConns,
			"many-rate":     manyConns / took.Seconds(),
			"many-answered": manyConns, // or growAll has failed
		}
		if kernelBefore > 0 {
			figures["many-kernel"] = float64(kernelMemory()-kernelBefore) / manyConns
		}
		return Sample{Figures: figures}, nil
	}}
}

func growAll(loads []*peers) error {
	errs := make([]error, len(loads))
	var wg sync.WaitGroup
	for i, l := range loads {
		size := manyConns / len(loads)
		if i < manyConns%len(loads) {
			size++
		}
		wg.Go(func() { _, errs[i] = l.ask("grow %d", size) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// memoryOf is what all servers occupy, once each has stopped changing.
func memoryOf(ctx context.Context, servers []*process) (int64, error) {
	var all int64
	for _, p := range servers {
		n, err := p.settled(ctx)
		if err != nil {
			return 0, err
		}
		all += n
	}
	return all, nil
}
