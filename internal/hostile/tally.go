package hostile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The outcomes of a hostile session, as the hostile peer saw it.
const (
	Done      = "done"          // it did its worst, and left by itself
	Ended     = "ended"         // the server ended it: FIN
	Reset     = "reset"         // the server ended it: RST
	TimedOut  = "timed out"     // it had to be given up
	NoConnect = "not connected" // it never came in
	Failed    = "failed"        // anything else: a fault of the storm
)

// A Tally counts what came of the sessions of a Storm. Its methods may be called by
// several goroutines at the same time.
type Tally struct {
	// Took is how long the storm took, once Run has returned.
	Took time.Duration

	began time.Time
	mu    sync.Mutex
	count map[string]map[string]int // by kind and outcome
	total int
}

func newTally() *Tally {
	return &Tally{began: time.Now(), count: make(map[string]map[string]int)}
}

func (t *Tally) note(kind, outcome string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count[kind] == nil {
		t.count[kind] = make(map[string]int)
	}
	t.count[kind][outcome]++
	t.total++
}

// Sessions is how many have ended.
func (t *Tally) Sessions() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total
}

// Of is how many sessions of a kind ended with an outcome; an empty name stands for all.
func (t *Tally) Of(kind, outcome string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for k, outcomes := range t.count {
		for o, c := range outcomes {
			if (kind == "" || kind == k) && (outcome == "" || outcome == o) {
				n += c
			}
		}
	}
	return n
}

// String has a line for each kind.
func (t *Tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(t.count)) {
		fmt.Fprintf(&b, "  %-24s", kind)
		for _, o := range slices.Sorted(maps.Keys(t.count[kind])) {
			fmt.Fprintf(&b, "  %s %d", o, t.count[kind][o])
		}
		b.WriteString("\n")
	}
	return b.String()
}

// errConnect: the connection was not made.
var errConnect = errors.New("not connected")

func outcomeOf(err error) string {
	var ne net.Error
	switch {
	case err == nil:
		return Done
	case errors.Is(err, errConnect):
		return NoConnect
	case errors.Is(err, io.EOF):
		return Ended
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ENOTCONN):
		return Reset
	// What is closed from this side while it is used was given up because its context had ended.
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, net.ErrClosed), errors.As(err, &ne) && ne.Timeout():
		return TimedOut
	}
	return Failed
}
