//go:build linux

package hostile_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"duet.example/duet/internal/hostile"
)

const (
	// stormDescriptors are fewer than a crowd wants, and more than all others of a storm do.
	stormDescriptors = 500
	// worstP99 is what a canary must never have to wait, except that a machine that is busy makes every conversation wait.
	// The calm canary shows how long: it talks at the same time to a plain Go server that nobody attacks. A
	// server under a storm may take stormFactor times as long, the least of the 15 to 36 times that two processors make of it.
	worstP99    = time.Second
	stormFactor = 15
	// atOnce is as many as keep two processors busy, with the tests of other packages beside them, and leave the canary some.
	atOnce = 32
	// idleTime is how long the canary is alone before the storm.
	idleTime = time.Second
	// moreMemory is what a server may have grown by, in KiB, between the end of a first storm and that of
	// the whole one: a collector that runs when the heap has doubled leaves as much as that at one time, and not at another, of
	// the buffers of 32 conversations with messages of 64 KiB. A leak of 100 bytes in each session of the long form is more.
	moreMemory = 24 << 10
)

// A figure is what one server did under a storm.
type figure struct {
	Server         string
	Sessions       int
	Seconds, Rate  float64
	Idle, Storm    pace
	Calm           pace   // of the canary that talks elsewhere, during the storm
	MemoryKiB      [3]int // idle, after the first storm, after the whole
	Threads        int
	Goroutines     [2]int // of a server that nobody came to, and after the storm; 0: not counted
	SocketsBack    bool
	DescriptorsNow [2]int // before and after
}

// A stage is a server with what is particular about it.
type stage struct {
	name     string
	start    func(t *testing.T, descriptors, taken int, hear func([]byte)) *server
	answer   func(seq int) string
	greeting string
	ends     []string // how some of the conversations must have ended: each is a guard that held
	operator bool     // a person answers the canary through stdin
	pair     bool     // the canary is two, who hear each other
	kinds    []hostile.Kind
	share    int  // of the sessions that others get, one in so many; zero: all
	runs     bool // each conversation has a process
}

func listen(args ...string) func(*testing.T, int, int, func([]byte)) *server {
	args = append([]string{"listen", ":0", "--max-message", strconv.Itoa(hostile.MaxMessage), "--send-timeout", "1s", "-v"}, args...)
	return func(t *testing.T, descriptors, taken int, hear func([]byte)) *server {
		return startDuet(t, descriptors, taken, hear, args...)
	}
}

// begin starts the stage's server, with an operator where it wants one.
func (st stage) begin(t *testing.T, descriptors, taken int) (*server, *operator) {
	if !st.operator {
		return st.start(t, descriptors, taken, nil), nil
	}
	op := &operator{typing: make(chan string, 10*canaryWindow), arrived: map[string]int{}}
	s := st.start(t, descriptors, taken, op.hear)
	op.begin(s)
	return s, op
}

func (st stage) hatch(t *testing.T, s *server, op *operator) *canary {
	if st.pair {
		return hatchPair(t, s)
	}
	return hatch(t, s, op, st.answer, st.greeting)
}

// conns is how many conversations a canary has.
func (st stage) conns() int {
	if st.pair {
		return 2
	}
	return 1
}

// stages are servers that last: as many as want may come.
var stages = []stage{
	{name: "console", start: listen("--console"), answer: reply, greeting: "Can I help you?", ends: []string{"farewell", "peer-closed", "reset"}, operator: true},
	{name: "echo", start: listen("--echo"), answer: word, ends: []string{"peer-closed", "reset", "slow-peer"}},
	{name: "echo of lines", start: listen("--echo", "--framing", "lf"), answer: word, ends: []string{"peer-closed", "reset", "slow-peer", "too-long"}},
	{name: "room", start: listen("--room"), ends: []string{"farewell", "peer-closed", "reset"}, pair: true, kinds: hostile.RoomKinds()},
}

// programs is a server that starts a process for each who comes, which takes a hundred times as long as a
// conversation: a third of the sessions have to do. There may be fewer processes than peers at once.
var programs = stage{
	name: "exec", start: listen("--exec", "cat", "--max-processes", "40"), answer: word, ends: []string{"peer-closed", "reset", "refused"},
	share: 3, runs: true,
}

var plain = stage{
	name:   "plain Go echo",
	start:  func(t *testing.T, descriptors, _ int, _ func([]byte)) *server { return startPlain(t, descriptors) },
	answer: word,
}

// While hostile peers come and go, a pair keeps talking and loses nothing; afterwards all is as it was.
func TestCanary(t *testing.T) {
	all := append(slices.Clone(stages), programs)
	each := max(sessions(t)/len(all), len(hostile.Kinds()))
	figures := make([]figure, len(all)+1)
	t.Cleanup(func() { report(t, figures) }) // when all have ended
	for i, st := range all {
		t.Run(st.name, func(t *testing.T) {
			if !st.operator { // whose canary waits longest anyhow
				besideOthers(t)
			}
			f := st.underStorm(t, max(each/max(st.share, 1), len(hostile.Kinds())))
			f.Goroutines[0] = st.goroutinesIdle(t)
			if f.Goroutines[1] > f.Goroutines[0] {
				t.Errorf("%d goroutines after the storm, %d in one that nobody came to", f.Goroutines[1], f.Goroutines[0])
			}
			if most := max(worstP99, stormFactor*f.Calm.P99); f.Storm.P99 > most {
				t.Errorf("under the storm the canary waited %v (p99), more than %v; elsewhere it is %v", f.Storm.P99, most, f.Calm.P99)
			}
			figures[i] = f
		})
	}
	t.Run(plain.name, func(t *testing.T) {
		besideOthers(t)
		figures[len(all)] = plain.underStorm(t, min(each, 30_000))
	})
}

// besideOthers has a server's calm run beside another's storm, where it is not for the figures: most of a test of a minute is calm.
func besideOthers(t *testing.T) {
	t.Helper()
	if os.Getenv(sessionsWanted) == "" {
		t.Parallel()
	}
}

// storming is held by the one server that has a storm: two at a time would have their canaries wait for each other.
var storming sync.Mutex

func report(t *testing.T, figures []figure) {
	t.Helper()
	figures = slices.DeleteFunc(figures, func(f figure) bool { return f.Server == "" }) // which have failed
	for _, f := range figures {
		t.Logf("%-14s %7d sessions in %5.1f s (%.0f/s)\n  canary idle:  %v\n  canary storm: %v\n  elsewhere:    %v\n  RSS KiB idle, first, all: %v, threads %d, goroutines idle, after: %v, descriptors before, after: %v",
			f.Server, f.Sessions, f.Seconds, f.Rate, f.Idle, f.Storm, f.Calm, f.MemoryKiB, f.Threads, f.Goroutines, f.DescriptorsNow)
	}
	text, err := json.Marshal(figures)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("figures: %s", text)
}

// underStorm has a canary talk alone, then during a first storm, then during n sessions in all.
func (st stage) underStorm(t *testing.T, n int) figure {
	s, op := st.begin(t, stormDescriptors, 0)
	pid := s.cmd.Process.Pid
	f := figure{Server: st.name, Sessions: n}
	// What a first conversation leaves behind is no leak.
	first := st.hatch(t, s, op)
	first.talks(10)
	first.wantAll()
	c := st.hatch(t, s, op)
	calm := hatch(t, startPlain(t, stormDescriptors), nil, word, "")
	c.talks(50)
	first.leaves() // not before: the console numbers nobody who is alone
	c.enters("idle")
	c.lasts(idleTime)
	f.Idle = c.pace("idle")
	sockets, all := descriptors(t, pid)
	processes := children(t, pid)
	f.MemoryKiB[0] = status(t, pid, "VmRSS")

	began := time.Now()
	for i, part := range []int{n / 5, n - n/5} {
		storming.Lock()
		c.enters("storm")
		calm.enters("storm")
		tally := hostile.Storm{
			Port: s.port, Sessions: part, AtOnce: atOnce, Seed: uint64(1 + i), Kinds: st.kinds,
			Progress: func(ended int) {
				t.Logf("%s: %d of %d sessions, %.0f s; canary: %v", st.name, ended+i*(n/5), n, time.Since(began).Seconds(), c.pace("storm"))
			},
		}.Run(t.Context())
		storming.Unlock()
		f.Seconds += tally.Took.Seconds()
		c.enters("calm")
		calm.enters("calm")
		c.wantAlive()
		s.wantWell()
		wantTally(t, tally, part)
		f.SocketsBack = eventually(t, func() bool {
			now, _ := descriptors(t, pid)
			return now == sockets
		})
		if now, _ := descriptors(t, pid); !f.SocketsBack {
			t.Errorf("%d sockets are open after the storm, %d before", now, sockets)
		}
		if st.runs && processes != 1 {
			t.Errorf("%d processes for one conversation", processes)
		}
		if !eventually(t, func() bool { return children(t, pid) == processes }) {
			t.Errorf("%d processes are there after the storm, %d before", children(t, pid), processes)
		}
		f.MemoryKiB[1+i] = settled(t, pid)
		if i == 1 {
			t.Logf("%s: outcomes of the last %d sessions:\n%v", st.name, part, tally)
		}
	}
	f.Rate = float64(n) / f.Seconds
	f.Storm, f.Calm = c.pace("storm"), calm.pace("storm")
	calm.wantAll()
	calm.leaves()
	f.Threads = status(t, pid, "Threads")
	_, now := descriptors(t, pid)
	f.DescriptorsNow = [2]int{all, now}
	// The plain server is the test binary, and the race detector takes what it likes.
	if grown := f.MemoryKiB[2] - f.MemoryKiB[1]; grown > moreMemory && st.name != plain.name {
		t.Errorf("the server has grown by %d KiB since the first storm", grown)
	}
	c.wantAll()
	c.leaves()
	if !eventually(t, func() bool { return children(t, pid) == 0 }) {
		t.Errorf("%d processes are left over", children(t, pid))
	}
	if op != nil {
		op.wantAll(t, c)
	}
	if st.ends != nil {
		s.wantAccount(st.ends...)
	}
	s.wantWell()
	if st.name != plain.name {
		f.Goroutines[1] = s.goroutines()
	}
	return f
}

// talks lets the canary begin: until some words have been answered.
func (c *canary) talks(words int) {
	c.t.Helper()
	if !eventually(c.t, func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.came > words || c.err != nil }) {
		c.t.Error("the conversation goes nowhere")
	}
	c.wantAlive()
}

// lasts lets the canary talk alone.
func (c *canary) lasts(d time.Duration) {
	ctx, cancel := context.WithTimeout(c.t.Context(), d)
	defer cancel()
	<-ctx.Done()
	c.wantAlive()
}

// settled is the least memory that the process has while it comes to rest.
func settled(t *testing.T, pid int) int {
	t.Helper()
	least := status(t, pid, "VmRSS")
	for until := time.Now().Add(time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		least = min(least, status(t, pid, "VmRSS"))
	}
	return least
}

// wantTally: all sessions took place, and the storm did what it is made for.
func wantTally(t *testing.T, tally *hostile.Tally, n int) {
	t.Helper()
	if got := tally.Of("", ""); got != n {
		t.Errorf("%d sessions took place, want %d", got, n)
	}
	if n := tally.Of("", hostile.Failed); n > 0 {
		t.Errorf("%d sessions failed by themselves:\n%v", n, tally)
	}
}

// wantAccount: whoever came has left, with a reason; each of ends is one of them.
func (s *server) wantAccount(ends ...string) {
	s.t.Helper()
	if !eventually(s.t, func() bool { in, out := s.account(); return in == out }) {
		in, out := s.account()
		s.t.Errorf("%s said that %d came and %d left", s.name, in, out)
	}
	in, _ := s.account()
	s.t.Logf("%s: %d conversations, which ended: %v", s.name, in, s.reasons())
	for why, n := range s.reasons() {
		if why == "" || why == "handler-failed" {
			s.t.Errorf("%s: %d conversations ended as %q", s.name, n, why)
		}
	}
	for _, why := range ends {
		if s.reasons()[why] == 0 {
			s.t.Errorf("%s: no conversation ended as %q", s.name, why)
		}
	}
}

// goroutinesIdle is how many a server has that had one conversation and no storm.
func (st stage) goroutinesIdle(t *testing.T) int {
	s, op := st.begin(t, stormDescriptors, 0)
	first := st.hatch(t, s, op)
	first.talks(10)
	first.wantAll()
	first.leaves()
	s.wantAccount()
	return s.goroutines()
}
