package admission

import (
	"cmp"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"duet.example/duet"
)

// maxDelay is the longest time for which a peer that sends too fast is not read. A conversation that needs more is ended.
const maxDelay = 10 * time.Second

// maxSeconds limits the time that a bucket needs to be full, so that a large burst at a low rate fits into a time.Duration.
const maxSeconds = 1e9

// A meter holds the buckets from which the bytes of a conversation are taken.
type meter struct {
	own  *bucket
	host *bucket // shared by the conversations of the host; nil: the peer has no IP address
}

// addMeter makes the meter of a conversation if the gate has a Rate. g.mu is held.
func (g *Gate) addMeter(c *duet.Conn, e endpoint) {
	if g.Rate <= 0 {
		return
	}
	m := &meter{own: newBucket(g.Rate, g.Burst)}
	if e.IsValid() {
		h := g.hosts.get(e.source())
		if h.bucket == nil {
			h.bucket = newBucket(g.hostRate())
		}
		m.host = h.bucket
	}
	if g.meters == nil {
		g.meters = make(map[*duet.Conn]*meter)
	}
	g.meters[c] = m
}

// hostRate returns the limits for all conversations of a host together.
func (g *Gate) hostRate() (perSecond, burst int) {
	if g.HostRate > 0 {
		return g.HostRate, g.HostBurst
	}
	return g.Rate, cmp.Or(g.HostBurst, g.Burst)
}

// Delay is a function for the field Throttle of a duet.Server. The server calls it after it has read n bytes from c. Delay
// returns how long the server must not read from c. TCP makes the peer wait meanwhile.
//
// If that time is more than 10 s, Delay returns a *duet.Error with ErrTooFast, which ends the conversation as refused. The
// bytes then do not count for the host, so that a peer that sends too fast ends no other conversation of its host.
//
// A conversation that has ended, or that the gate's Trace does not know, is not delayed.
func (g *Gate) Delay(c *duet.Conn, n int) (time.Duration, error) {
	if g.Rate <= 0 || n <= 0 {
		return 0, nil
	}
	g.mu.Lock()
	m := g.meters[c]
	g.mu.Unlock()
	if m == nil {
		return 0, nil
	}
	now := time.Now()
	own, ok := m.own.take(now, n)
	if !ok {
		return 0, tooFast(c, "it", m.own)
	}
	host, ok := m.host.take(now, n)
	if !ok {
		return 0, tooFast(c, "its host", m.host)
	}
	return max(own, host), nil
}

// tooFast returns the error that ends c. subject is "it" or "its host", whose bucket is b.
func tooFast(c *duet.Conn, subject string, b *bucket) error {
	addr := ""
	if a := c.RemoteAddr(); a != nil {
		addr = a.String()
	}
	err := fmt.Errorf("%w: %s may send %.0f bytes a second", ErrTooFast, subject, float64(b.tokens.Limit()))
	return &duet.Error{Op: "receive", Addr: addr, Reason: duet.EndRefused, Err: err}
}

// A bucket counts the bytes that may be read now. A nil bucket has no limit.
type bucket struct {
	mu     sync.Mutex // held by take, so that the tokens are still there when it reserves them
	tokens *rate.Limiter
}

// newBucket makes a full bucket. burst is its size. Zero: the bytes of 2 s.
func newBucket(perSecond, burst int) *bucket {
	if burst <= 0 {
		burst = 2 * perSecond
	}
	// A smaller burst would make thousands of reservations for one read.
	burst = max(burst, perSecond/10, 1)
	return &bucket{tokens: rate.NewLimiter(rate.Limit(perSecond), burst)}
}

// take takes n bytes and returns the time until the bucket would have held them. If that is more than maxDelay, it takes
// none and returns false.
func (b *bucket) take(now time.Time, n int) (time.Duration, bool) {
	if b == nil {
		return 0, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seconds(float64(n)-b.tokens.TokensAt(now)) > maxDelay.Seconds() {
		return 0, false
	}
	var d time.Duration
	for n > 0 {
		part := min(n, b.tokens.Burst()) // more cannot be reserved at once
		d = b.tokens.ReserveN(now, part).DelayFrom(now)
		n -= part
	}
	return d, true
}

// seconds returns the time that n bytes need to flow into the bucket.
func (b *bucket) seconds(n float64) float64 { return n / float64(b.tokens.Limit()) }

// fullAt returns the time at which the bucket is full.
func (b *bucket) fullAt(now time.Time) time.Time {
	if b == nil {
		return now
	}
	missing := float64(b.tokens.Burst()) - b.tokens.TokensAt(now)
	s := min(b.seconds(missing), maxSeconds)
	return now.Add(time.Duration(s * float64(time.Second)))
}
