package duet_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
)

// SayBye does not fail if another goroutine has received the answer and has closed the conversation before SayBye returns.
func TestSayBye_ClosedMeanwhile(t *testing.T) {
	for range 500 {
		x, y := connect(t, memory)
		d := duet.Dialer{Options: duet.Options{Farewell: "bye"}}
		a, b := d.NewConn(x), d.NewConn(y)
		var wg sync.WaitGroup
		for _, c := range []*duet.Conn{a, b} {
			wg.Go(func() {
				for _, err := range c.Messages(context.Background()) {
					if err != nil {
						t.Errorf("receive: %v", err)
					}
				}
				c.Close()
			})
		}
		if err := a.SayBye(t.Context()); err != nil {
			t.Fatalf("SayBye: %v", err)
		}
		wg.Wait()
	}
}

// A message that is longer than any form of the farewell is no farewell. Its length does not matter to the time that this takes.
func TestIsFarewell_WorkIsBounded(t *testing.T) {
	fastest := func(body []byte) time.Duration {
		best := time.Hour
		for range 20 {
			began := time.Now()
			for range 100 {
				if duet.IsFarewell(body, "bye") {
					t.Fatal("a long message is a farewell")
				}
			}
			best = min(best, time.Since(began))
		}
		return best
	}
	// A comparison of the whole message would take 1,024 times as long for the long one.
	short, long := fastest([]byte(strings.Repeat("é", 1<<9))), fastest([]byte(strings.Repeat("é", 1<<19)))
	if long > 50*max(short, time.Microsecond) {
		t.Errorf("1 MiB takes %v, 1 KiB takes %v", long, short)
	}
}

// If its context ends first, SayBye or CloseWrite returns the context's error, and what it has queued still leaves.
func TestSayBye_ContextEnds(t *testing.T) {
	for name, test := range map[string]struct {
		finish func(*duet.Conn, context.Context) error
		last   string
	}{
		"SayBye":     {(*duet.Conn).SayBye, "bye\n"},
		"CloseWrite": {(*duet.Conn).CloseWrite, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, y := duettest.Pipe()
				d := duet.Dialer{Options: duet.Options{Farewell: "bye"}}
				c, p := d.NewConn(x), newPeer(t, y)
				tr, err := c.Transfer() // holds up the rest of the queue
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				failed := make(chan error, 1)
				go func() { failed <- test.finish(c, ctx) }()
				synctest.Wait()
				if len(failed) > 0 {
					t.Fatalf("it has not waited: %v", <-failed)
				}
				cancel()
				wantErr(t, name, <-failed, context.Canceled)
				wantErr(t, "Send", c.Send(t.Context(), []byte("more")), duet.ErrClosed)
				if _, err := tr.SendFrom(t.Context(), strings.NewReader("bytes, ")); err != nil {
					t.Error(err)
				}
				p.want("bytes, " + test.last)
				p.wantEOF()
				p.Close()
				c.Close()
			})
		})
	}
}

// A context that has ended before the call is the same. If nothing is left to be sent, there is no error.
func TestSayBye_ContextHadEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a, b := two(t, memory, duet.Dialer{Options: duet.Options{Farewell: "bye"}})
	if err := a.SayBye(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	wantEOF(t, b)
	wantReason(t, b, duet.EndFarewell)
}

// SayBye goes on waiting if the conversation's own context ends. With a context derived from it, the error is that of the end.
func TestSayBye_OwnContext(t *testing.T) {
	for _, derived := range []bool{false, true} {
		t.Run(fmt.Sprint("derived ", derived), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, y := duettest.Pipe()
				d := duet.Dialer{Options: duet.Options{Farewell: "bye"}}
				c, p := d.NewConn(x), newPeer(t, y)
				if _, err := c.Transfer(); err != nil { // holds up the farewell until Close
					t.Fatal(err)
				}
				ctx := c.Context()
				if derived {
					var cancel context.CancelFunc
					ctx, cancel = context.WithCancel(ctx)
					defer cancel()
				}
				said := make(chan error, 1)
				go func() { said <- c.SayBye(ctx) }()
				synctest.Wait()
				c.Kick("")
				synctest.Wait()
				if derived {
					wantErr(t, "SayBye", <-said, duet.ErrKicked)
				} else if len(said) > 0 {
					t.Fatalf("SayBye has not waited: %v", <-said)
				}
				go c.Close()
				p.want("bye\n")
				if !derived {
					if err := <-said; err != nil {
						t.Errorf("SayBye: %v", err)
					}
				}
				p.Close()
				<-c.Done()
			})
		})
	}
}
