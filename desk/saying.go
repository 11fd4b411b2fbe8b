package desk

import (
	"sync"
	"time"
)

// sayingPause is the time between two Saying of one conversation: four in a second. Each repeats the whole line.
const sayingPause = 250 * time.Millisecond

// unfinished is the message that a peer has begun. It is nil in a seat until the peer has begun one.
type unfinished struct {
	mu    sync.Mutex
	told  time.Time   // when a Saying was told last
	body  []byte      // the newest that was not told; nil: none
	timer *time.Timer // tells body later; nil: there is none to tell
}

// saying tells what the peer has begun to say: now, or together with what follows, sayingPause after the last Saying.
// It waits for nobody.
func (d *Desk) saying(s *seat, body []byte) {
	u := s.unfinished.Load()
	if u == nil {
		s.unfinished.CompareAndSwap(nil, new(unfinished))
		u = s.unfinished.Load()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.body = body
	if u.timer != nil {
		return
	}
	if wait := sayingPause - time.Since(u.told); wait > 0 {
		u.timer = time.AfterFunc(wait, func() { d.sayingDue(s, u) })
		return
	}
	d.tellSaying(s, u)
}

// sayingDue is the end of the pause.
func (d *Desk) sayingDue(s *seat, u *unfinished) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.timer != nil { // finished has not stopped it
		u.timer = nil
		d.tellSaying(s, u)
	}
}

// tellSaying tells u.body. u.mu is held, so that no later message overtakes it.
func (d *Desk) tellSaying(s *seat, u *unfinished) {
	d.mu.Lock()
	e := s.event(Saying)
	e.Body, e.Text = u.body, s.encoding.Decode(u.body)
	d.mu.Unlock()
	u.body, u.told = nil, e.Time
	d.tell(s.ctx, s, d.watching(), e)
}

// finished forgets what the peer has begun to say: the whole message follows, or nothing more. In that case, last, it is
// told first if it was not.
func (d *Desk) finished(s *seat, last bool) {
	u := s.unfinished.Load()
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.timer != nil {
		u.timer.Stop()
		u.timer = nil
	}
	if last && u.body != nil {
		d.tellSaying(s, u)
	}
	u.body = nil
}
