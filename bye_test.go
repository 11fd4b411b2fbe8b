package duet_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"duet.example/duet"
)

// One who has said the farewell is not told of a failure because another goroutine, which has received the answer, has
// closed the conversation before it looks.
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
		if err := a.SayBye(); err != nil {
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
