package duet_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/framing"
)

// A well is a source that a test fills.
type well struct {
	mu    sync.Mutex
	bytes []byte
	count int
	err   error
	at    int // the most bytes that one Next returns, in whole lines; 0: all
	asked int
	feed  *duet.Feed
	asks  func() // called by each Next; may be nil
}

func (w *well) fill(s string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytes = append(w.bytes, s...)
	w.count++
}

func (w *well) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

func (w *well) Next() ([]byte, int, error) {
	if w.asks != nil {
		w.asks()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	n := len(w.bytes)
	if w.at > 0 && w.at < n {
		n = bytes.LastIndexByte(w.bytes[:w.at], '\n') + 1
	}
	b := w.bytes[:n:n]
	w.bytes = w.bytes[n:]
	count := w.count
	if w.count = 0; len(w.bytes) > 0 {
		count, w.count = 0, count
	}
	if len(b) == 0 && w.err != nil {
		return nil, 0, w.err
	}
	return b, count, nil
}

func (w *well) Detached() {}

// fed starts a server with one conversation, whose source is w. Its handler receives until the end.
func fed(t *testing.T, n network, w *well, s *duet.Server) (*stage, *duet.Conn, *peer) {
	t.Helper()
	here := make(chan *duet.Conn, 1)
	s.Handler = duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
		w.feed = c.Attach(w)
		here <- c
		for {
			if _, err := c.Receive(ctx); err != nil {
				return err
			}
		}
	})
	st := start(t, n, s)
	p := st.peer(t)
	return st, <-here, p
}

// wakeAll wakes the feed as the owner of a source does.
func (w *well) wakeAll() {
	for {
		w.mu.Lock()
		empty := len(w.bytes) == 0
		w.mu.Unlock()
		if empty || w.feed.Wake() {
			return
		}
	}
}

func TestSourceIsSent(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		w := &well{}
		_, c, p := fed(t, n, w, &duet.Server{})
		w.fill("one\n")
		w.fill("two\n")
		w.feed.Wake()
		p.want("one\ntwo\n")
		if err := c.Post([]byte("posted")); err != nil {
			t.Fatal(err)
		}
		p.want("posted\n")
		w.fill("three\n")
		w.feed.Wake()
		p.want("three\n")
		waitFor(t, func() bool { return c.Stats().MessagesOut == 4 })
		if got := c.Stats().BytesOut; got != int64(len("one\ntwo\nposted\nthree\n")) {
			t.Errorf("%d bytes counted", got)
		}
	})
}

// Nothing is lost, doubled or torn if goroutines wake it, post and send at the same time, to a peer that reads slowly.
func TestSourceAmongOthers(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		const each = 2000
		w := &well{at: 30_000}
		_, c, p := fed(t, n, w, &duet.Server{Options: duet.Options{QueueSize: 1 << 30}})
		filler := strings.Repeat("x", 100)
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range each {
				w.fill(fmt.Sprintf("source %d %s\n", i, filler))
				w.feed.Wake()
			}
			w.wakeAll()
		})
		wg.Go(func() {
			for i := range each {
				if err := c.Post(fmt.Appendf(nil, "post %d %s", i, filler)); err != nil {
					t.Errorf("post: %v", err)
					return
				}
			}
		})
		wg.Go(func() {
			for i := range each {
				if err := c.Send(t.Context(), fmt.Appendf(nil, "send %d %s", i, filler)); err != nil {
					t.Errorf("send: %v", err)
					return
				}
			}
		})
		next := map[string]int{}
		r := bufio.NewReaderSize(p, 100)
		for range 3 * each {
			line, err := r.ReadString('\n')
			var from, rest string
			var i int
			if _, serr := fmt.Sscanf(line, "%s %d %s", &from, &i, &rest); err != nil || serr != nil || rest != filler || next[from] != i {
				t.Fatalf("%q, %v; want %d of %s", line, err, next[from], from)
			}
			next[from]++
		}
		wg.Wait()
	})
}

// The bytes that the source has when the handler returns are sent before the farewell and FIN.
func TestSourceBeforeTheEnd(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		w := &well{at: 1 << 16}
		st, _, p := fed(t, n, w, &duet.Server{Options: duet.Options{Farewell: "bye", CloseTimeout: 100 * time.Millisecond}})
		all := strings.Repeat("0123456789abcde\n", 1<<16)
		w.fill(all)
		w.wakeAll()
		go st.Shutdown(context.Background())
		got, err := io.ReadAll(p)
		if want := all + "Bye\n"; err != nil || string(got) != want {
			t.Errorf("%d bytes, %v; want %d", len(got), err, len(want))
		}
		st.wantEnd(t, duet.EndShutdown)
	})
}

// After the answer to the peer's farewell, nothing is taken from the source.
func TestSourceAfterFarewell(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		w := &well{}
		var began atomic.Bool
		st, _, p := fed(t, n, w, &duet.Server{Options: duet.Options{Farewell: "bye", Trace: &duet.Trace{
			HalfClosed: func(*duet.Conn, error) { began.Store(true) },
		}}})
		p.say("bye\n")
		p.want("Bye\n")
		if n.halfCloses {
			waitFor(t, began.Load)
		}
		w.fill("late\n")
		if !w.feed.Wake() {
			t.Error("Wake asks for another call")
		}
		p.wantEOF()
		p.Close()
		st.wantEnd(t, duet.EndFarewell)
		if w.asked != 0 {
			t.Errorf("asked %d times", w.asked)
		}
	})
}

func TestSourceFails(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		w := &well{}
		st, _, _ := fed(t, n, w, &duet.Server{})
		w.fail(fmt.Errorf("7 messages behind: %w", duet.ErrSlowPeer))
		w.feed.Wake()
		e := st.wantEnd(t, duet.EndSlowPeer)
		if e.err == nil || !strings.Contains(e.err.Error(), "7 messages behind") {
			t.Errorf("cause %v", e.err)
		}
	})
}

// A peer that does not read is ended, and never delays the caller of Wake.
func TestSourceSlowPeer(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		w := &well{at: 1 << 16}
		st, _, _ := fed(t, n, w, &duet.Server{Options: duet.Options{SendTimeout: 300 * time.Millisecond}})
		w.fill(strings.Repeat(strings.Repeat("x", 1023)+"\n", 16<<10))
		began := time.Now()
		w.wakeAll()
		if took := time.Since(began); took > patience/2 {
			t.Errorf("Wake took %v", took)
		}
		st.wantEnd(t, duet.EndSlowPeer)
		if !w.feed.Wake() {
			t.Error("Wake asks for another call")
		}
	})
}

// Once Wake has reported busy, everything that the source has is sent without another call.
func TestSourceGoesOn(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		const lines = 16 << 10
		w := &well{at: 1 << 16}
		_, _, p := fed(t, n, w, &duet.Server{})
		w.fill(strings.Repeat(strings.Repeat("x", 1023)+"\n", lines))
		w.wakeAll()
		if _, err := io.CopyN(io.Discard, p, lines<<10); err != nil {
			t.Error(err)
		}
	})
}

// A message that is posted while Wake calls Next does not keep the rest of the source from being sent.
func TestSource_Busy(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		asked, posted := make(chan struct{}, 3), make(chan struct{})
		w := &well{at: len("one\n"), asks: func() {
			asked <- struct{}{}
			<-posted
		}}
		_, c, p := fed(t, n, w, &duet.Server{})
		w.fill("one\ntwo\n")
		busy := make(chan bool, 1)
		go func() { busy <- w.feed.Wake() }()
		<-asked
		if err := c.Post([]byte("posted")); err != nil {
			t.Error(err)
		}
		close(posted)
		if !<-busy {
			t.Error("Wake asks for another call")
		}
		p.want("one\nposted\ntwo\n")
	})
}

// The source's bytes do not break into a transfer.
func TestSource_BehindTransfer(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		w := &well{}
		_, c, p := fed(t, n, w, &duet.Server{})
		tr, err := c.Transfer()
		if err != nil {
			t.Fatal(err)
		}
		w.fill("behind\n")
		if !w.feed.Wake() {
			t.Error("Wake asks for another call")
		}
		sent := make(chan error, 1)
		go func() {
			_, err := tr.SendFrom(t.Context(), strings.NewReader("transfer, "))
			sent <- err
		}()
		p.want("transfer, behind\n")
		if err := <-sent; err != nil {
			t.Error(err)
		}
	})
}

// A conversation has one source. The first one stays.
func TestAttach_Twice(t *testing.T) {
	a, b := two(t, memory, duet.Dialer{})
	w := &well{}
	feed := a.Attach(w)
	func() {
		defer func() { _ = recover() }()
		a.Attach(&well{})
		t.Fatal("a second Attach does not panic")
	}()
	w.fill("one\n")
	feed.Wake()
	wantReceive(t, b, "one")
}

func TestWireEncoding(t *testing.T) {
	tests := []struct {
		framing framing.Framing
		want    string
	}{
		{framing.LF, "<x\n"},
		{framing.CRLF, "<x\r\n"},
		{framing.Length, "<\x00\x00\x00\x01x"},
		{framing.Raw, "<x"},
	}
	for _, tt := range tests {
		a, _ := two(t, memory, duet.Dialer{Options: duet.Options{Framing: tt.framing}})
		if got, err := a.WireEncoding(false).Append([]byte("<"), []byte("x")); err != nil || string(got) != tt.want {
			t.Errorf("%v: %q, %v; want %q", tt.framing, got, err, tt.want)
		}
	}
	a, _ := two(t, memory, duet.Dialer{})
	if _, err := a.WireEncoding(false).Append(nil, []byte("x\ny")); !errors.Is(err, duet.ErrDelimiter) {
		t.Errorf("a delimiter inside: %v", err)
	}
}

// A detachable is a well that counts the calls of Detached.
type detachable struct {
	*well
	detached atomic.Int32
}

func (d *detachable) Detached() { d.detached.Add(1) }

// Detached is called once, at the end of the conversation.
func TestSourceIsDetached(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		d := &detachable{well: &well{}}
		here := make(chan *duet.Conn, 1)
		s := &duet.Server{Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
			c.Attach(d)
			here <- c
			_, err := c.Receive(ctx)
			return err
		})}
		p := start(t, n, s).peer(t)
		c := <-here
		d.fill("one\n")
		if d.detached.Load() != 0 {
			t.Error("is detached while the conversation goes on")
		}
		p.say("x\n")
		p.want("one\n") // what it has is sent first
		p.fin()
		<-c.Done()
		if n := d.detached.Load(); n != 1 {
			t.Errorf("detached %d times", n)
		}
	})
}
