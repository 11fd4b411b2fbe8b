package ring_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet/internal/ring"
)

// A crowd is a ring with patience, most of whose readers keep up.
type crowd struct {
	r    *ring.Ring
	all  []*listener
	slow *listener
	said int
}

const crowdPatience = 5 * time.Second

func newCrowd() *crowd {
	c := &crowd{r: ring.New(ring.Options{Limit: limit, Patience: crowdPatience})}
	for range 4 {
		c.all = append(c.all, join(c.r, 0, ""))
	}
	c.slow = c.all[0]
	c.slow.setDeaf(true)
	return c
}

// flood appends twice as much as a reader may be behind, and gives how long that took.
func (c *crowd) flood(t *testing.T) time.Duration {
	t.Helper()
	start := time.Now()
	for range 2 * limit / wide {
		if err := c.r.Append(context.Background(), 9, []byte(body(c.said))); err != nil {
			t.Fatal(err)
		}
		c.said++
	}
	return time.Since(start)
}

// has wants the flood to have taken so long, and 100 ms more at most.
func has(t *testing.T, took, want time.Duration) {
	t.Helper()
	if took < want || took > want+100*time.Millisecond {
		t.Errorf("Append waited for %v, want %v", took, want)
	}
}

func TestPatienceWithOneThatStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd()
		has(t, c.flood(t), 2*time.Second)
		has(t, c.flood(t), 0)
		if _, _, err := c.slow.rd.Next(); !errors.Is(err, ring.ErrLapped) {
			t.Errorf("after the flood: %v", err)
		}
		leaveAll(c.all)
	})
}

// One that reads again in time loses nothing, as often as it likes.
func TestPatienceWithOneThatLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd()
		for range 5 {
			go func() {
				time.Sleep(time.Second)
				c.slow.setDeaf(false)
				c.slow.drain()
			}()
			has(t, c.flood(t), time.Second)
			synctest.Wait()
			c.slow.setDeaf(true)
			time.Sleep(20 * time.Second) // what it used up comes back
		}
		c.slow.drain()
		if c.slow.err != nil || c.slow.got() != lineUp(0, c.said) {
			t.Errorf("%v after %d bytes", c.slow.err, len(c.slow.got()))
		}
		leaveAll(c.all)
	})
}

// One that always takes a little ends, at last.
func TestPatienceHasAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd()
		stop := make(chan struct{})
		go func() {
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					_ = c.slow.rd.Tell([]byte("x")) // it takes this, and is no nearer
					_, _, _ = c.slow.rd.Next()
				case <-stop:
					return
				}
			}
		}()
		took := c.flood(t)
		close(stop)
		// While it waits, a tenth comes back.
		has(t, took, crowdPatience*10/9-50*time.Millisecond)
		c.slow.drain()
		if !errors.Is(c.slow.err, ring.ErrLapped) {
			t.Errorf("after the flood: %v", c.slow.err)
		}
		leaveAll(c.all)
	})
}
