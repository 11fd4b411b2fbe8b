package duet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
)

// A crowd is a server in memory, in fake time. It answers each message with its length. Peers send in pieces of 1 KiB, so that each read is
// short.
type crowd struct {
	*duet.Server
	t     *testing.T
	came  chan *duet.Conn
	ended map[uint64]ending
	mu    sync.Mutex
	wg    sync.WaitGroup
}

// withCrowd runs a test in a bubble. It checks that no bytes are held when all conversations have ended.
func withCrowd(t *testing.T, memory int64, s *duet.Server, test func(w *crowd)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &crowd{Server: s, t: t, came: make(chan *duet.Conn, 1), ended: map[uint64]ending{}}
		s.Memory = memory
		if s.Handler == nil {
			s.Handler = duet.HandlerFunc(countMessages)
		}
		var budget *duet.Budget
		s.Trace = &duet.Trace{
			ConnStart: func(c *duet.Conn) {
				budget = c.Budget()
				w.came <- c
			},
			ConnEnd: func(c *duet.Conn, r duet.EndReason, err error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.ended[c.ID()] = ending{c.ID(), r, err}
			},
		}
		test(w)
		s.Close()
		w.wg.Wait()
		if n := budget.Used(); n != 0 {
			t.Errorf("%d bytes are still held after the end of all conversations", n)
		}
	})
}

func countMessages(ctx context.Context, c *duet.Conn) error {
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		if err := c.Send(ctx, fmt.Append(nil, len(m.Body))); err != nil {
			return err
		}
	}
	return nil
}

// join connects another peer.
func (w *crowd) join() (*peer, *duet.Conn) {
	x, y := duettest.PipeSize(1 << 10)
	w.wg.Go(func() { _ = w.ServeNetConn(x) })
	p := newPeer(w.t, y)
	_ = p.SetDeadline(time.Time{})
	return p, <-w.came
}

// begin has a peer send n bytes of a message without its end, as far as they are read.
func (w *crowd) begin(p *peer, n int) {
	w.wg.Go(func() { _, _ = io.WriteString(p, strings.Repeat("x", n)) })
	synctest.Wait()
}

func (w *crowd) wantEnd(c *duet.Conn, want duet.EndReason) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.ended[c.ID()]; e.reason != want {
		w.t.Errorf("conversation %d ended as %v (%v), want %v", c.ID(), e.reason, e.err, want)
	}
}

func wantRead(t *testing.T, c *duet.Conn, least, most int) {
	t.Helper()
	if n := int(c.Stats().BytesIn); n < least || n > most {
		t.Errorf("%d bytes of conversation %d were read, want %d to %d", n, c.ID(), least, most)
	}
}

// While the budget is used up, the oldest conversation above its share is read, then the next. Conversations within their share notice
// nothing.
func TestBudget_OldestGoesOn(t *testing.T) {
	const line = 40 << 10
	withCrowd(t, 64<<10, &duet.Server{}, func(w *crowd) {
		var peers [3]*peer
		var conns [3]*duet.Conn
		for i := range peers {
			peers[i], conns[i] = w.join()
		}
		canary, c := w.join()
		c.Budget().Hold(1 << 20)
		defer c.Budget().Hold(-1 << 20)
		w.begin(peers[1], line) // it is the oldest above its share so far
		wantRead(t, conns[1], line, line)
		w.begin(peers[0], line)
		w.begin(peers[2], line)
		for i, p := range peers {
			synctest.Wait()
			wantRead(t, conns[i], line, line)
			if i < 2 {
				wantRead(t, conns[2], 16<<10, 18<<10)
			}
			canary.say("still\n")
			canary.want("5\n")
			p.say("\n")
			p.want(fmt.Sprintln(line))
		}
	})
}

// If no bytes are given back for 10 s, the largest conversation ends. Bytes that a conversation above its share gives back start that time
// anew.
func TestBudget_LargestEnds(t *testing.T) {
	withCrowd(t, 64<<10, &duet.Server{}, func(w *crowd) {
		small, cs := w.join()
		a, ca := w.join()
		b, cb := w.join()
		w.begin(small, 5<<10)
		w.begin(b, 50<<10)
		w.begin(a, 30<<10)
		time.Sleep(9 * time.Second)
		cb.Hold(1)
		cb.Hold(-1)
		time.Sleep(8 * time.Second)
		small.say("\n") // does not count, because it is within its share
		small.want("5120\n")
		time.Sleep(2*time.Second - 1)
		synctest.Wait()
		for _, c := range []*duet.Conn{ca, cb, cs} {
			w.wantEnd(c, duet.EndNone)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		w.wantEnd(cb, duet.EndOverload)
		wantErr(t, "cause", w.ended[cb.ID()].err, duet.ErrOverload)
		if _, err := io.ReadAll(b.Conn); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the largest sees %v, want a reset", err)
		}
		time.Sleep(time.Hour)
		a.say("\n")
		a.want("30720\n")
		w.wantEnd(ca, duet.EndNone)
	})
}

// If each conversation holds no more than its share, none ends, however long it takes.
func TestBudget_ShareIsSafe(t *testing.T) {
	withCrowd(t, 64<<10, &duet.Server{}, func(w *crowd) {
		a, c := w.join()
		_, other := w.join()
		c.Budget().Hold(100 << 10)
		w.begin(a, 20<<10)
		time.Sleep(time.Hour)
		w.wantEnd(c, duet.EndNone)
		w.wantEnd(other, duet.EndNone)
		a.say("\n")
		a.want("20480\n")
		c.Budget().Hold(-100 << 10)
	})
}

// Many peers send lines without an end, each nearly as long as the longest message. Together they hold little more than the budget, and
// another peer is answered all the time.
func TestBudget_PartialLines(t *testing.T) {
	peers, line, memory := 50, 128<<10, 1<<20
	if os.Getenv("DUET_LONG") == "1" {
		peers, line, memory = 1000, 1<<20, 64<<20
	}
	overEach(t, func(t *testing.T, n network) {
		conns := make(chan *duet.Conn, peers+1)
		st := start(t, n, &duet.Server{
			Options: duet.Options{MaxMessage: line, Trace: &duet.Trace{ConnStart: func(c *duet.Conn) { conns <- c }}},
			Memory:  int64(memory), MaxConns: -1, Handler: duet.HandlerFunc(countMessages),
		})
		canary := st.peer(t)
		budget := (<-conns).Budget()
		var all []*duet.Conn
		var wg sync.WaitGroup
		text := strings.Repeat("x", line-1)
		hoarders := make([]*peer, peers)
		for i := range peers {
			hoarders[i] = st.peer(t)
			all = append(all, <-conns)
		}
		for _, p := range hoarders {
			wg.Go(func() { _, _ = io.WriteString(p, text) })
		}
		read := func() (sum int64) {
			for _, c := range all {
				sum += c.Stats().BytesIn
			}
			return sum
		}
		talk := func() {
			canary.say("still\n")
			canary.want("5\n")
		}
		waitFor(t, func() bool { talk(); return budget.Used() > budget.Limit() })
		for range 200 {
			talk()
		}
		// Conversations within their share are read until they reach it, and the oldest above it is read further.
		share := memory / (peers + 1)
		most := int64(2*memory + peers*min(64<<10, share/4) + line + (1 << 20))
		if !n.hasDescriptor {
			most += int64(peers * (64 << 10)) // a read that has begun on such a connection cannot be stopped
		}
		readable := most
		for _, c := range all {
			if reason, _ := c.Result(); reason == duet.EndOverload {
				readable += int64(line) // on a slow machine: after 10 s without progress, another is read in its place
			}
		}
		if sum := read(); sum > readable || sum < int64(memory)/2 {
			t.Errorf("read %d bytes with a budget of %d", sum, memory)
		}
		if used := budget.Used(); used > most {
			t.Errorf("%d bytes are held with a budget of %d", used, memory)
		}
		for _, p := range hoarders {
			p.Close()
		}
		wg.Wait()
		for range peers {
			select {
			case <-st.ends:
			case <-time.After(patience):
				t.Fatal("not all have ended")
			}
		}
		if used := budget.Used(); used != 0 {
			t.Errorf("%d bytes are still held after the end of all conversations", used)
		}
	})
}

// Each kind of bytes that is held counts, and counts no more once it is given back.
func TestBudget_Counts(t *testing.T) {
	const step = 64 << 10 // with one conversation and a large budget
	release := make(chan struct{})
	for name, test := range map[string]struct {
		sent   string
		handle func(ctx context.Context, c *duet.Conn) error
		least  int64 // bytes that are held, give or take a step
		clear  func(p *peer)
	}{
		"partial message": {sent: strings.Repeat("x", 300<<10), handle: countMessages, least: 300 << 10},
		"received": {
			// All come in one read. The handler receives the first.
			sent: strings.Repeat("\n", 60<<10), least: 32 * 60 << 10,
			handle: func(ctx context.Context, c *duet.Conn) error {
				_, err := c.Receive(ctx)
				<-release
				return err
			},
		},
		"queued": {
			sent: "\n", least: 1 << 20,
			handle: func(ctx context.Context, c *duet.Conn) error {
				_, err := c.Receive(ctx)
				for range 1 << 10 {
					_ = c.Post(make([]byte, 1<<10))
				}
				<-release
				return err
			},
		},
		"many in the queue": {
			sent: "\n", least: 3 << 20,
			handle: func(ctx context.Context, c *duet.Conn) error {
				_, err := c.Receive(ctx)
				for range 100_000 {
					_ = c.Post(nil)
				}
				<-release
				return err
			},
		},
		"being sent": {
			sent: "\n", least: 1 << 20,
			handle: func(ctx context.Context, c *duet.Conn) error {
				if _, err := c.Receive(ctx); err != nil {
					return err
				}
				return c.Send(ctx, make([]byte, 1<<20))
			},
		},
		"kept by a handler": {
			sent: "\n", least: 1 << 20,
			handle: func(ctx context.Context, c *duet.Conn) error {
				_, err := c.Receive(ctx)
				c.Hold(1 << 20)
				defer c.Hold(-1 << 20)
				<-release
				return err
			},
		},
		"kept by a handler for all": {
			sent: "\n", least: 1 << 20,
			handle: func(ctx context.Context, c *duet.Conn) error {
				_, err := c.Receive(ctx)
				c.Budget().Hold(1 << 20)
				defer c.Budget().Hold(-1 << 20)
				<-release
				return err
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			release = make(chan struct{})
			withCrowd(t, 1<<30, &duet.Server{Handler: duet.HandlerFunc(test.handle), Options: duet.Options{CloseTimeout: -1}}, func(w *crowd) {
				release = make(chan struct{}) // of the bubble
				x, y := duettest.PipeSize(64 << 10)
				w.wg.Go(func() { _ = w.ServeNetConn(x) })
				c := <-w.came
				w.wg.Go(func() { _, _ = io.WriteString(y, test.sent) })
				synctest.Wait()
				if n := c.Budget().Used(); n < test.least-step || n > 3*test.least+step {
					t.Errorf("%d bytes are held, want %d", n, test.least)
				}
				close(release)
				y.Close()
			})
		})
	}
}

// Everything that ends a wait ends that of a conversation that is held back.
func TestBudget_Interrupted(t *testing.T) {
	var s *duet.Server
	for name, test := range map[string]struct {
		interrupt func(c *duet.Conn, cancel func())
		want      error
		end       duet.EndReason
	}{
		"ctx":        {func(_ *duet.Conn, cancel func()) { cancel() }, context.Canceled, duet.EndClosed},
		"Kick":       {func(c *duet.Conn, _ func()) { c.Kick("") }, duet.ErrKicked, duet.EndKicked},
		"Shutdown":   {func(*duet.Conn, func()) { go s.Shutdown(context.Background()) }, duet.ErrServerClosed, duet.EndShutdown},
		"Close":      {func(*duet.Conn, func()) { s.Close() }, duet.ErrServerClosed, duet.EndShutdown},
		"Conn.Close": {func(c *duet.Conn, _ func()) { go c.Close() }, duet.ErrClosed, duet.EndClosed},
		"Abort":      {func(c *duet.Conn, _ func()) { c.Abort() }, duet.ErrClosed, duet.EndClosed},
		"Raw":        {func(c *duet.Conn, _ func()) { go c.Raw(context.Background()) }, duet.ErrRaw, duet.EndClosed},
	} {
		t.Run(name, func(t *testing.T) {
			overEach(t, func(t *testing.T, n network) {
				came, received := make(chan *duet.Conn, 2), make(chan error, 1)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				s = &duet.Server{Memory: 64 << 10, Options: duet.Options{CloseTimeout: -1, IdleTimeout: time.Hour}, Handler: duet.HandlerFunc(func(sctx context.Context, c *duet.Conn) error {
					came <- c
					if c.ID() == 1 {
						_, err := c.Receive(sctx)
						return err
					}
					_, err := c.Receive(ctx)
					received <- err
					return nil
				})}
				st := start(t, n, s)
				c := holdBack(t, st, came)
				before := c.Stats().BytesIn
				test.interrupt(c, cancel)
				wantErr(t, "Receive", <-received, test.want)
				if after := c.Stats().BytesIn; after != before && (name == "ctx" || name == "Kick") {
					t.Errorf("%d bytes more were read", after-before)
				}
				for {
					select {
					case e := <-st.ends:
						if e.id != c.ID() {
							continue
						}
						if e.reason != test.end {
							t.Errorf("ended as %v (%v), want %v", e.reason, e.err, test.end)
						}
					case <-time.After(patience):
						t.Error("did not end")
					}
					break
				}
			})
		})
	}
}

// holdBack has one conversation use up the budget, and returns another that is not read because of it.
func holdBack(t *testing.T, st *stage, came chan *duet.Conn) *duet.Conn {
	t.Helper()
	first := st.peer(t)
	budget := (<-came).Budget()
	budget.Hold(1 << 20)
	t.Cleanup(func() { budget.Hold(-1 << 20) })
	long := strings.Repeat("x", 1<<20-1)
	go io.WriteString(first, long[:100<<10])
	waitFor(t, func() bool { return budget.Used() >= 1<<20+100<<10 })
	p := st.peer(t)
	c := <-came
	go io.WriteString(p, long)
	// It is read until it has its share.
	waitFor(t, func() bool { return c.Stats().BytesIn > 32<<10 })
	return c
}

// A conversation that is held back ends when its peer resets it.
func TestBudget_Reset(t *testing.T) {
	came := make(chan *duet.Conn, 2)
	st := start(t, tcp, &duet.Server{Memory: 64 << 10, Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
		came <- c
		_, err := c.Receive(ctx)
		return err
	})})
	first := st.peer(t)
	budget := (<-came).Budget()
	budget.Hold(1 << 20)
	defer budget.Hold(-1 << 20)
	first.say(strings.Repeat("x", 100<<10))
	waitFor(t, func() bool { return budget.Used() >= 1<<20+100<<10 })
	p := st.peer(t)
	c := <-came
	p.say(strings.Repeat("x", 200<<10)) // bytes that are not read fit into the system's buffers
	waitFor(t, func() bool { return c.Stats().BytesIn >= 32<<10 })
	p.reset()
	e := st.wantEnd(t, duet.EndReset)
	wantErr(t, "cause", e.err, syscall.ECONNRESET)
	if n := c.Stats().BytesIn; n >= 200<<10 {
		t.Errorf("read all %d bytes", n)
	}
}

// The time in which the peer is not read is not idle time.
func TestBudget_NotIdle(t *testing.T) {
	withCrowd(t, 64<<10, &duet.Server{Options: duet.Options{IdleTimeout: 8 * time.Second, CloseTimeout: -1}}, func(w *crowd) {
		a, ca := w.join()
		b, cb := w.join()
		cb.Budget().Hold(1 << 20)
		w.begin(a, 40<<10)
		w.begin(b, 40<<10)
		wantRead(t, cb, 16<<10, 39<<10)
		time.Sleep(5 * time.Second)
		ca.Hold(1)
		ca.Hold(-1) // starts the 10 s anew
		a.say("x")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		w.wantEnd(ca, duet.EndNone)
		w.wantEnd(cb, duet.EndNone)
		a.say("\n")
		synctest.Wait()
		wantRead(t, cb, 40<<10, 40<<10)
		time.Sleep(7 * time.Second)
		w.wantEnd(cb, duet.EndNone)
		time.Sleep(time.Second + 2*time.Millisecond) // the last read may take a moment
		synctest.Wait()
		w.wantEnd(cb, duet.EndIdle)
		cb.Budget().Hold(-1 << 20)
	})
}

func TestBudget_Default(t *testing.T) {
	budgetOf := func(memory int64) (b *duet.Budget) {
		x, y := duettest.Pipe()
		s := &duet.Server{Memory: memory, Handler: duet.HandlerFunc(func(_ context.Context, c *duet.Conn) error {
			b = c.Budget()
			return nil
		})}
		y.Close()
		_ = s.ServeNetConn(x)
		return b
	}
	if n := budgetOf(0).Limit(); n < 1<<20 || n > 1<<30 {
		t.Errorf("without a Memory the limit is %d", n)
	}
	if n := budgetOf(12345).Limit(); n != 12345 {
		t.Errorf("the limit is %d", n)
	}
	none := budgetOf(-1)
	none.Hold(1 << 40)
	if none != nil || none.Limit() != 0 || none.Used() != 0 {
		t.Error("a limit below zero makes a budget")
	}
	x, y := net.Pipe()
	c := new(duet.Dialer).NewConn(x)
	c.Hold(1 << 20)
	if c.Budget() != nil {
		t.Error("a conversation that was dialled has a budget")
	}
	y.Close()
	c.Close()
	if errors.Is(duet.ErrOverload, duet.ErrSlowPeer) {
		t.Error("overload is slow-peer")
	}
}
