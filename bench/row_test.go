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

func (fake) About() About {
	return About{Name: "fake", What: "made up", Columns: []Column{
		{Name: "fake", What: "it lasts", Unit: "ms", Digits: 1},
		{Name: "fake-more", What: "what only some have", Unit: "bytes"},
	}}
}

func (f fake) Subjects(*Lab) ([]Subject, error) {
	subject := func(name string, err error, figures ...float64) Subject {
		return Subject{Name: name, Duet: name == "duet", Measure: func(context.Context) (Sample, error) {
			*f.order = append(*f.order, name)
			if len(figures) == 0 {
				return Sample{}, err
			}
			next := figures[0]
			figures = figures[1:]
			s := Sample{Figures: map[string]float64{"fake": next}, Curve: []Point{{1, next}, {2, 2 * next}}}
			if name == "zero" {
				s.Figures["fake-more"] = 12345
			}
			return s, nil
		}}
	}
	return []Subject{
		subject("duet", nil, 10, 90, 30), subject("other", nil, 5, 30, 10),
		subject("broken", errors.New("out of\n order"), 1), subject("zero", nil, 0, 0, 0),
		subject("liar", wrong("%d bytes are missing", 3), 1, 1),
	}, nil
}

func measured(t *testing.T) (table, []string) {
	t.Helper()
	var order []string
	got, err := measure(t.Context(), &Lab{log: io.Discard}, fake{&order}, 3)
	if err != nil {
		t.Fatal(err)
	}
	return got, order
}

func TestMeasure(t *testing.T) {
	got, order := measured(t)
	if want := strings.Fields("duet other broken zero liar duet other broken zero liar duet other zero liar"); !slices.Equal(order, want) {
		t.Errorf("measured %v, want %v", order, want)
	}
	other := got.Tallies[1].Figures["fake"]
	if other.Median != 10 || other.Least != 5 || other.Most != 30 || other.Ratio != 3 {
		t.Errorf("other: %+v, want median 10 of 5 to 30, and 3 as the median of the ratios 2, 3, 3", other)
	}
	if c := got.Tallies[1].Curve; !slices.Equal(c, []Point{{1, 10}, {2, 20}}) {
		t.Errorf("other's curve: %v, want the medians", c)
	}
	if y := got.Tallies[2]; y.Error != "out of order" || y.Wrong {
		t.Errorf("broken: error %q, wrong %v", y.Error, y.Wrong)
	}
	if r := got.Tallies[3].Figures["fake"].Ratio; r != 0 {
		t.Errorf("zero: ratio %v, want none", r)
	}
	if _, ok := got.Tallies[1].Figures["fake-more"]; ok {
		t.Error("other has a figure that was not measured")
	}
	if more := got.Tallies[3].Figures["fake-more"]; more.Median != 12345 || more.Ratio != 0 {
		t.Errorf("zero: %+v, want 12345 and no ratio, as duet has no such figure", more)
	}
}

// A ratio is to duet, not to whoever is first.
func TestNoRatioWithoutDuet(t *testing.T) {
	y := tally{samples: []Sample{{Figures: map[string]float64{"a": 2}}}}
	y.sum([]Column{{Name: "a"}}, nil)
	if f := y.Figures["a"]; f.Median != 2 || f.Ratio != 0 {
		t.Errorf("%+v, want 2 and no ratio", f)
	}
}

func TestFaults(t *testing.T) {
	got, _ := measured(t)
	if all := got.faults(); !slices.Equal(all, []string{"fake: liar: wrong result: 3 bytes are missing"}) {
		t.Errorf("faults %q, want only the wrong result: that another tool breaks is no fault", all)
	}
	got.Tallies[0].Error = "duet broke"
	if all := got.faults(); len(all) != 2 {
		t.Errorf("faults %q, want duet's, too", all)
	}
}

// gone is a row that cannot be measured here.
type gone struct{ fake }

func (gone) Subjects(*Lab) ([]Subject, error) { return nil, errNoLoad }

func TestLeftOut(t *testing.T) {
	got, err := measure(t.Context(), &Lab{log: io.Discard}, gone{}, 3)
	if err != nil || got.LeftOut != errNoLoad.Error() || len(got.faults()) > 0 {
		t.Errorf("%+v, %v, want it left out, and no fault", got, err)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		all  []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 100}, 3}} {
		if got := median(c.all); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.all, got, c.want)
		}
	}
}

func TestChoose(t *testing.T) {
	all := names(rows)
	if len(slices.Compact(slices.Sorted(slices.Values(all)))) != len(all) {
		t.Errorf("two rows have one name: %v", all)
	}
	for _, c := range []struct {
		only string
		long bool
		want string
	}{
		{"", true, strings.Join(all, " ")},
		{"", false, strings.Join(slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == "many" || strings.HasPrefix(s, "ablation-") }), " ")},
		{"idle", false, "idle"},
		{"many", false, "many"},
		{"start-up, idle", false, "start-up idle"},
		{"bulk-cpu", false, "bulk-pipe"},
		{"ablation", false, "ablation-pipe ablation-small ablation-file"},
		{"room-blast", false, "room-blast-100 room-blast-1000 room-blast-10000"},
		{"echo-64,echo", false, "echo-64 echo-1 echo-1000"},
	} {
		got, err := choose(c.only, c.long)
		if err != nil || strings.Join(names(got), " ") != c.want {
			t.Errorf("choose(%q, %v) = %v, %v, want %s", c.only, c.long, names(got), err, c.want)
		}
	}
	if _, err := choose("idle,nonsense", false); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("choose of a row that is not there: %v", err)
	}
}

// What a row promises must be there: a sentence, and a column of its own name that comes first.
func TestAbout(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rows {
		a := r.About()
		if a.What == "" || len(a.Columns) == 0 || a.Columns[0].Name != a.Name {
			t.Errorf("row %s: %+v", a.Name, a)
		}
		for _, c := range a.Columns {
			if seen[c.Name] || c.What == "" || c.Unit == "" {
				t.Errorf("row %s: column %+v", a.Name, c)
			}
			seen[c.Name] = true
		}
	}
}
