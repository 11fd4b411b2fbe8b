package ring_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"duet.example/duet/internal/ring"
)

// A moody reader's pump now takes one Next, now leaves it to a goroutine of its
// own, which may be done before the pump has returned.
type moody struct {
	rd      *ring.Reader
	ready   chan struct{}
	owner   sync.WaitGroup
	pumping atomic.Int32

	mu    sync.Mutex // one Next at a time
	last  map[string]int
	count atomic.Int64
	fault atomic.Pointer[string]
}

func (m *moody) pump() bool {
	<-m.ready
	if m.pumping.Add(1) != 1 {
		m.say("two pumps at once")
	}
	defer m.pumping.Add(-1)
	switch rand.IntN(4) {
	case 0: // somebody else writes, who goes on with it
		m.owner.Go(m.drain)
		return true
	case 1: // the first Next is not taken whole
		m.next()
		m.owner.Go(m.drain)
		return true
	case 2: // and is taken, before the pump knows
		m.next()
		m.drain()
		return true
	}
	m.next()
	return false
}

func (m *moody) drain() {
	for m.next() {
	}
}

func (m *moody) next() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	wire, _, err := m.rd.Next()
	if err != nil {
		m.say(err.Error())
	}
	for line := range strings.Lines(string(wire)) {
		var who, n int
		if _, err := fmt.Sscanf(line, "%d: %d", &who, &n); err != nil {
			m.say(fmt.Sprintf("%q: %v", line, err))
		}
		from := fmt.Sprint(who)
		if m.last[from]+1 != n {
			m.say(fmt.Sprintf("%d of %d after %d", n, who, m.last[from]))
		}
		m.last[from] = n
		m.count.Add(1)
	}
	return len(wire) > 0
}

func (m *moody) say(what string) { m.fault.CompareAndSwap(nil, &what) }

// TestNoWakeUpIsLost: whatever the pumps answer, everything arrives, also what
// is appended last, and one pump runs at a time.
func TestNoWakeUpIsLost(t *testing.T) {
	several(t)
	const rounds, authors, each = 40, 4, 25
	for _, readers := range []int{1, 3, 60} {
		t.Run(fmt.Sprint(readers), func(t *testing.T) {
			t.Parallel()
			r := ring.New(ring.Options{})
			all := make([]*moody, readers)
			for i := range all {
				m := &moody{ready: make(chan struct{}), last: map[string]int{}}
				m.rd = r.Join(0, lines([]string{"", " "}[i%2]), m.pump)
				close(m.ready)
				all[i] = m
			}
			for round := range rounds {
				var g sync.WaitGroup
				for who := range authors {
					g.Go(func() {
						for n := range each {
							body := fmt.Appendf(nil, "%d: %d", who, round*each+n+1)
							if err := r.Append(context.Background(), 0, body); err != nil {
								t.Error(err)
							}
						}
					})
				}
				g.Wait()
				want := int64((round + 1) * authors * each)
				deadline := time.Now().Add(20 * time.Second)
				for i, m := range all {
					for m.count.Load() < want && m.fault.Load() == nil && time.Now().Before(deadline) {
						time.Sleep(10 * time.Microsecond)
					}
					if f := m.fault.Load(); f != nil {
						t.Fatalf("reader %d: %s", i, *f)
					}
					if n := m.count.Load(); n != want {
						t.Fatalf("round %d: reader %d got %d of %d, is behind by %d", round, i, n, want, m.rd.Behind())
					}
				}
			}
			for _, m := range all {
				m.rd.Leave()
				m.owner.Wait()
			}
		})
	}
}

// A pump that gives up (its conversation has said farewell) is not called again
// until there is something new, and holds nobody up.
func TestPumpThatTakesNothing(t *testing.T) {
	r := ring.New(ring.Options{Limit: 4 << 10})
	var pumps atomic.Int32
	dead := r.Join(0, lines(""), func() bool { pumps.Add(1); return false })
	defer dead.Leave()
	alive := join(r, 0, "")
	defer alive.rd.Leave()
	const n = 1000
	for range n {
		say(t, r, 1, strings.Repeat("x", 99))
	}
	alive.want(t, strings.Repeat(strings.Repeat("x", 99)+"\n", n))
	if p := pumps.Load(); p < 1 || p > n {
		t.Errorf("pumped %d times for %d entries", p, n)
	}
}

func TestTellPumps(t *testing.T) {
	r := ring.New(ring.Options{})
	a := join(r, 1, "!")
	defer a.rd.Leave()
	tell := func(s string) {
		t.Helper()
		if err := a.rd.Tell([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	tell("one")
	a.want(t, "one!\n")
	say(t, r, 2, "two")
	tell("three")
	a.want(t, "one!\ntwo!\nthree!\n")
	a.setDeaf(true)
	say(t, r, 2, "four")
	tell("five")
	a.rd.SetEncoding(lines("?"))
	tell("unsayable in ?")
	tell("six")
	say(t, r, 2, "seven")
	a.setDeaf(false)
	a.drain()
	a.want(t, "one!\ntwo!\nthree!\nfive!\nfour!\nsix?\nseven?\n")
	tell("eight")
	a.want(t, "one!\ntwo!\nthree!\nfive!\nfour!\nsix?\nseven?\neight?\n")
}

// A pump that cannot take anything yet, for its reader is not known to its
// conversation, is called again on request.
func TestTellWithoutBodiesPumps(t *testing.T) {
	r := ring.New(ring.Options{})
	a := &listener{}
	a.cond.L = &a.mu
	known := false
	a.rd = r.Join(0, lines("!"), func() bool {
		if known {
			return a.pump()
		}
		return false
	})
	defer a.rd.Leave()
	say(t, r, 1, "early")
	known = true
	if err := a.rd.Tell(); err != nil {
		t.Fatal(err)
	}
	a.want(t, "early!\n")
	pumps := a.pumps
	if err := a.rd.Tell(); err != nil || a.pumps != pumps {
		t.Errorf("%v, pumped %d times for nothing", err, a.pumps-pumps)
	}
}
