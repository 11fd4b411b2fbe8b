package ring_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet/internal/ring"
	"pgregory.net/rapid"
)

// A said is an entry of the model.
type said struct {
	author uint64
	body   string
}

func (s said) sayable(key string) bool { return !strings.HasPrefix(s.body, "unsayable in "+key) }

// A change is an encoding, and the entry from which on it holds.
type change struct {
	from int
	key  string
}

// A pupil is what the model knows of a reader that never takes anything by
// itself: its pump is always busy.
type pupil struct {
	rd     *ring.Reader
	author uint64
	next   []int // the entry it may get next: one, but after a gap
	until  int   // -1: it has not left
	keys   []change
	told   []said // author is the entry from which on it may come
}

type model struct {
	limit   int
	r       *ring.Ring
	entries []said
	here    []*pupil
	gone    []*pupil
}

func (m *model) join(author uint64, key string) {
	p := &pupil{author: author, next: []int{len(m.entries)}, until: -1, keys: []change{{0, key}}}
	p.rd = m.r.Join(author, lines(key), func() bool { return true })
	m.here = append(m.here, p)
}

func (p *pupil) keyAt(seq int) string {
	key := ""
	for _, c := range p.keys {
		if c.from <= seq {
			key = c.key
		}
	}
	return key
}

// gets reports whether the entry is one that the pupil is to get.
func (m *model) gets(p *pupil, seq int) bool {
	e := m.entries[seq]
	return (p.author == 0 || e.author != p.author) && e.sayable(p.keyAt(seq))
}

// quiet is where the pupil's next line is, from an entry on.
func (m *model) quiet(p *pupil, from int) int {
	for from < m.end(p) && !m.gets(p, from) {
		from++
	}
	return from
}

func (m *model) end(p *pupil) int {
	if p.until >= 0 {
		return p.until
	}
	return len(m.entries)
}

func (m *model) others(p *pupil, from, to int) (n int) {
	for i := from; i < to; i++ {
		if p.author == 0 || m.entries[i].author != p.author {
			n++
		}
	}
	return n
}

// take calls Next once and checks what it gives.
func (m *model) take(p *pupil) (bool, error) {
	behind := m.behind(p)
	wire, n, err := p.rd.Next()
	if err != nil {
		return false, err
	}
	if got := bytes.Count(wire, []byte("\n")); got != n {
		return false, fmt.Errorf("%d entries in %q", n, wire)
	}
	for line := range strings.Lines(string(wire)) {
		body, key := line[:len(line)-2], line[len(line)-2:len(line)-1]
		if err := m.line(p, body, key, behind); err != nil {
			return false, fmt.Errorf("reader %d at %d of %d, line %.40q: %w", p.author, p.next, m.end(p), line, err)
		}
	}
	if len(wire) == 0 {
		return false, m.finished(p)
	}
	return true, nil
}

// finished checks that a pupil that gets nothing has all.
func (m *model) finished(p *pupil) error {
	for _, from := range p.next {
		if m.quiet(p, from) == m.end(p) && len(p.told) == 0 {
			p.next = []int{m.end(p)}
			if n := p.rd.Behind(); n != 0 {
				return fmt.Errorf("reader %d has all and is behind by %d", p.author, n)
			}
			return nil
		}
	}
	return fmt.Errorf("reader %d gets nothing at %d of %d, and %d that it was told", p.author, p.next, m.end(p), len(p.told))
}

// behind is how many bytes, at least, the pupil's row keeps of what it has not taken.
func (m *model) behind(p *pupil) (n int) {
	for i := p.next[0]; i < len(m.entries); i++ {
		n += max(24, len(m.entries[i].body)+2)
	}
	return n
}

func (m *model) line(p *pupil, body, key string, behind int) error {
	var missed int
	if _, err := fmt.Sscanf(body, "missed %d", &missed); err == nil {
		if behind < m.limit {
			return fmt.Errorf("a gap at %d bytes", behind)
		}
		return m.gap(p, missed, key)
	}
	if strings.HasPrefix(body, "told") {
		if len(p.told) == 0 || p.told[0].body != body {
			return errors.New("not told so, or out of order")
		}
		for _, from := range p.next {
			for q := max(from, int(p.told[0].author)); q <= m.quiet(p, from); q++ {
				if p.keyAt(q) == key {
					p.told = p.told[1:]
					return nil
				}
			}
		}
		return errors.New("told in another encoding")
	}
	for _, from := range p.next {
		at := m.quiet(p, from)
		if at == m.end(p) || m.entries[at].body != body {
			continue
		}
		if p.keyAt(at) != key {
			return fmt.Errorf("in the wrong encoding, want %q", p.keyAt(at))
		}
		p.next = []int{at + 1}
		return nil
	}
	return errors.New("is not what comes next")
}

// gap takes in where the pupil may be after a gap: entries that are left out of
// its row may have been counted or not, by whether it had come past them.
func (m *model) gap(p *pupil, missed int, key string) error {
	var next []int
	for _, first := range p.next {
		for from := first; from <= m.quiet(p, first); from++ {
			for to := from; to <= m.end(p); to++ {
				if m.others(p, from, to) == missed && p.keyAt(to) == key && !slices.Contains(next, to) {
					next = append(next, to)
				}
			}
		}
	}
	if len(next) == 0 {
		return fmt.Errorf("a gap of %d, at most %d", missed, m.others(p, p.next[0], m.end(p)))
	}
	p.next = next
	return nil
}

// drain takes all.
func (m *model) drain(p *pupil) error {
	for {
		if more, err := m.take(p); !more || err != nil {
			return err
		}
	}
}

// several has rings made with more than one walk at a time, also where there are few processors.
func several(t *testing.T) {
	before := runtime.GOMAXPROCS(8)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// TestModel plays at random, and holds each reader's stream against a list of
// everything: every entry after it joined, once, in order, its own left out,
// gaps exact.
func TestModel(t *testing.T) {
	several(t)
	synctest.Test(t, func(t *testing.T) { // waits for those that take nothing cost no time
		rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) { // which hides Deadline: there is none in a bubble
			m := &model{limit: rapid.SampledFrom([]int{1 << 10, 8 << 10, 64 << 10}).Draw(t, "limit")}
			m.r = ring.New(ring.Options{Limit: m.limit, Gap: missed})
			check := func(err error) {
				if err != nil {
					t.Fatal(err)
				}
			}
			pick := func(t *rapid.T) *pupil {
				if len(m.here) == 0 {
					t.Skip("nobody here")
				}
				return m.here[rapid.IntRange(0, len(m.here)-1).Draw(t, "who")]
			}
			key := rapid.SampledFrom([]string{"a", "b", "c"})
			author := rapid.Uint64Range(0, 5)
			actions := map[string]func(*rapid.T){
				"append": func(t *rapid.T) {
					a, many := author.Draw(t, "author"), rapid.IntRange(1, 40).Draw(t, "many")
					size := rapid.SampledFrom([]int{30, 30, 200, 3000}).Draw(t, "size")
					not, in := rapid.IntRange(0, 100).Draw(t, "not"), key.Draw(t, "in")
					var bodies [][]byte
					for range many {
						body := fmt.Sprintf("%d says %d %s", a, len(m.entries), strings.Repeat("x", size))
						if len(bodies) == not {
							body = "unsayable in " + in + " " + body
						}
						m.entries = append(m.entries, said{a, body})
						bodies = append(bodies, []byte(body))
					}
					check(m.r.Append(t.Context(), a, bodies...))
				},
				"join": func(t *rapid.T) {
					if len(m.here) < 24 {
						m.join(author.Draw(t, "author"), key.Draw(t, "key"))
					}
				},
				"leave": func(t *rapid.T) {
					p := pick(t)
					p.rd.Leave()
					p.until = len(m.entries)
					for i, x := range m.here {
						if x == p {
							m.here = append(m.here[:i], m.here[i+1:]...)
							break
						}
					}
					m.gone = append(m.gone, p)
				},
				"encoding": func(t *rapid.T) {
					p, k := pick(t), key.Draw(t, "key")
					p.rd.SetEncoding(lines(k))
					if p.keys[len(p.keys)-1].key != k {
						p.keys = append(p.keys, change{len(m.entries), k})
					}
				},
				"tell": func(t *rapid.T) {
					p := pick(t)
					from := 0
					if last := p.keys[len(p.keys)-1]; last.from > p.next[0] {
						from = last.from
					}
					body := fmt.Sprintf("told at %d", len(m.entries))
					p.told = append(p.told, said{uint64(from), body})
					check(p.rd.Tell([]byte(body)))
				},
				"next": func(t *rapid.T) {
					p := pick(t)
					for range rapid.IntRange(1, 8).Draw(t, "times") {
						more, err := m.take(p)
						check(err)
						if !more {
							break
						}
					}
				},
				"drain": func(t *rapid.T) { check(m.drain(pick(t))) },
				"gone": func(*rapid.T) {
					for _, p := range m.gone {
						check(m.drain(p))
					}
					m.gone = nil
				},
			}
			for range 4 {
				t.Repeat(actions)
			}
			for _, p := range append(m.here, m.gone...) {
				check(m.drain(p))
				p.rd.Leave()
			}
			time.Sleep(time.Second) // workers are done
		})
	})
}
