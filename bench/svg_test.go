package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestPlots(t *testing.T) {
	for _, p := range plots(made()) {
		for d := xml.NewDecoder(strings.NewReader(p.svg)); ; {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Errorf("%s is no XML: %v", p.file, err)
				break
			}
		}
		if strings.Contains(p.svg, "NaN") || strings.Contains(p.svg, "Inf") {
			t.Errorf("%s has a number that is none", p.file)
		}
		golden(t, p.file, p.svg)
	}
	if all := plots(report{}); len(all) > 0 {
		t.Errorf("plots of nothing: %v", all)
	}
}

func TestLogScale(t *testing.T) {
	for _, c := range []struct {
		least, most, from, to float64
		ticks                 int
	}{
		{100, 10000, 100, 10000, 7},
		{150, 19000, 100, 20000, 8},
		{25, 190000, 20, 200000, 4},
		{3e-3, 4e-3, 2e-3, 5e-3, 2},
		{7, 7, 5, 10, 2},
		{10, 10, 10, 20, 2},
	} {
		s := logScale(c.least, c.most, siLabel(""))
		if math.Abs(s.least/c.from-1) > 1e-9 || math.Abs(s.most/c.to-1) > 1e-9 || len(s.ticks) != c.ticks {
			t.Errorf("from %v to %v: scale from %v to %v with %d ticks, want %v to %v with %d", c.least, c.most, s.least, s.most, len(s.ticks), c.from, c.to, c.ticks)
		}
		if s.of(s.least) != 0 || s.of(s.most) != 1 {
			t.Errorf("from %v to %v: the ends are at %v and %v", c.least, c.most, s.of(s.least), s.of(s.most))
		}
	}
	s := logScale(1, 100, siLabel(""))
	if got := s.of(10); math.Abs(got-0.5) > 1e-9 {
		t.Errorf("10 between 1 and 100 is at %v", got)
	}
}

func TestLinearScale(t *testing.T) {
	for _, c := range []struct {
		most, to float64
		second   string
	}{{5.4, 6, "2"}, {1, 1, "0.2"}, {0, 1, "0.2"}, {99, 100, "20"}, {12, 12.5, "2.5"}} {
		s := linearScale(c.most)
		if s.most != c.to || s.ticks[0].label != "0" || s.ticks[1].label != c.second {
			t.Errorf("to %v: %+v, want %v in steps of %s", c.most, s, c.to, c.second)
		}
	}
}

func TestNinesScale(t *testing.T) {
	s := ninesScale(0.999)
	if s.most != 0.999 {
		t.Errorf("ends at %v", s.most)
	}
	if got := s.of(0.9); math.Abs(got-1.0/3) > 1e-9 {
		t.Errorf("90 %% is at %v, want a third: as wide as each nine behind it", got)
	}
}

func TestLabels(t *testing.T) {
	for got, want := range map[string]string{
		timeLabel(200): "200 ns", timeLabel(5e4): "50 µs", timeLabel(2e7): "20 ms", timeLabel(1e9): "1 s",
		siLabel("B")(2e8): "200 MB", siLabel("")(1000): "1 k", siLabel("")(50): "50", siLabel("")(1e9): "1 G",
	} {
		if got != want {
			t.Errorf("label %q, want %q", got, want)
		}
	}
}

func TestApart(t *testing.T) {
	for _, c := range []struct {
		name     string
		at, want []float64
	}{
		{"far", []float64{200, 50, 100}, []float64{200, 50, 100}},
		{"together", []float64{100, 100, 101}, []float64{100, 115, 130}},
		{"at the end", []float64{299, 300}, []float64{285, 300}},
		{"before the beginning", []float64{1, 2}, []float64{40, 55}},
	} {
		if got := apart(c.at, 40, 300); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
