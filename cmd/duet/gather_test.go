package main

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// writes are what a writer was called with.
type writes []string

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, string(p))
	return len(p), nil
}

func TestGatherer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w writes
		g := gather(&w)
		saw := func(want ...string) {
			t.Helper()
			synctest.Wait()
			g.mu.Lock()
			defer g.mu.Unlock()
			if !slices.Equal(w, want) {
				t.Fatalf("written: %q, want %q", w, want)
			}
			w = nil
		}
		say := func(text string) {
			if n, err := g.Write([]byte(text)); n != len(text) || err != nil {
				t.Fatalf("Write = %d, %v", n, err)
			}
		}
		say("now ")
		saw("now ")
		time.Sleep(gatherTime)
		say("and then")
		saw("and then")
		say("at ")
		say("once")
		saw()
		time.Sleep(gatherTime)
		saw("at once")
		say("again")
		saw()
		time.Sleep(gatherTime)
		saw("again")
		time.Sleep(time.Hour)
		saw()

		much := strings.Repeat("x", gatherMost-1)
		say("first")
		say(much)
		saw("first")
		say("y")
		saw(much + "y")
		time.Sleep(time.Hour)
		saw()

		say("one")
		say("two")
		saw("one")
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		saw("two")
		time.Sleep(time.Hour)
		saw()
	})
}
