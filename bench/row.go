package main

import (
	"context"
	"slices"
)

// rows are all there are, in the order of docs/performance.md. Each has a file of its own.
var rows = []Row{idle{}, idleDesk{}, startUp{}}

// A Row is one line of docs/performance.md: one work, done by several.
type Row interface {
	About() About
	// Subjects are those that do the work, duet first. What is not installed here is left out.
	Subjects(lab *Lab) ([]Subject, error)
}

// An About says what a row measures.
type About struct {
	Name string `json:"name"`
	// What the figure is, in words, and in which Unit.
	What string `json:"what"`
	Unit string `json:"unit"`
	// Digits behind the point that mean something.
	Digits int `json:"-"`
	// Target is what duet must reach, in words.
	Target string `json:"target,omitempty"`
}

// A Subject does a row's work.
type Subject struct {
	Name string
	// Measure does the work once and gives the figure.
	Measure func(ctx context.Context) (float64, error)
}

// A tally is what a subject has reached in all rounds.
type tally struct {
	Name    string    `json:"name"`
	Figures []float64 `json:"figures"`
	Median  float64   `json:"median"`
	Least   float64   `json:"least"`
	Most    float64   `json:"most"`
	// Ratio is duet's figure divided by this one's, the median of the rounds, since only what was
	// measured side by side can be compared. Zero: there is none, as this one's figures are zero.
	Ratio float64 `json:"ratio"`
	Error string  `json:"error,omitempty"`
}

// A table is a row and what came of it.
type table struct {
	About
	Tallies []tally `json:"subjects"`
}

// measure goes round: A B C, A B C, …, so that what disturbs the machine disturbs all alike. A subject that
// fails is not measured again, and its error stands in the table.
func measure(ctx context.Context, lab *Lab, r Row, rounds int) (table, error) {
	t := table{About: r.About()}
	subjects, err := r.Subjects(lab)
	if err != nil {
		return t, err
	}
	for _, s := range subjects {
		t.Tallies = append(t.Tallies, tally{Name: s.Name})
	}
	for round := range rounds {
		for i, s := range subjects {
			y := &t.Tallies[i]
			if y.Error != "" {
				continue
			}
			lab.progress("%s, round %d of %d: %s", t.Name, round+1, rounds, s.Name)
			figure, err := s.Measure(ctx)
			if ctx.Err() != nil {
				return t, ctx.Err()
			}
			if err != nil {
				y.Error = err.Error()
				continue
			}
			y.Figures = append(y.Figures, figure)
		}
	}
	for i := range t.Tallies {
		t.Tallies[i].sum(t.Tallies[0].Figures)
	}
	return t, nil
}

func (y *tally) sum(duet []float64) {
	if len(y.Figures) == 0 {
		if y.Error == "" {
			y.Error = "nothing was measured"
		}
		return
	}
	y.Median, y.Least, y.Most = median(y.Figures), slices.Min(y.Figures), slices.Max(y.Figures)
	var ratios []float64
	for i := range min(len(duet), len(y.Figures)) {
		if y.Figures[i] != 0 {
			ratios = append(ratios, duet[i]/y.Figures[i])
		}
	}
	if len(ratios) > 0 {
		y.Ratio = median(ratios)
	}
}

// median is the middle of all, or between the two in the middle. There must be one.
func median(all []float64) float64 {
	s := slices.Sorted(slices.Values(all))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}
