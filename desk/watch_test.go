package desk_test

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
	"duet.example/duet/desk"
)

func TestLateWatcherLearnsWhoIsHere(t *testing.T) {
	d := &desk.Desk{}
	early := watch(t, d)
	for range 2 {
		pair(t, d)
		next(t, early, desk.Arrived)
	}
	late := watch(t, d)
	if a, b := next(t, late, desk.Arrived), next(t, late, desk.Arrived); a.Number != 1 || b.Number != 2 || a.Time.IsZero() {
		t.Errorf("learned of %d and %d", a.Number, b.Number)
	}
	if told := late.Told(); told != 2 {
		t.Errorf("%d events told", told)
	}
}

// flood sends n messages of so many bytes and waits until nothing moves.
func flood(t *testing.T, peer *duet.Conn, n, size int) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range n {
			if peer.Send(context.Background(), fmt.Appendf(nil, "%06d%s", i, strings.Repeat("x", size))) != nil {
				return
			}
		}
	})
	t.Cleanup(wg.Wait)
	synctest.Wait()
}

func TestWatcherThatDoesNotTake(t *testing.T) {
	for _, tt := range []struct{ n, size, most int }{
		{3000, 1000, 257},
		{40, 1 << 19, 10},
	} {
		t.Run(fmt.Sprint(tt.size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &desk.Desk{}
				slow, quick := d.Watch(), d.Watch()
				defer slow.Stop()
				var seen []string
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				wg.Go(func() {
					for {
						e, err := quick.Next(ctx)
						if err != nil {
							return
						}
						if e.Kind == desk.Said {
							seen = append(seen, string(e.Text[:6]))
						}
					}
				})
				peer, served := pair(t, d, func(s *duet.Server) { s.SendTimeout = -1 })
				flood(t, peer, tt.n, tt.size)
				if told := slow.Told(); told > uint64(tt.most) {
					t.Errorf("%d events wait, want %d at most", told, tt.most)
				}
				if got := len(seen); got < 3 {
					t.Errorf("the other watcher got %d", got)
				}
				next(t, slow, desk.Arrived)
				for i := range tt.n {
					if e := next(t, slow, desk.Said); string(e.Text[:6]) != fmt.Sprintf("%06d", i) {
						t.Fatalf("%d: %q", i, e.Text[:6])
					}
				}
				synctest.Wait()
				if len(seen) != tt.n {
					t.Errorf("the other watcher got %d of %d", len(seen), tt.n)
				}
				_ = peer.Close()
				<-served
				cancel()
				wg.Wait()
				quick.Stop()
			})
		})
	}
}

// stuck gives a desk with one watcher whose queue is full, and the peer that has filled it.
func stuck(t *testing.T) (d *desk.Desk, w *desk.Watch, peer *duet.Conn, served <-chan struct{}) {
	t.Helper()
	d = &desk.Desk{}
	w = d.Watch()
	peer, served = pair(t, d, func(s *duet.Server) { s.SendTimeout = -1 })
	flood(t, peer, 2000, 100)
	return d, w, peer, served
}

func TestOperatorDoesNotWaitForOwnScreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, w, peer, served := stuck(t)
		for i := range 100 {
			if err := d.Say(t.Context(), 1, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		if got := receive(t, peer); got != "0" {
			t.Errorf("the peer got %q", got)
		}
		// Even this has a bound, and the context ends the wait.
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		for range 1000 {
			if err := d.Say(ctx, 1, "more"); err != nil {
				t.Fatal(err)
			}
		}
		if time.Since(began) != time.Minute {
			t.Errorf("waited %v", time.Since(began))
		}
		if told := w.Told(); told > 600 {
			t.Errorf("%d events wait", told)
		}
		w.Stop()
		_ = peer.Close()
		<-served
	})
}

func TestStopFreesThePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, w, peer, served := stuck(t)
		w.Stop()
		w.Stop()
		synctest.Wait()
		if _, err := w.Next(t.Context()); !errors.Is(err, desk.ErrStopped) {
			t.Errorf("Next after Stop: %v", err)
		}
		_ = peer.Close()
		<-served
	})
}

func TestDepartureIsToldThoughAllIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk.Desk{}
		w := d.Watch()
		defer w.Stop()
		s := &duet.Server{Handler: d, Options: duet.Options{SendTimeout: -1}}
		peer := serveInMemory(t, s)
		flood(t, peer, 2000, 100)
		_ = s.Close()
		synctest.Wait()
		var last desk.Event
		ended, cancel := context.WithCancel(t.Context())
		cancel() // what is queued comes all the same
		for {
			e, err := w.Next(ended)
			if err != nil {
				break
			}
			last = e
		}
		if last.Kind != desk.Left || last.Reason != duet.EndShutdown {
			t.Errorf("the last event: %+v", last)
		}
	})
}

// A conversation's words are told in the order in which they left, whoever of several operators said them.
func TestOperatorsAreToldInOrder(t *testing.T) {
	d := &desk.Desk{}
	w := watch(t, d)
	peer, _ := pair(t, d)
	next(t, w, desk.Arrived)
	var wg sync.WaitGroup
	for op := range 4 {
		wg.Go(func() {
			for i := range 20 {
				if err := d.Say(context.Background(), 1, fmt.Sprintf("%d:%d", op, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for range 80 {
		if got, told := receive(t, peer), string(next(t, w, desk.Answered).Text); got != told {
			t.Fatalf("the peer got %q, the desk told %q", got, told)
		}
	}
}

// What was queued before the context ended comes before its error, also when both happen while Next begins to wait.
func TestNextGivesWhatIsQueuedFirst(t *testing.T) {
	d := &desk.Desk{}
	w := watch(t, d)
	for range 20_000 {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			d.Notice("the last word")
			cancel()
		}()
		if e, err := w.Next(ctx); err != nil || e.Kind != desk.Notice {
			t.Fatalf("%+v, %v", e, err)
		}
	}
}
