//go:build linux

package hostile_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A canary is a pair that keeps talking while all around it mean harm. It has a ledger of its own: what it
// said, what must come back for it, and when it did.
type canary struct {
	t      *testing.T
	conn   net.Conn
	answer func(seq int) string
	slots  chan struct{} // as many as may be on their way
	turn   chan struct{} // of one: whoever has put something in may have it speak, or keep it quiet
	quit   context.CancelFunc
	talk   sync.WaitGroup // the goroutine that speaks
	wg     sync.WaitGroup // those that listen
	friend *friend        // who answers, where that is not the server; nil otherwise

	mu    sync.Mutex
	sent  []time.Time // by sequence number
	came  int
	phase string
	took  map[string][]time.Duration // by phase
	err   error
}

// How the canary talks: so many words may be on their way, and one begins so often.
const (
	canaryWindow = 64
	canaryEvery  = 5 * time.Millisecond
)

// word is what a canary says; it is long enough, and odd enough, for pieces of it to be missed.
func word(seq int) string { return fmt.Sprintf("canary %d 唱着歌 %0*d", seq, 1+seq%100, seq) }

// reply is what an operator answers to it.
func reply(seq int) string { return fmt.Sprintf("heard %d 听见了", seq) }

// hatch begins to talk. Each word must be answered by what answer says, in order.
func hatch(t *testing.T, s *server, op *operator, answer func(seq int) string, greeting string) *canary {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
	if err != nil {
		t.Fatal(err)
	}
	if op != nil {
		op.follow(conn)
	}
	r := bufio.NewReader(conn)
	if greeting != "" {
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		if line, err := r.ReadString('\n'); err != nil || line != greeting+"\n" {
			t.Fatalf("the canary was greeted with %q, %v", line, err)
		}
		_ = conn.SetReadDeadline(time.Time{})
	}
	return begin(t, conn, r, nil, answer)
}

// begin has a canary talk through conn, to a friend who is there already, or to the server.
func begin(t *testing.T, conn net.Conn, r *bufio.Reader, with *friend, answer func(seq int) string) *canary {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := &canary{
		t: t, conn: conn, friend: with, answer: answer, slots: make(chan struct{}, canaryWindow), turn: make(chan struct{}, 1), quit: cancel, took: map[string][]time.Duration{},
	}
	c.talk.Go(func() { c.speak(ctx) })
	c.wg.Go(func() { c.listen(r) })
	if with != nil {
		c.wg.Go(func() { c.fail(with.listen()) })
	}
	t.Cleanup(func() {
		cancel()
		c.hangUp()
		c.talk.Wait()
		c.wg.Wait()
	})
	return c
}

func (c *canary) speak(ctx context.Context) {
	tick := time.NewTicker(canaryEvery)
	defer tick.Stop()
	for seq := 0; ; seq++ {
		select {
		case c.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		select {
		case c.turn <- struct{}{}:
		case <-ctx.Done():
			return
		}
		c.mu.Lock()
		c.sent = append(c.sent, time.Now())
		c.mu.Unlock()
		_, err := io.WriteString(c.conn, word(seq)+"\n")
		<-c.turn
		if err != nil {
			c.fail(err)
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (c *canary) listen(r *bufio.Reader) {
	for seq := 0; ; seq++ {
		line, err := c.next(r)
		if err != nil {
			c.fail(err)
			return
		}
		if want := c.answer(seq) + "\n"; line != want {
			c.fail(fmt.Errorf("word %d was answered by %q, want %q", seq, line, want))
			return
		}
		c.mu.Lock()
		c.took[c.phase] = append(c.took[c.phase], time.Since(c.sent[seq]))
		c.came++
		c.mu.Unlock()
		<-c.slots
	}
}

// next is the next line that is for the canary: where others are heard, too, that of its friend.
func (c *canary) next(r *bufio.Reader) (string, error) {
	for {
		line, err := r.ReadString('\n')
		if err != nil || c.friend == nil {
			return line, err
		}
		if strings.HasPrefix(line, missed) {
			return line, fmt.Errorf("was told %q", line)
		}
		if said, ok := strings.CutPrefix(line, c.friend.name+": "); ok {
			return said, nil
		}
	}
}

func (c *canary) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}

// enters: what comes back from now on counts as another phase.
func (c *canary) enters(phase string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase = phase
}

// pauses keeps it quiet until it goesOn.
func (c *canary) pauses() { c.turn <- struct{}{} }

func (c *canary) goesOn() { <-c.turn }

// wantAlive: nothing has gone wrong so far.
func (c *canary) wantAlive() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		c.t.Fatalf("the canary: %v (%d words said, %d answered)", c.err, len(c.sent), c.came)
	}
}

// wantAll ends the talk, not the conversation: all that was said has been answered, in order.
func (c *canary) wantAll() (words int) {
	c.t.Helper()
	c.quit()
	c.talk.Wait()
	all := eventually(c.t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.came == len(c.sent) || c.err != nil
	})
	c.wantAlive()
	c.mu.Lock()
	words = c.came
	if !all {
		c.t.Errorf("the canary said %d words, and %d were answered", len(c.sent), c.came)
	}
	c.mu.Unlock()
	return words
}

// leaves closes the conversation.
func (c *canary) leaves() {
	c.hangUp()
	c.wg.Wait()
}

func (c *canary) hangUp() {
	_ = c.conn.Close()
	if c.friend != nil {
		_ = c.friend.conn.Close()
	}
}

// A pace is how long the canary waited for answers in a phase.
type pace struct {
	Words         int
	P50, P99, Max time.Duration
}

func (p pace) String() string {
	return fmt.Sprintf("p50 %v, p99 %v, max %v (%d words)", p.P50, p.P99, p.Max, p.Words)
}

func (c *canary) pace(phase string) pace {
	c.mu.Lock()
	took := slices.Sorted(slices.Values(c.took[phase]))
	c.mu.Unlock()
	if len(took) == 0 {
		return pace{}
	}
	at := func(percent int) time.Duration {
		return took[min(len(took)-1, len(took)*percent/100)].Round(time.Microsecond)
	}
	return pace{len(took), at(50), at(99), at(100)}
}
