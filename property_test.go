package duet_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"duet.example/duet"
	"duet.example/duet/framing"
)

// An act is one call of a conversation, as the property makes it.
type act string

var (
	// anybody may do these at any time.
	anyActs = []act{
		"send", "send much", "post", "post much", "set framing", "pause",
		"kick", "raw", "raw and wait", "abort", "close", "shutdown",
	}
	// The handler receives as well. One goroutine receives at a time.
	handlerActs = append([]act{"receive", "receive", "receive", "receive in time", "receive in time"}, anyActs...)
	peers       = []string{"slow", "resetting", "silent", "dripping", "talking", "closing"}
)

// A life is the plan of one conversation: its network, its peer, and the calls of each goroutine in order.
type life struct {
	network, peer string
	dialled       bool
	framing       framing.Framing
	sendTimeout   time.Duration
	handler       []act
	others        [][]act
}

const shortTimeout = 50 * time.Millisecond

func lives(t *rapid.T) life {
	var names []string
	for _, n := range networks {
		names = append(names, n.name)
	}
	return life{
		network:     rapid.SampledFrom(names).Draw(t, "network"),
		peer:        rapid.SampledFrom(peers).Draw(t, "peer"),
		dialled:     rapid.Bool().Draw(t, "dialled"),
		framing:     rapid.SampledFrom(allFramings).Draw(t, "framing"),
		sendTimeout: rapid.SampledFrom([]time.Duration{shortTimeout, time.Minute, -1}).Draw(t, "send timeout"),
		handler:     rapid.SliceOfN(rapid.SampledFrom(handlerActs), 0, 8).Draw(t, "handler"),
		others:      rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom(anyActs), 1, 5), 0, 3).Draw(t, "others"),
	}
}

// For any order of calls and any behaviour of the peer, each conversation ends soon after it is asked to, once, with one
// reason, and leaves nothing behind.
func TestAnyOrder(t *testing.T) {
	budget := 2 * time.Second
	if os.Getenv("DUET_LONG") == "1" {
		budget = 10 * time.Minute
	}
	doors := map[string]*door{}
	for _, n := range networks {
		l, dial := n.listen(t)
		defer l.Close()
		doors[n.name] = &door{listener: l, dial: dial}
	}
	began, before, goroutines := time.Now(), openFiles(), goleak.IgnoreCurrent()
	failed := false // rapid looks for a smaller example then, without regard to the time
	over := func() bool { return !failed && time.Since(began) > budget }
	for !over() {
		rapid.Check(t, func(rt *rapid.T) {
			if over() {
				return
			}
			all := rapid.SliceOfN(rapid.Custom(lives), 1, 12).Draw(rt, "lives")
			wrong := make([]string, len(all))
			var wg sync.WaitGroup
			for i, l := range all {
				wg.Go(func() { wrong[i] = l.live(doors[l.network]) })
			}
			wg.Wait()
			for i, w := range wrong {
				if w != "" {
					rt.Errorf("%s: %+v", w, all[i])
				}
			}
			if err := goleak.Find(goroutines); err != nil {
				rt.Errorf("goroutines are left: %v", err)
			}
			if now := openFiles(); now > before {
				rt.Errorf("%d descriptors are open, %d before", now, before)
			}
			failed = failed || rt.Failed()
		})
	}
}

// openFiles returns the number of descriptors of the process, -1 if that is not known.
func openFiles() int {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(all)
}

// A door makes connections, one at a time.
type door struct {
	mu       sync.Mutex
	listener net.Listener
	dial     func() (net.Conn, error)
}

func (d *door) pair() (dialled, accepted net.Conn, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if dialled, err = d.dial(); err == nil {
		accepted, err = d.listener.Accept()
	}
	return dialled, accepted, err
}

// live runs the conversation. It returns the faults, an empty string if there are none.
func (l life) live(d *door) (wrong string) {
	ours, theirs, err := d.pair()
	if err != nil {
		return err.Error()
	}
	if !l.dialled {
		ours, theirs = theirs, ours
	}
	s := &subject{life: l, here: make(chan *duet.Conn, 1)}
	trace := &duet.Trace{ConnEnd: func(_ *duet.Conn, r duet.EndReason, _ error) {
		s.ends.Add(1)
		s.reason.Store(uint32(r))
	}}
	var converse func()
	if l.dialled {
		dialer := duet.Dialer{Options: duet.Options{Framing: l.framing, SendTimeout: l.sendTimeout, CloseTimeout: shortTimeout, Trace: trace}}
		c := dialer.NewConn(ours)
		s.here <- c
		converse = func() { _ = duet.Serve(context.Background(), c, s) }
	} else {
		trace.ConnStart = func(c *duet.Conn) { s.here <- c }
		s.server = &duet.Server{
			Options: duet.Options{Framing: l.framing, SendTimeout: l.sendTimeout, CloseTimeout: shortTimeout, Trace: trace}, Handler: s,
			Logger: slog.New(slog.DiscardHandler),
		}
		converse = func() { _ = s.server.ServeNetConn(ours) }
	}
	ended, stop := make(chan struct{}), make(chan struct{})
	go func() { defer close(ended); converse() }()
	s.c = <-s.here

	peer := plainConn(theirs)
	var side sync.WaitGroup
	side.Go(func() { behave(l.peer, peer, stop) })
	acted := make(chan struct{})
	go func() { defer close(acted); s.others() }()
	select {
	case <-acted:
	case <-time.After(200 * time.Millisecond):
	}
	s.end(ended)
	wrong = s.verdict(ended, acted)
	close(stop)
	peer.Close()
	theirs.Close()
	side.Wait()
	return wrong
}

// A subject is a conversation whose life goes on.
type subject struct {
	life
	c      *duet.Conn
	here   chan *duet.Conn
	server *duet.Server // nil for one that was dialled
	ends   atomic.Int32
	reason atomic.Uint32
}

// ServeConn is the handler.
func (s *subject) ServeConn(ctx context.Context, c *duet.Conn) error {
	for _, a := range s.handler {
		s.do(ctx, c, a)
	}
	return nil
}

func (s *subject) others() {
	var wg sync.WaitGroup
	for _, acts := range s.life.others {
		wg.Go(func() {
			for _, a := range acts {
				s.do(context.Background(), s.c, a)
			}
		})
	}
	wg.Wait()
}

// end asks for the end. If the peer need not be waited for, a Kick must be enough, because each wait is bounded then.
func (s *subject) end(ended <-chan struct{}) {
	s.c.Kick("")
	limit := 50 * time.Millisecond
	if s.sendTimeout == shortTimeout {
		limit = patience
	}
	select {
	case <-ended:
	case <-time.After(limit):
		if s.sendTimeout == shortTimeout {
			return // the verdict says so
		}
	}
	if s.server != nil {
		s.shutdown()
	} else {
		_ = s.c.Abort()
	}
}

func (s *subject) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_ = s.server.Shutdown(ctx)
}

func (s *subject) verdict(ended, acted <-chan struct{}) string {
	late := time.After(patience / 6) // a life takes less than a second
	for name, done := range map[string]<-chan struct{}{"it": ended, "its calls": acted, "Done": s.c.Done()} {
		select {
		case <-done:
		case <-late:
			return name + " does not end"
		}
	}
	reason, _ := s.c.Result()
	switch n := s.ends.Load(); {
	case n != 1:
		return fmt.Sprintf("ended %d times", n)
	case reason == duet.EndNone:
		return "ended without a reason"
	case uint32(reason) != s.reason.Load():
		return fmt.Sprintf("ended as %v, was told as %v", reason, duet.EndReason(s.reason.Load()))
	}
	return ""
}

var much = make([]byte, 1<<20)

func (s *subject) do(ctx context.Context, c *duet.Conn, a act) {
	switch a {
	case "receive":
		_, _ = c.Receive(ctx)
	case "receive in time":
		ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		_, _ = c.Receive(ctx)
	case "send":
		_ = c.Send(ctx, []byte("sent"))
	case "send much":
		_ = c.Send(ctx, much)
	case "post":
		_ = c.Post([]byte("posted"))
	case "post much":
		_ = c.Post(much)
	case "set framing":
		c.SetFraming(framing.NUL)
	case "pause":
		time.Sleep(time.Millisecond)
	case "kick":
		c.Kick("")
	case "raw", "raw and wait":
		s.raw(c, a == "raw and wait")
	case "abort":
		_ = c.Abort()
	case "close":
		_ = c.Close()
	case "shutdown":
		if s.server != nil {
			s.shutdown()
		}
	}
}

// raw calls Raw and uses the connection a little. If wait is true, it uses it until the end and sets no deadline, because Kick and Shutdown
// set one.
func (s *subject) raw(c *duet.Conn, wait bool) {
	nc, err := c.Raw(context.Background())
	if err != nil {
		return
	}
	if wait {
		_, _ = io.Copy(io.Discard, nc)
		return
	}
	_ = nc.SetDeadline(time.Now().Add(5 * time.Millisecond))
	_, _ = io.WriteString(nc, "raw")
	_, _ = nc.Read(make([]byte, 100))
}

// behave is a peer, until it is stopped or cannot go on.
func behave(as string, nc net.Conn, stop <-chan struct{}) {
	pause := func(d time.Duration) bool {
		select {
		case <-stop:
			return false
		case <-time.After(d):
			return true
		}
	}
	b := make([]byte, 4096)
	switch as {
	case "resetting":
		_ = nc.SetDeadline(time.Now().Add(5 * time.Millisecond))
		_, _ = io.WriteString(nc, "hello\nand")
		_, _ = nc.Read(b)
		resetConn(nc)
	case "closing":
		_, _ = io.WriteString(nc, "hello\nand")
		nc.Close()
	case "silent":
		<-stop
	case "slow":
		for pause(2 * time.Millisecond) {
			if _, err := nc.Read(b[:1024]); err != nil {
				return
			}
		}
	case "dripping":
		for {
			if _, err := nc.Write([]byte("x")); err != nil || !pause(time.Second) {
				return
			}
			if _, err := nc.Read(b[:1]); err != nil {
				return
			}
		}
	case "talking":
		go func() { _, _ = io.Copy(io.Discard, nc) }()
		for pause(time.Millisecond) {
			if _, err := io.WriteString(nc, "hello\x00hello\n"); err != nil {
				return
			}
		}
	}
}
