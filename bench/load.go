package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// errNoLoad leaves out a row whose peers are played by a program in C for Linux: one in Go would cost as much as what it measures.
const errNoLoad = leftOut("its load is made by a C program for Linux, and there is no compiler (cc) or no Linux here")

// load is the path of a load program, reference/NAME.c.
func (lab *Lab) load(name string) (string, error) {
	path := lab.cReference(name)
	if path == "" {
		return "", errNoLoad
	}
	return path, nil
}

// A result is what a load program has printed: numbers by their names, and the quantiles of a distribution in nanoseconds.
type result struct {
	numbers   map[string]float64
	quantiles []Point
}

// perSecond is how many of something there were in a second.
func (r result) perSecond(n float64) float64 { return n / r.numbers["nanoseconds"] * 1e9 }

// quantile is a quantile in nanoseconds, and whether there were enough values for it.
func (r result) quantile(part float64) (float64, bool) {
	for _, p := range r.quantiles {
		if p.X == part {
			return p.Y, true
		}
	}
	return 0, false
}

// wrongStatus is how a load program ends that has seen a wrong result.
const wrongStatus = 3

func runLoad(ctx context.Context, path string, args ...string) (result, error) {
	c := exec.CommandContext(ctx, path, args...)
	var says tail
	c.Stderr = &says
	out, err := c.Output()
	if err != nil {
		return result{}, loadError(err, says.String())
	}
	return parseResult(string(out))
}

func loadError(err error, says string) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == wrongStatus {
		return wrong("%s", says)
	}
	return fmt.Errorf("the load program: %w: %s", err, says)
}

// parseLines reads what was said where stdout was for the work.
func parseLines(says *tail) (result, error) {
	says.mu.Lock()
	defer says.mu.Unlock()
	return parseResult(string(says.b))
}

// parseResult reads lines of a name and numbers.
func parseResult(text string) (result, error) {
	r := result{numbers: map[string]float64{}}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		var numbers []float64
		for _, w := range words[min(1, len(words)):] {
			n, err := strconv.ParseFloat(w, 64)
			if err != nil {
				return r, fmt.Errorf("the load program says %q", line)
			}
			numbers = append(numbers, n)
		}
		switch {
		case len(words) == 3 && words[0] == "quantile":
			r.quantiles = append(r.quantiles, Point{numbers[0], numbers[1]})
		case len(words) == 2:
			r.numbers[words[0]] = numbers[0]
		default:
			return r, fmt.Errorf("the load program says %q", line)
		}
	}
	return r, nil
}

// loaded is a subject: a server, and a load program that is started with its port, and what comes of its result.
func (s server) loaded(load string, args []string, sample func(result) (Sample, error)) Subject {
	return s.measured(func(ctx context.Context, _ *process, port string) (Sample, error) {
		r, err := runLoad(ctx, load, withPort(args, port)...)
		if err != nil {
			return Sample{}, err
		}
		return sample(r)
	})
}
