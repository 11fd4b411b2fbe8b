package duet_test

import (
	"bufio"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"duet.example/duet"
)

// 200 conversations of 200 messages each, beside a peer that never reads, one
// that resets and one that sends a byte a second, are complete and in order. [C-13]
func TestIsolation_C13(t *testing.T) {
	const peers, messages = 200, 200
	overEachTimed(t, func(t *testing.T, n network) {
		var mu sync.Mutex
		ends := map[uint64]duet.EndReason{}
		st := start(t, n, &duet.Server{
			Options: duet.Options{
				SendTimeout:  2 * time.Second,
				CloseTimeout: 200 * time.Millisecond,
				Trace: &duet.Trace{ConnEnd: func(c *duet.Conn, r duet.EndReason, _ error) {
					mu.Lock()
					defer mu.Unlock()
					ends[c.ID()] = r
				}},
			},
			Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
				for m, err := range c.Messages(ctx) {
					if err != nil {
						return err
					}
					if string(m.Body) == "flood" {
						for err == nil {
							err = c.Send(ctx, make([]byte, 1<<20))
						}
						return err
					}
					if err := c.Send(ctx, m.Body); err != nil {
						return err
					}
				}
				return nil
			}),
		})
		never := st.peer(t) // number 1
		never.say("flood\n")
		resets := st.peer(t)
		resets.say("x\ny")
		drips := st.peer(t)
		stop := make(chan struct{})
		var dripping sync.WaitGroup
		dripping.Go(func() {
			for {
				drips.Write([]byte("z"))
				select {
				case <-stop:
					return
				case <-time.After(time.Second):
				}
			}
		})
		resets.reset()
		var wg sync.WaitGroup
		for i := range peers {
			p := st.peer(t)
			wg.Go(func() {
				r := bufio.NewReader(p)
				for k := range messages {
					said := fmt.Sprintf("peer %d message %d\n", i, k)
					_ = p.SetDeadline(time.Now().Add(patience)) // for this message, not for all of them
					if _, err := p.Write([]byte(said)); err != nil {
						t.Errorf("peer %d: %v", i, err)
						return
					}
					if got, err := r.ReadString('\n'); got != said {
						t.Errorf("peer %d got %q, %v; want %q", i, got, err, said)
						return
					}
				}
				p.Close()
			})
		}
		wg.Wait()
		close(stop)
		dripping.Wait()
		drips.Close()
		waitFor(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(ends) == peers+3 })
		if ends[1] != duet.EndSlowPeer {
			t.Errorf("the peer that never reads ended as %v", ends[1])
		}
	})
}
