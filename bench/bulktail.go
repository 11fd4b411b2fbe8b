package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"
)

// bulkTail is how soon the end of much is there while the connection stays open: who sleeps until much has come must not sleep on it.
type bulkTail struct{}

const (
	bursts    = 25
	tailWrong = 10 * time.Second
)

func (bulkTail) About() About {
	return About{
		Name: "bulk-tail",
		What: "25 bursts of 8 to 16 MiB through a pipe, TCP and a pipe, with a pause behind each, while the connection stays open: from the end of the last write to the last byte, which is compared like all",
		Columns: []Column{
			{Name: "bulk-tail", What: "last bytes there within, the worst of 25", Unit: "ms", Digits: 2, Target: "10, all 25"},
			{Name: "bulk-tail-median", What: "the median of 25", Unit: "ms", Digits: 2},
		},
	}
}

func (bulkTail) Subjects(lab *Lab) ([]Subject, error) {
	pairs, err := lab.pairs()
	if err != nil {
		return nil, err
	}
	var all []Subject
	for _, p := range pairs {
		all = append(all, Subject{Name: p.name, Duet: p.duet, Measure: p.tails})
	}
	return all, nil
}

func (p pair) tails(ctx context.Context) (Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	var files []*os.File
	pipe := func() (r, w *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, nil
		}
		files = append(files, r, w)
		return r, w
	}
	silent, silentEnd := pipe()
	sendIn, in := pipe()
	out, receiveOut := pipe()
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	if len(files) != 6 {
		return Sample{}, errors.New("no more pipes")
	}
	t, err := p.start(ctx, silent, sendIn, receiveOut)
	if err != nil {
		return Sample{}, err
	}
	_, _, _ = silent.Close(), sendIn.Close(), receiveOut.Close()
	pattern := make([]byte, 1<<20+7) // no size of a buffer divides it
	for i := range pattern {
		pattern[i] = byte(uint32(i) * 2654435761 >> 12)
	}
	marks, failed := make(chan time.Time, 1), make(chan error, 1)
	read := make(chan struct{})
	ends := burstEnds(len(pattern))
	go func() {
		defer close(read)
		if err := readBursts(ctx, out, pattern, ends, marks); err != nil {
			failed <- err
		}
		// Who sends must not wait for a reader that has given up.
		_, _ = io.Copy(io.Discard, out)
	}()
	taken, err := sendBursts(ctx, in, pattern, ends, marks, failed)
	_, _ = in.Close(), silentEnd.Close()
	t.end()
	_ = out.Close()
	cancel()
	<-read
	if err != nil {
		return Sample{}, err
	}
	return Sample{Figures: map[string]float64{"bulk-tail": slices.Max(taken), "bulk-tail-median": median(taken)}}, nil
}

// burstEnds are how many bytes have been sent at the end of each burst, odd numbers.
func burstEnds(pattern int) []int64 {
	ends, at := make([]int64, bursts), int64(0)
	for i := range ends {
		at += 8<<20 + int64(i*i*pattern)%(8<<20) + 13
		ends[i] = at
	}
	return ends
}

// sendBursts gives, for each burst, the milliseconds from its last write to its last byte.
func sendBursts(ctx context.Context, in io.Writer, pattern []byte, ends []int64, marks <-chan time.Time, failed <-chan error) ([]float64, error) {
	var taken []float64
	var sent int64
	for i, end := range ends {
		for sent < end {
			from := int(sent % int64(len(pattern)))
			b := pattern[from:min(len(pattern), from+64<<10)]
			n, err := in.Write(b[:min(int64(len(b)), end-sent)])
			sent += int64(n)
			if err != nil {
				return nil, err
			}
		}
		at := time.Now()
		late := time.NewTimer(tailWrong)
		select {
		case there := <-marks:
			taken = append(taken, milliseconds(max(0, there.Sub(at))))
		case err := <-failed:
			return nil, err
		case <-late.C:
			return nil, wrong("the last bytes of burst %d have not come for %v", i+1, tailWrong)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		late.Stop()
		select {
		case <-time.After(time.Duration(20+i) * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return taken, nil
}

// readBursts compares all that comes and says when a burst is there.
func readBursts(ctx context.Context, out io.Reader, pattern []byte, ends []int64, marks chan<- time.Time) error {
	b := make([]byte, 256<<10)
	var got int64
	for len(ends) > 0 {
		n, err := out.Read(b)
		at := time.Now()
		for rest := b[:n]; len(rest) > 0; {
			from := int(got % int64(len(pattern)))
			size := min(len(rest), len(pattern)-from)
			if !bytes.Equal(rest[:size], pattern[from:from+size]) {
				return wrong("the bytes behind the first %d differ", got)
			}
			got += int64(size)
			rest = rest[size:]
		}
		for len(ends) > 0 && got >= ends[0] {
			select {
			case marks <- at:
			case <-ctx.Done():
				return ctx.Err()
			}
			ends = ends[1:]
		}
		if err != nil {
			return wrong("it has ended after %d bytes: %v", got, err)
		}
	}
	return nil
}
