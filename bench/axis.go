package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A scale puts values on an axis: 0 to 1 between its ends.
type scale struct {
	least, most float64
	place       func(v float64) float64 // linear for linear
	ticks       []tick
}

// A tick is a labelled place on an axis.
type tick struct {
	at    float64
	label string
}

// of is where a value is, between 0 and 1.
func (s scale) of(v float64) float64 {
	least, most := s.place(s.least), s.place(s.most)
	if most == least {
		return 0
	}
	return min(max((s.place(v)-least)/(most-least), 0), 1)
}

func linear(v float64) float64 { return v }

// linearScale begins at 0 and has ticks at round numbers.
func linearScale(most float64) scale {
	if most <= 0 {
		most = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(most/4)))
	for _, by := range []float64{1, 2, 2.5, 5, 10} {
		if most/(step*by) <= 5 {
			step *= by
			break
		}
	}
	s := scale{place: linear, most: step * math.Ceil(most/step-1e-9)}
	for i := range int(s.most/step + 1.5) {
		v := float64(i) * step
		s.ticks = append(s.ticks, tick{v, strconv.FormatFloat(v, 'g', 6, 64)})
	}
	return s
}

// logScale goes from 1, 2 or 5 times a power of ten to another, around least and most, which are above zero. The
// ticks are the powers of ten, and the others where there are few of them.
func logScale(least, most float64, label func(float64) string) scale {
	var steps []float64
	for e := int(math.Floor(math.Log10(least))); e <= int(math.Ceil(math.Log10(most))); e++ {
		for _, by := range []float64{1, 2, 5} {
			steps = append(steps, by*math.Pow10(e))
		}
	}
	first, last := 0, len(steps)-1
	for first+1 < last && steps[first+1] <= least {
		first++
	}
	for last-1 > first && steps[last-1] >= most {
		last--
	}
	s := scale{place: math.Log10, least: steps[first], most: steps[last]}
	for i := first; i <= last; i++ {
		if last-first <= 7 || i%3 == 0 {
			s.ticks = append(s.ticks, tick{steps[i], label(steps[i])})
		}
	}
	return s
}

// ninesScale is for quantiles: from the half to 99.99 %, each nine as wide as the one before.
func ninesScale(most float64) scale {
	s := scale{place: func(v float64) float64 { return -math.Log10(1 - min(v, 0.99995)) }, least: 0, most: 0.9}
	for _, t := range []tick{{0, "0 %"}, {0.5, "50 %"}, {0.9, "90 %"}, {0.99, "99 %"}, {0.999, "99.9 %"}, {0.9999, "99.99 %"}} {
		s.ticks = append(s.ticks, t)
		s.most = t.at
		if t.at >= most && t.at >= 0.9 {
			break
		}
	}
	return s
}

// siLabel writes 1000 as 1 k.
func siLabel(unit string) func(float64) string {
	return func(v float64) string {
		prefix, by := "", 1.0
		switch {
		case v >= 1e9:
			prefix, by = "G", 1e9
		case v >= 1e6:
			prefix, by = "M", 1e6
		case v >= 1e3:
			prefix, by = "k", 1e3
		}
		return strings.TrimSpace(strconv.FormatFloat(v/by, 'g', 4, 64) + " " + prefix + unit)
	}
}

// timeLabel writes nanoseconds in the unit that fits.
func timeLabel(ns float64) string {
	for _, u := range []struct {
		name string
		ns   float64
	}{{"s", 1e9}, {"ms", 1e6}, {"µs", 1e3}} {
		if ns >= u.ns {
			return fmt.Sprintf("%g %s", ns/u.ns, u.name)
		}
	}
	return fmt.Sprintf("%g ns", ns)
}
