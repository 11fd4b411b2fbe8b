package admission

import (
	"cmp"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"duet.example/duet"
)

// maxDelay is how long a peer that sends too fast is held back; one that would have to be held back longer is ended.
const maxDelay = 10 * time.Second

// maxSeconds keeps what a huge burst of a tiny rate would take within a time.Duration.
const maxSeconds = 1e9

// A talker is what a gate keeps of a conversation while there is a Rate.
type talker struct{ own, host *bucket }

// meet gives a conversation its bucket, and its host's. g.mu is held.
func (g *Gate) meet(c *duet.Conn, e endpoint) {
	if g.Rate <= 0 {
		return
	}
	t := &talker{own: newBucket(g.Rate, g.Burst)}
	if e.IsValid() {
		h := g.hosts.of(e.source())
		if h.bucket == nil {
			h.bucket = newBucket(g.hostRate())
		}
		t.host = h.bucket
	}
	if g.talking == nil {
		g.talking = make(map[*duet.Conn]*talker)
	}
	g.talking[c] = t
}

func (g *Gate) hostRate() (perSecond, burst int) {
	if g.HostRate > 0 {
		return g.HostRate, g.HostBurst
	}
	return g.Rate, cmp.Or(g.HostBurst, g.Burst)
}

// Delay is told that n bytes were read from c just now, and says how long nothing more is to be read from it: the peer's
// own sending then waits, as TCP has it. Where that would be more than ten seconds the error is a *duet.Error
// with ErrTooFast that ends the conversation as refused; the bytes then count as not read for its host, so
// that one who sends too fast ends no other. A conversation that has ended, or that the
// gate's Trace was not told of, is not held back.
func (g *Gate) Delay(c *duet.Conn, n int) (time.Duration, error) {
	if g.Rate <= 0 || n <= 0 {
		return 0, nil
	}
	g.mu.Lock()
	t := g.talking[c]
	g.mu.Unlock()
	if t == nil {
		return 0, nil
	}
	now := time.Now()
	own, ok := t.own.take(now, n)
	if !ok {
		return 0, tooFast(c, "it", t.own)
	}
	host, ok := t.host.take(now, n)
	if !ok {
		return 0, tooFast(c, "its host", t.host)
	}
	return max(own, host), nil
}

func tooFast(c *duet.Conn, who string, b *bucket) error {
	addr := ""
	if a := c.RemoteAddr(); a != nil {
		addr = a.String()
	}
	err := fmt.Errorf("%w: %s may send %.0f bytes a second", ErrTooFast, who, float64(b.tokens.Limit()))
	return &duet.Error{Op: "receive", Addr: addr, Reason: duet.EndRefused, Err: err}
}

// A bucket holds the bytes that may be read now. A nil bucket has no limit.
type bucket struct {
	mu     sync.Mutex // held from looking to taking
	tokens *rate.Limiter
}

func newBucket(perSecond, burst int) *bucket {
	if burst <= 0 {
		burst = 2 * perSecond
	}
	// Below a tenth of a second's worth, one read would be thousands of reservations.
	burst = max(burst, perSecond/10, 1)
	return &bucket{tokens: rate.NewLimiter(rate.Limit(perSecond), burst)}
}

// take takes n bytes, and says how long until they would have been there; false, and none are taken,
// where that is more than maxDelay.
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

// seconds is how long it takes until so many bytes have come into the bucket.
func (b *bucket) seconds(n float64) float64 { return n / float64(b.tokens.Limit()) }

// fullAt is when nothing of what was taken is missing any more.
func (b *bucket) fullAt(now time.Time) time.Time {
	if b == nil {
		return now
	}
	missing := float64(b.tokens.Burst()) - b.tokens.TokensAt(now)
	s := min(b.seconds(missing), maxSeconds)
	return now.Add(time.Duration(s * float64(time.Second)))
}
