package duet_test

import (
	"context"
	"sync"
	"testing"

	"duet.example/duet"
)

// One who has said the farewell is not told of a failure because another goroutine, which has received the answer, has
// closed the conversation before it looks.
func TestSayBye_ClosedMeanwhile(t *testing.T) {
	for range 500 {
		x, y := connect(t, memory)
		d := duet.Dialer{Farewell: "bye"}
		a, b := d.Conn(x), d.Conn(y)
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
