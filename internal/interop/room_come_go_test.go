//go:build linux

package interop_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A departure is one way to leave a room.
type departure struct {
	name  string
	leave func(*member) error
	// polite: the member reads what there is to the end; otherwise it has closed.
	polite bool
	// last is what it gets at the end, and reason the one that is announced.
	last, reason string
	// all: it gets what is said until it has left. A farewell is answered at once, before what waits.
	all bool
}

var departures = []departure{
	{"/quit", func(m *member) error { _, err := io.WriteString(m.conn, "/quit\n"); return err }, true, "bye\n", "farewell", false},
	{"farewell", func(m *member) error { _, err := io.WriteString(m.conn, "bye\n"); return err }, true, "Bye\n", "farewell", false},
	{"half-close", func(m *member) error { return m.conn.CloseWrite() }, true, "", "peer-closed", true},
	{"close", func(m *member) error { return m.conn.Close() }, false, "", "", false},
	{"reset", func(m *member) error { _ = m.conn.SetLinger(0); return m.conn.Close() }, false, "", "", false},
}

// While ten speak, others come and go all the time: each gets, from its coming to its going, all lines without a gap, in the order
// in which the one gets them who was there from the beginning.
func TestRoom_ComeAndGo(t *testing.T) {
	const (
		senders  = 10
		visitors = 20 // at the same time
		visitsOf = 15 // each of them
	)
	_, port, _ := roomServer(t, "--room", "--history", "0")
	anchor := enter(t, port, silentWire).listen(t)
	var speakers []*member
	for i := range senders {
		m := enter(t, port, lfWire).listen(t)
		m.name = fmt.Sprintf("s%d", i)
		m.says(t, "/nick "+m.name)
		speakers = append(speakers, m)
	}
	anchor.awaitLines(t, 2*senders)

	var (
		speaking, visiting sync.WaitGroup
		over               atomic.Bool // all have visited
		spoken             [senders]int
		mu                 sync.Mutex
		visits             []visit
	)
	for v := range visitors {
		visiting.Go(func() {
			rng := rand.New(rand.NewPCG(2, uint64(v)))
			for range visitsOf {
				how := departures[rng.IntN(len(departures))]
				m := enter(t, port, lfWire).listen(t)
				m.awaitBytes(1 + rng.IntN(20<<10))
				if err := how.leave(m); err != nil {
					t.Errorf("%s: %v", how.name, err)
				}
				kept, err := m.awaitEnd()
				if how.polite && err != nil {
					t.Errorf("%s, who left by %s, was cut off: %v", m.guest, how.name, err)
				}
				_ = m.conn.Close()
				mu.Lock()
				visits = append(visits, visit{m.guest, how, kept})
				mu.Unlock()
			}
		})
	}
	for i, m := range speakers {
		speaking.Go(func() {
			rng := rand.New(rand.NewPCG(3, uint64(i)))
			for !over.Load() {
				var b []byte
				for range 1 + rng.IntN(20) {
					b = m.wire.append(b, said(spoken[i]))
					spoken[i]++
				}
				if _, err := m.conn.Write(b); err != nil {
					t.Error(err)
					return
				}
				// Not faster than all are heard, so that visits are short beside the talk.
				if !anchor.heard(fmt.Sprintf("%s: %s\n", m.name, said(spoken[i]-1))) {
					t.Errorf("%s is not heard", m.name)
					return
				}
			}
		})
	}
	visiting.Wait()
	over.Store(true)
	speaking.Wait()
	speakers[0].says(t, "end")
	kept := anchor.awaitText("s0: end\n")
	order, _ := anchor.wire.lines(kept)
	// All that was said is there, in each sender's order.
	next := map[string]int{}
	for _, line := range order {
		name, text, _ := strings.Cut(line, ": ")
		if strings.HasPrefix(name, "s") && text != "end" {
			if text != said(next[name]) {
				t.Fatalf("%q came when %q was next", line, said(next[name]))
			}
			next[name]++
		}
	}
	for i, m := range speakers {
		if next[m.name] != spoken[i] {
			t.Errorf("of %s there are %d lines, want %d", m.name, next[m.name], spoken[i])
		}
	}
	place := map[string]int{}
	for i, line := range order {
		place[line] = i
	}
	lines, count := 0, map[string]int{}
	for _, v := range visits {
		lines += v.judge(t, order, place)
		count[v.how.name]++
	}
	t.Logf("%d visits %v, which got %d lines of %d", len(visits), count, lines, len(order))
}

// A visit is what somebody got between coming and going.
type visit struct {
	guest string
	how   departure
	kept  []byte
}

// judge holds a visit against the order of all lines, whose places are in place. It gives how many lines there were.
func (v visit) judge(t *testing.T, order []string, place map[string]int) int {
	t.Helper()
	came, ok := place["-- "+v.guest+" has joined"]
	if !ok {
		t.Errorf("that %s has joined was not announced", v.guest)
		return 0
	}
	kept := v.kept
	if v.how.polite {
		if !bytes.HasSuffix(kept, []byte(v.how.last)) {
			t.Errorf("%s left by %s and got %q at the end", v.guest, v.how.name, kept[max(0, len(kept)-40):])
		}
		kept = bytes.TrimSuffix(kept, []byte(v.how.last))
	}
	lines, rest := silentWire.lines(kept)
	if v.how.polite && len(rest) > 0 {
		t.Errorf("%s left by %s and got a part of a line: %q", v.guest, v.how.name, rest)
	}
	own := "-- " + v.guest + " has " // joined, or left
	at := came                       // the place of the last line it got
	for i, line := range lines {
		p, ok := place[line]
		if !ok {
			t.Errorf("line %d of %s is %q, which nobody else got", i, v.guest, line)
			return i
		}
		// Its own coming and going are not for itself; it may have been in before that was announced.
		if p != at+1 && !(i == 0 && p <= came && !slices.Contains(order[p:came], own+"joined")) {
			t.Errorf("line %d of %s (%s) is %q, number %d in the order, and the one before was %d, %q",
				i, v.guest, v.how.name, line, p, at, order[at])
			return i
		}
		for at = p; at+1 < len(order) && strings.HasPrefix(order[at+1], own); at++ {
			continue
		}
	}
	if !v.how.polite {
		return len(lines)
	}
	gone, ok := place["-- "+v.guest+" has left: "+v.how.reason]
	if !ok {
		t.Errorf("that %s has left (%s) was not announced", v.guest, v.how.reason)
	} else if v.how.all && at < gone-1 {
		t.Errorf("%s left by %s and got the lines up to %d, of %d", v.guest, v.how.name, at, gone)
	}
	return len(lines)
}

// awaitBytes waits until so many bytes have come, or nothing more comes.
func (m *member) awaitBytes(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.kept) < n && !m.over {
		m.more.Wait()
	}
}

// heard waits until text has come, among the last.
func (m *member) heard(text string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		if bytes.Contains(m.kept[max(0, len(m.kept)-64<<10):], []byte(text)) {
			return true
		}
		if m.over {
			return false
		}
		m.more.Wait()
	}
}

// awaitText waits until text is the last that has come, and gives all of it.
func (m *member) awaitText(text string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	for !bytes.HasSuffix(m.kept, []byte(text)) && !m.over {
		m.more.Wait()
	}
	return m.kept
}
