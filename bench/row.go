package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// rows are all there are, in the order of docs/performance.md. Each work has a file of its own.
var rows = []Row{
	bulkPipe{},
	bulkPipe{small: true},
	bulkFile{},
	bulkTail{},
	idle{},
	idleDesk{},
	idleMany{},
	manyProcesses{},
	echo{1},
	echo{64},
	echo{1000},
	accept{},
	burst{},
	roomBlast{100},
	roomBlast{1000},
	roomBlast{10000},
	roomOne{},
	startUp{},
	ablation{bulkPipe{}},
	ablation{bulkPipe{small: true}},
	ablation{bulkFile{}},
}

// A Row is one line of docs/performance.md: one work, done by several.
type Row interface {
	About() About
	// Subjects are those that do the work, duet first. What is not installed here is left out.
	Subjects(lab *Lab) ([]Subject, error)
}

// An About says what a row measures.
type About struct {
	Name string `json:"name"`
	// What is done, in a sentence.
	What string `json:"what"`
	// Columns are the figures that the work gives, the main one first.
	Columns []Column `json:"columns"`
	// Curve says what the points of a curve are; empty where the row has none.
	Curve string `json:"curve,omitempty"`
	// Long: it takes minutes, and is measured only when it is asked for.
	Long bool `json:"-"`
}

// A Column is one of the figures of a row.
type Column struct {
	Name string `json:"name"`
	// What the figure is, and in which Unit.
	What string `json:"what"`
	Unit string `json:"unit"`
	// Digits behind the point that mean something.
	Digits int `json:"digits"`
	// Target is what duet must reach, in words.
	Target string `json:"target,omitempty"`
}

// A Subject does a row's work.
type Subject struct {
	Name string
	// Duet: it is duet itself, whose failure is the failure of the run.
	Duet bool
	// Measure does the work once.
	Measure func(ctx context.Context) (Sample, error)
}

// A Sample is what a subject has reached in one round.
type Sample struct {
	// Figures by the name of their column.
	Figures map[string]float64
	// Curve is a value for each of several sizes, or quantiles.
	Curve []Point
}

// A Point is a value Y for X.
type Point struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// errWrong is in the error of a work whose result is wrong: bytes that differ, or are too few, or did not come at all.
var errWrong = errors.New("wrong result")

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errWrong, fmt.Sprintf(format, args...))
}

// A leftOut is the error of a row that cannot be measured here, and says why.
type leftOut string

func (l leftOut) Error() string { return string(l) }

// A table is a row and what came of it.
type table struct {
	About
	Tallies []tally `json:"subjects"`
	LeftOut string  `json:"left_out,omitempty"`
}

// measure goes round: A B C, A B C, …, so that what disturbs the machine disturbs all alike. A subject that
// fails is not measured again, and its error stands in the table.
func measure(ctx context.Context, lab *Lab, r Row, rounds int) (table, error) {
	t := table{About: r.About()}
	subjects, err := r.Subjects(lab)
	var without leftOut
	if errors.As(err, &without) {
		lab.progress("%s is left out: %v", t.Name, err)
		t.LeftOut = err.Error()
		return t, nil
	}
	if err != nil {
		return t, err
	}
	for _, s := range subjects {
		t.Tallies = append(t.Tallies, tally{Name: s.Name, Duet: s.Duet})
	}
	for round := range rounds {
		for i, s := range subjects {
			y := &t.Tallies[i]
			if y.Error != "" {
				continue
			}
			lab.progress("%5.0f s  %s, round %d of %d: %s", lab.since(), t.Name, round+1, rounds, s.Name)
			sample, err := s.Measure(ctx)
			if ctx.Err() != nil {
				return t, ctx.Err()
			}
			if err != nil {
				lab.progress("%s: %s: %v", t.Name, s.Name, err)
				y.Error = strings.Join(strings.Fields(err.Error()), " ")
				y.Wrong = errors.Is(err, errWrong)
				continue
			}
			y.samples = append(y.samples, sample)
		}
	}
	var duet []Sample
	if len(t.Tallies) > 0 && t.Tallies[0].Duet {
		duet = t.Tallies[0].samples
	}
	for i := range t.Tallies {
		t.Tallies[i].sum(t.Columns, duet)
	}
	return t, nil
}

// faults are what makes a run fail: a wrong result, or duet not doing its work. Never a time.
func (t table) faults() []string {
	var all []string
	for _, y := range t.Tallies {
		if y.Wrong || y.Duet && y.Error != "" {
			all = append(all, fmt.Sprintf("%s: %s: %s", t.Name, y.Name, y.Error))
		}
	}
	return all
}
