package main

import (
	"maps"
	"slices"
)

// A tally is what a subject has reached in all rounds.
type tally struct {
	Name string `json:"name"`
	Duet bool   `json:"duet,omitempty"`
	// Figures by the name of their column; one that a subject does not have is not there.
	Figures map[string]figure `json:"figures,omitempty"`
	// Curve has the median of the rounds for each X.
	Curve []Point `json:"curve,omitempty"`
	Error string  `json:"error,omitempty"`
	// Wrong: the error is a wrong result.
	Wrong bool `json:"wrong,omitempty"`

	samples []Sample
}

// A figure is one column of a tally.
type figure struct {
	Rounds []float64 `json:"rounds"`
	Median float64   `json:"median"`
	Least  float64   `json:"least"`
	Most   float64   `json:"most"`
	// Ratio is duet's figure divided by this one's, the median of the rounds, since only what was
	// measured side by side can be compared. Zero: there is none, as this one's figures are zero or duet has none.
	Ratio float64 `json:"ratio,omitempty"`
}

func (y *tally) sum(columns []Column, duet []Sample) {
	if len(y.samples) == 0 {
		if y.Error == "" {
			y.Error = "nothing was measured"
		}
		return
	}
	y.Figures = map[string]figure{}
	for _, c := range columns {
		var f figure
		var ratios []float64
		for i, s := range y.samples {
			v, ok := s.Figures[c.Name]
			if !ok {
				continue
			}
			f.Rounds = append(f.Rounds, v)
			if i < len(duet) && v != 0 && duet[i].Figures[c.Name] != 0 {
				ratios = append(ratios, duet[i].Figures[c.Name]/v)
			}
		}
		if len(f.Rounds) == 0 {
			continue
		}
		f.Median, f.Least, f.Most = median(f.Rounds), slices.Min(f.Rounds), slices.Max(f.Rounds)
		if len(ratios) > 0 {
			f.Ratio = median(ratios)
		}
		y.Figures[c.Name] = f
	}
	y.Curve = middle(y.samples)
}

// middle is the curve of the medians.
func middle(samples []Sample) []Point {
	at := map[float64][]float64{}
	for _, s := range samples {
		for _, p := range s.Curve {
			at[p.X] = append(at[p.X], p.Y)
		}
	}
	var curve []Point
	for _, x := range slices.Sorted(maps.Keys(at)) {
		curve = append(curve, Point{x, median(at[x])})
	}
	return curve
}

// median is the middle of all, or between the two in the middle. There must be one.
func median(all []float64) float64 {
	s := slices.Sorted(slices.Values(all))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}
