package main

import (
	"context"
	"os/exec"
	"time"
)

// startUp is how long a program takes that only says its version.
type startUp struct{}

func (startUp) About() About {
	return About{
		Name:    "start-up",
		What:    "start and end of a program that says its version, the median of 40 runs",
		Columns: []Column{{Name: "start-up", What: "from start to end", Unit: "ms", Digits: 2, Target: "at most 1.3 times ncat's"}},
	}
}

func (startUp) Subjects(lab *Lab) ([]Subject, error) {
	duet, err := lab.duet()
	if err != nil {
		return nil, err
	}
	all := []Subject{{Name: "duet", Duet: true, Measure: timeOf(duet, "--version")}}
	if path := lab.tool("ncat", "--version"); path != "" {
		all = append(all, Subject{Name: "ncat", Measure: timeOf(path, "--version")})
	}
	if path := lab.tool("socat", "-V"); path != "" {
		all = append(all, Subject{Name: "socat", Measure: timeOf(path, "-V")})
	}
	if path := lab.tool("true", "--version"); path != "" {
		all = append(all, Subject{Name: "true", Measure: timeOf(path, "--version")})
	}
	return all, nil
}

// runsPerRound is how often a program is run for one figure, the median.
const runsPerRound = 40

func timeOf(path string, args ...string) func(context.Context) (Sample, error) {
	return func(ctx context.Context) (Sample, error) {
		var all []float64
		for range runsPerRound {
			began := time.Now()
			if err := exec.CommandContext(ctx, path, args...).Run(); err != nil {
				return Sample{}, err
			}
			all = append(all, milliseconds(time.Since(began)))
		}
		return Sample{Figures: map[string]float64{"start-up": median(all)}}, nil
	}
}
