package main

import (
	"math"
	"testing"
	"time"
)

func TestPauseBefore(t *testing.T) {
	const ms = time.Millisecond
	almost := math.Nextafter(1, 0)
	for _, tt := range []struct {
		attempt int
		wait    time.Duration // without jitter
	}{
		{0, 100 * ms},
		{1, 200 * ms},
		{2, 400 * ms},
		{5, 3200 * ms},
		{6, 5 * time.Second},
		{9, 5 * time.Second},
		{10, 5 * time.Second},
		{64, 5 * time.Second},
		{math.MaxInt, 5 * time.Second},
	} {
		for _, j := range []struct {
			jitter      float64
			least, most time.Duration
		}{
			{0, tt.wait / 2, tt.wait / 2},
			{0.5, tt.wait, tt.wait},
			{almost, tt.wait*3/2 - 1, tt.wait * 3 / 2},
		} {
			if got := pauseBefore(tt.attempt, j.jitter); got < j.least || got > j.most {
				t.Errorf("attempt %d, jitter %v: %v, want %v to %v", tt.attempt, j.jitter, got, j.least, j.most)
			}
		}
	}
}
