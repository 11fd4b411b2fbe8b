package admission_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/admission"
)

// A stage is a server with a gate. The test gets its conversations.
type stage struct {
	*duet.Server
	gate  *admission.Gate
	wg    sync.WaitGroup
	conns chan *duet.Conn
}

func newStage(g *admission.Gate) *stage {
	s := &stage{gate: g, conns: make(chan *duet.Conn)}
	s.Server = &duet.Server{Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
		s.conns <- c
		_, err := c.Receive(ctx)
		return err
	})}
	g.Guard(s.Server)
	return s
}

func (s *stage) enter(peer net.Addr) (*duet.Conn, func()) {
	client := visit(s.Server, &s.wg, peer, nil)
	c := <-s.conns
	return c, func() { client.Close(); synctest.Wait() }
}

func (s *stage) read(t *testing.T, c *duet.Conn, n int, want time.Duration) {
	t.Helper()
	got, err := s.gate.Delay(c, n)
	if err != nil || (got-want).Abs() > time.Millisecond {
		t.Errorf("%d bytes of %v: the delay is %v, %v; want %v", n, c.RemoteAddr(), got, err, want)
	}
}

func tooFast(t *testing.T, s *stage, c *duet.Conn, n int) {
	t.Helper()
	d, err := s.gate.Delay(c, n)
	if d != 0 || !errors.Is(err, admission.ErrTooFast) || duet.ReasonOf(err) != duet.EndRefused {
		t.Errorf("%d bytes of %v: the delay is %v, %v; want ErrTooFast", n, c.RemoteAddr(), d, err)
	}
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(&admission.Gate{Rate: 1000, HostRate: 1_000_000})
		c, leave := s.enter(tcp("192.0.2.1"))
		s.read(t, c, 0, 0)
		s.read(t, c, 2000, 0) // the burst
		s.read(t, c, 1, time.Millisecond)
		s.read(t, c, 499, 500*time.Millisecond)
		time.Sleep(500 * time.Millisecond)
		s.read(t, c, 10_000, 10*time.Second) // five bursts in one read
		tooFast(t, s, c, 1)
		time.Sleep(11 * time.Second)
		s.read(t, c, 1000, 0)
		time.Sleep(time.Hour)
		s.read(t, c, 3000, time.Second) // the bucket holds no more than the burst
		leave()
		s.read(t, c, 1<<20, 0) // ended
		s.wg.Wait()
	})
}

func TestBurst(t *testing.T) {
	for _, tt := range []struct {
		rate, burst, n int
		want           time.Duration
	}{
		{1000, 0, 2500, 500 * time.Millisecond},
		{1000, 5000, 5500, 500 * time.Millisecond},
		{1000, 500, 1000, 500 * time.Millisecond},
		{1000, 1, 600, 500 * time.Millisecond},
		{1, 1, 3, 2 * time.Second},
		{1 << 30, 1, 1 << 30, 900 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(&admission.Gate{Rate: tt.rate, Burst: tt.burst, HostRate: 1 << 30})
			c, leave := s.enter(tcp("192.0.2.1"))
			s.read(t, c, tt.n, tt.want)
			leave()
			s.wg.Wait()
		})
	}
}

// The conversations of a host share its bucket. Other hosts have their own.
func TestRateOfHost(t *testing.T) {
	for _, gate := range []*admission.Gate{
		{Rate: 1000},
		{Rate: 500_000, Burst: 500_000, HostRate: 1000},
		{Rate: 1000, Burst: 500_000, HostBurst: 2000},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(gate)
			one, leave1 := s.enter(tcp("[2001:db8::1]:1"))
			two, leave2 := s.enter(tcp("[2001:db8::2]:2"))
			other, leave3 := s.enter(tcp("[2001:db8:0:1::1]:1"))
			local, leave4 := s.enter(&net.UnixAddr{Name: "@", Net: "unix"})
			s.read(t, one, 2000, 0)
			s.read(t, two, 500, 500*time.Millisecond)
			s.read(t, other, 2000, 0)
			s.read(t, local, 2000, 0)
			// A conversation that is too fast takes no bytes from the others.
			s.read(t, one, 9000, 9500*time.Millisecond)
			tooFast(t, s, one, 1000)
			s.read(t, two, 500, 10*time.Second)
			s.read(t, other, 1000, time.Second)
			checkHeld(t, s.gate, 2, 0, 4, 0)
			for _, leave := range []func(){leave1, leave2, leave3, leave4} {
				leave()
			}
			s.wg.Wait()
		})
	}
}

// A peer that reconnects gets no new burst. A host is removed when its bucket is full.
func TestHostsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(&admission.Gate{Rate: 1000, MaxPerHost: 10})
		c, leave := s.enter(tcp("192.0.2.1"))
		s.read(t, c, 2000, 0)
		leave()
		checkHeld(t, s.gate, 1, 0, 0, 1)
		time.Sleep(time.Second)
		c, leave = s.enter(tcp("192.0.2.1"))
		s.read(t, c, 1500, 500*time.Millisecond)
		leave()
		time.Sleep(1500 * time.Millisecond) // the bucket of the first is full, that of the second is not
		_, leave = s.enter(tcp("192.0.2.2"))
		leave()
		checkHeld(t, s.gate, 1, 0, 0, 1)
		time.Sleep(2 * time.Second)
		_, leave = s.enter(tcp("192.0.2.2"))
		checkHeld(t, s.gate, 1, 0, 1, 0) // the open conversation
		leave()
		checkHeld(t, s.gate, 0, 0, 0, 0) // it has sent nothing
		s.wg.Wait()
	})
}

// The number of hosts without conversations that the gate keeps has a limit.
func TestRememberedHostsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(&admission.Gate{Rate: 1, Burst: 1 << 30})
		for i := range admission.MaxRemembered + 100 {
			c, leave := s.enter(tcp(fmt.Sprintf("10.0.%d.%d", i>>8, i&255)))
			s.read(t, c, 1000, 0)
			leave()
		}
		checkHeld(t, s.gate, admission.MaxRemembered, 0, 0, admission.MaxRemembered)
		s.wg.Wait()
		time.Sleep(10_000 * time.Second)
		_, leave := s.enter(tcp("192.0.2.1"))
		leave()
		s.wg.Wait()
		checkHeld(t, s.gate, 0, 0, 0, 0)
	})
}

func TestDelayOfManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(&admission.Gate{Rate: 1000, Burst: 1 << 30, HostRate: 1000, HostBurst: 1000})
		var readers sync.WaitGroup
		var mu sync.Mutex
		longest := time.Duration(0)
		var leave []func()
		for i := range 10 {
			c, l := s.enter(tcp(fmt.Sprintf("192.0.2.1:%d", i+1)))
			leave = append(leave, l)
			readers.Go(func() {
				for range 100 {
					d, err := s.gate.Delay(c, 10)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					longest = max(longest, d)
					mu.Unlock()
				}
			})
		}
		readers.Wait()
		if want := 9 * time.Second; longest != want { // 10,000 bytes, 1,000 at once
			t.Errorf("the longest delay is %v, want %v", longest, want)
		}
		for _, l := range leave {
			l()
		}
		s.wg.Wait()
	})
}
