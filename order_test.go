package duet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"duet.example/duet"
	"duet.example/duet/framing"
)

// Several goroutines mix Send and Post. The messages of each stay in order, none is lost, none comes twice.
func TestOrder_C6(t *testing.T) {
	const senders, each = 8, 200
	overEach(t, func(t *testing.T, n network) {
		a, b := two(t, n, duet.Dialer{})
		var wg sync.WaitGroup
		for s := range senders {
			wg.Go(func() {
				for i := range each {
					body := fmt.Appendf(nil, "%d %d", s, i)
					var err error
					if (s+i)%3 == 0 {
						err = a.Post(body)
					} else {
						err = a.Send(context.Background(), body)
					}
					if err != nil {
						t.Errorf("sender %d: %v", s, err)
					}
				}
			})
		}
		go func() {
			wg.Wait()
			a.Close()
		}()
		var next [senders]int
		for m, err := range b.Messages(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			var s, i int
			fmt.Sscan(string(m.Body), &s, &i)
			if i != next[s] {
				t.Fatalf("sender %d: message %d came, want %d", s, i, next[s])
			}
			next[s]++
		}
		for s, n := range next {
			if n != each {
				t.Errorf("sender %d: %d messages came, want %d", s, n, each)
			}
		}
	})
}

// Posted messages are sent before Close returns.
func TestClose_FlushesPosted(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		a, b := two(t, n, duet.Dialer{})
		for i := range 1000 {
			a.Post(fmt.Appendf(make([]byte, 0, 1000), "%990d", i))
		}
		closed := make(chan error, 1)
		go func() { closed <- a.Close() }()
		for i := range 1000 {
			wantReceive(t, b, fmt.Sprintf("%990d", i))
		}
		wantEOF(t, b)
		b.Close()
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

// Both sides have more to send than the network holds, and both close without receiving. Neither waits for the
// other to read. The side that has sent everything first closes on more than 1 MiB of unread messages.
func TestClose_C11_MutualFlood(t *testing.T) {
	overEachTimed(t, func(t *testing.T, n network) {
		d := duet.Dialer{Options: duet.Options{QueueSize: 32 << 20}}
		longest := duet.DefaultCloseTimeout
		if !n.inMemory {
			// Nobody reads before Close, and a busy machine may take longer than the default to post the messages. Two
			// sides that wait for each other still end as slow-peer.
			d.SendTimeout, longest = patience, patience
		}
		a, b := two(t, n, d)
		body := make([]byte, 64<<10)
		for range 400 {
			for _, c := range []*duet.Conn{a, b} {
				if err := c.Post(body); err != nil {
					t.Fatal(err)
				}
			}
		}
		var wg sync.WaitGroup
		before := time.Now()
		for _, c := range []*duet.Conn{a, b} {
			wg.Go(func() {
				if err := c.Close(); errors.Is(err, duet.ErrSlowPeer) {
					t.Errorf("Close: %v", err)
				}
				wantReason(t, c, duet.EndClosed)
			})
		}
		wg.Wait()
		if d := time.Since(before); d > longest {
			t.Errorf("took %v, more than %v", d, longest)
		}
	})
}

// A reply reaches a peer whose messages were not all read. A plain close would make the system reset the connection.
func TestClose_C11_NoResetDestroysAReply(t *testing.T) {
	overSockets(t, func(t *testing.T, n network) {
		rounds := 20
		if !n.halfCloses {
			rounds = 5 // each takes the time that a peer is given to say something
		}
		for range rounds {
			x, y := connect(t, n)
			c := new(duet.Dialer).NewConn(x)
			p := newPeer(t, y)
			p.say("first\n")
			p.say(string(bytes.Repeat([]byte("unread\n"), 10_000)))
			wantReceive(t, c, "first")
			reply := bytes.Repeat([]byte("r"), 200<<10)
			c.Post(reply)
			done := make(chan error, 1)
			go func() { done <- c.Close() }()
			if got, err := io.ReadAll(p); err != nil || len(got) != len(reply)+1 {
				t.Errorf("%d bytes of a reply arrived, %v", len(got), err)
			}
			p.Close()
			<-done
		}
	})
}

// A Receive that is cancelled loses nothing, even if bytes arrive at the same moment.
func TestReceive_CancelLosesNothing(t *testing.T) {
	const messages = 2000
	overEach(t, func(t *testing.T, n network) {
		a, b := two(t, n, duet.Dialer{})
		go func() {
			for i := range messages {
				a.Send(context.Background(), fmt.Append(nil, i))
				if i%50 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
			a.Close()
		}()
		cancelled := 0
		for i := 0; ; {
			ctx, cancel := context.WithCancel(context.Background())
			go cancel()
			m, err := b.Receive(ctx)
			cancel()
			switch {
			case err == nil && string(m.Body) == fmt.Sprint(i):
				i++
				continue
			case errors.Is(err, context.Canceled):
				cancelled++
				continue
			case err == io.EOF && i == messages:
			default:
				t.Fatalf("after %d: %q, %v", i, m.Body, err)
			}
			break
		}
		t.Logf("cancelled %d times", cancelled)
		if cancelled == 0 {
			t.Error("nothing was cancelled: this test shows nothing")
		}
	})
}

func TestSetFraming_F17(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		x, y := connect(t, n)
		read := make(chan struct{}, 100)
		d := duet.Dialer{Options: duet.Options{Trace: &duet.Trace{Read: func(*duet.Conn, int, error) { read <- struct{}{} }}}}
		c := d.NewConn(x)
		p := newPeer(t, y)
		p.say("one\ntwo\x00th")
		got := make(chan duet.Message, 10)
		go func() {
			for m := range c.Messages(context.Background()) {
				got <- m
			}
			close(got)
		}()
		if m := <-got; string(m.Body) != "one" {
			t.Fatalf("received %q", m.Body)
		}
		<-read
		c.SetFraming(framing.NUL) // while Receive waits, or is about to
		if m := <-got; string(m.Body) != "two" {
			t.Errorf("received %q, want the bytes that had arrived, in the new framing", m.Body)
		}
		p.say("ree\x00")
		if m := <-got; string(m.Body) != "three" {
			t.Errorf("received %q, want three", m.Body)
		}
		if f, _ := c.Framing(); f != framing.NUL {
			t.Errorf("framing %v", f)
		}
		c.Send(context.Background(), []byte("out"))
		p.want("out\x00")
		p.Close()
		<-got
		c.Close()
	})
}

// However the network cuts the bytes, and whenever Receive is cancelled, the messages are the same.
func TestReceive_F15_AnyChunks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom([]framing.Framing{framing.LF, framing.CRLF, framing.CR, framing.NUL, framing.Length}).Draw(t, "framing")
		bodies := rapid.SliceOfN(rapid.StringMatching(`[a-z你好 ]{0,40}`), 0, 20).Draw(t, "bodies")
		var stream []byte
		_, encoder := f.New(0)
		for _, b := range bodies {
			stream, _ = encoder.WireEncoding(false).Append(stream, []byte(b))
		}
		seed := rapid.Uint64().Draw(t, "cuts")
		x, y := net.Pipe()
		d := duet.Dialer{Options: duet.Options{Framing: f, CloseTimeout: -1}}
		c := d.NewConn(x)
		go func() {
			r := rand.New(rand.NewPCG(seed, 1))
			for rest := stream; len(rest) > 0; {
				n := min(1+r.IntN(9), len(rest))
				y.Write(rest[:n])
				rest = rest[n:]
			}
			y.Close()
		}()
		for i, b := range bodies {
			m, err := c.Receive(context.Background())
			if err != nil || string(m.Body) != b {
				t.Fatalf("message %d: %q, %v; want %q", i, m.Body, err, b)
			}
		}
		if m, err := c.Receive(context.Background()); err != io.EOF {
			t.Fatalf("at the end: %q, %v", m.Body, err)
		}
		c.Close()
	})
}
