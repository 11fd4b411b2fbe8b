package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
)

// bulkPipe is the number of bytes that go from one pipe through TCP to another.
type bulkPipe struct {
	small bool // the source writes 4 KiB at a time, not 256 KiB
}

func (b bulkPipe) About() About {
	if b.small {
		return About{
			Name: "bulk-small",
			What: "bytes that a source writes 4 KiB at a time (as head -c does) into a pipe, through two programs and TCP between them, to a pipe, for 1.5 s; counted, and before that compared by digest",
			Columns: []Column{
				{Name: "bulk-small", What: "through", Unit: "GB/s", Digits: 2, Target: "at least 0.95 of C, 1.7 times nc"},
				{Name: "bulk-small-cpu", What: "CPU time of both programs", Unit: "s per GB", Digits: 3},
			},
		}
	}
	return About{
		Name: "bulk-pipe",
		What: "bytes from a pipe, through two programs and TCP between them, to a pipe, for 1.5 s; counted, and before that compared by digest",
		Columns: []Column{
			{Name: "bulk-pipe", What: "through", Unit: "GB/s", Digits: 2, Target: "at least 0.95 of C"},
			{Name: "bulk-cpu", What: "CPU time of both programs", Unit: "s per GB", Digits: 3, Target: "at most 0.2"},
		},
	}
}

const bulkSeconds = "1.5"

func (b bulkPipe) Subjects(lab *Lab) ([]Subject, error) {
	pairs, err := lab.pairs()
	if err != nil {
		return nil, err
	}
	if c := lab.cReference("pump"); c != "" {
		pairs = append(pairs, pair{"C: read and write, splice", false, []string{c, "receive", "{}"}, []string{c, "copy", "{}"}})
	}
	all, err := b.measure(lab, pairs)
	if path := lab.tool("iperf3", "--version"); err == nil && path != "" && !b.small {
		all = append(all, Subject{Name: "iperf3 (from memory to memory)", Measure: iperf(path)})
	}
	return all, err
}

// measure makes pairs the subjects of the row.
func (b bulkPipe) measure(lab *Lab, pairs []pair) ([]Subject, error) {
	pump, err := lab.load("pump")
	if err != nil {
		return nil, err
	}
	var all []Subject
	for _, p := range pairs {
		verified := once(func(ctx context.Context) error { return p.verify(ctx, lab.dir, false) })
		all = append(all, Subject{Name: p.name, Duet: p.duet, Measure: func(ctx context.Context) (Sample, error) {
			ctx, cancel := context.WithTimeout(ctx, longest)
			defer cancel()
			if err := verified(ctx); err != nil {
				return Sample{}, err
			}
			return b.pump(ctx, p, pump)
		}})
	}
	return all, nil
}

// pump lets a source write into the pair and a sink read out of it, programs of their own.
func (b bulkPipe) pump(ctx context.Context, p pair, path string) (Sample, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	block := 256 << 10
	if b.small {
		block = 4 << 10
	}
	source, sink := exec.CommandContext(ctx, path, "source", bulkSeconds, strconv.Itoa(block)), exec.CommandContext(ctx, path, "sink")
	var sourceSays, sinkSays tail
	source.Stderr, sink.Stderr = &sourceSays, &sinkSays
	sinkIn, receiveOut, err := os.Pipe()
	if err != nil {
		return Sample{}, err
	}
	defer sinkIn.Close()
	defer receiveOut.Close()
	sendIn, sourceOut, err := os.Pipe()
	if err != nil {
		return Sample{}, err
	}
	defer sendIn.Close()
	defer sourceOut.Close()
	sink.Stdin, source.Stdout = sinkIn, sourceOut
	t, err := p.start(ctx, nil, sendIn, receiveOut)
	if err != nil {
		return Sample{}, err
	}
	defer t.end()
	for _, c := range []*exec.Cmd{sink, source} {
		if err := c.Start(); err != nil {
			return Sample{}, err
		}
		defer func() {
			cancel()
			_ = c.Wait()
		}()
	}
	// The ends of the pipes are the programs' alone, or there would be no end of file.
	for _, f := range []*os.File{sinkIn, receiveOut, sendIn, sourceOut} {
		_ = f.Close()
	}
	if err := source.Wait(); err != nil {
		return Sample{}, fmt.Errorf("source: %w: %s", err, &sourceSays)
	}
	cpu, err := t.wait()
	if err != nil {
		return Sample{}, err
	}
	if err := sink.Wait(); err != nil {
		return Sample{}, fmt.Errorf("sink: %w: %s", err, &sinkSays)
	}
	sent, err := parseLines(&sourceSays)
	if err != nil {
		return Sample{}, err
	}
	got, err := parseLines(&sinkSays)
	if err != nil {
		return Sample{}, err
	}
	n := got.numbers["bytes"]
	if n != sent.numbers["bytes"] || n == 0 {
		return Sample{}, wrong("%.0f bytes were sent, %.0f have come", sent.numbers["bytes"], n)
	}
	through, used := b.About().Columns[0].Name, b.About().Columns[1].Name
	return Sample{Figures: map[string]float64{through: n / got.numbers["nanoseconds"], used: cpu.Seconds() / n * 1e9}}, nil
}

// iperf shows what one connection carries where the bytes come from memory and go nowhere.
func iperf(path string) func(context.Context) (Sample, error) {
	return func(ctx context.Context) (Sample, error) {
		ctx, cancel := context.WithTimeout(ctx, longest)
		defer cancel()
		p, port, err := server{path: path, args: []string{"-s", "-1", "-B", "127.0.0.1", "-p", "{}"}}.start(ctx)
		if err != nil {
			return Sample{}, err
		}
		defer p.stop()
		c := exec.CommandContext(ctx, path, "-c", "127.0.0.1", "-p", port, "-t", strconv.Itoa(2), "-J")
		out, err := c.Output()
		if err != nil {
			return Sample{}, fmt.Errorf("iperf3: %w: %s", err, out)
		}
		var said struct {
			End struct {
				Received struct {
					Bytes   float64 `json:"bytes"`
					Seconds float64 `json:"seconds"`
				} `json:"sum_received"`
			} `json:"end"`
		}
		if err := json.Unmarshal(out, &said); err != nil || said.End.Received.Seconds == 0 {
			return Sample{}, fmt.Errorf("iperf3 says nothing of what was received: %w", err)
		}
		<-p.ended
		cpu := p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime() + c.ProcessState.UserTime() + c.ProcessState.SystemTime()
		n := said.End.Received.Bytes
		return Sample{Figures: map[string]float64{"bulk-pipe": n / said.End.Received.Seconds / 1e9, "bulk-cpu": cpu.Seconds() / n * 1e9}}, nil
	}
}
