package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// fake is a row whose figures are made up; order is who was measured, one after another.
type fake struct{ order *[]string }

func (fake) About() About { return About{Name: "fake", What: "made up", Unit: "ms", Digits: 1} }

func (f fake) Subjects(*Lab) ([]Subject, error) {
	subject := func(name string, figures ...float64) Subject {
		return Subject{Name: name, Measure: func(context.Context) (float64, error) {
			*f.order = append(*f.order, name)
			if len(figures) == 0 {
				return 0, errors.New("out of order")
			}
			next := figures[0]
			figures = figures[1:]
			return next, nil
		}}
	}
	return []Subject{subject("duet", 10, 90, 30), subject("other", 5, 30, 10), subject("broken", 1), subject("zero", 0, 0, 0)}, nil
}

func TestMeasure(t *testing.T) {
	var order []string
	lab := &Lab{log: io.Discard}
	got, err := measure(context.Background(), lab, fake{&order}, 3)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Fields("duet other broken zero duet other broken zero duet other zero"); !slices.Equal(order, want) {
		t.Errorf("measured %v, want %v", order, want)
	}
	other := got.Tallies[1]
	if other.Median != 10 || other.Least != 5 || other.Most != 30 || other.Ratio != 3 {
		t.Errorf("other: %+v, want median 10 of 5 to 30, and 3 as the median of the ratios 2, 3, 3", other)
	}
	if e := got.Tallies[2].Error; e != "out of order" {
		t.Errorf("broken: error %q", e)
	}
	if r := got.Tallies[3].Ratio; r != 0 {
		t.Errorf("zero: ratio %v, want none", r)
	}
	var text strings.Builder
	if err := (report{Rows: []table{got}, Rounds: 3}).text(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"fake: made up, ms", "other   10.0", "broken  out of order"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		only string
		want string
	}{
		{"", strings.Join(names(rows), " ")},
		{"idle", "idle"},
		{"start-up, idle", "start-up idle"},
	} {
		got, err := choose(c.only)
		if err != nil || strings.Join(names(got), " ") != c.want {
			t.Errorf("choose(%q) = %v, %v, want %s", c.only, names(got), err, c.want)
		}
	}
	if _, err := choose("idle,nonsense"); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("choose of a row that is not there: %v", err)
	}
}
