package duet

import (
	"math"
	"time"
)

// A moment is a time in a conversation, in nanoseconds since it began and one, so that zero is none. It takes a third of
// what a time.Time does, which counts where many conversations wait.
type moment int64

const beginning moment = 1

// past is a moment that has passed whenever it is looked at.
const past moment = math.MinInt64

// now is the present moment.
func (c *Conn) now() moment { return beginning.after(time.Since(c.began)) }

// moment is t in this conversation.
func (c *Conn) moment(t time.Time) moment { return beginning.after(t.Sub(c.began)) }

// after is the moment d later.
func (m moment) after(d time.Duration) moment {
	if d > 0 && m > math.MaxInt64-moment(d) {
		return math.MaxInt64
	}
	return m + moment(d)
}

// since is how long before m the moment e was.
func (m moment) since(e moment) time.Duration { return time.Duration(m - e) }

// deadline is m for the system. No moment is no deadline.
func (c *Conn) deadline(m moment) time.Time {
	switch m {
	case 0:
		return time.Time{}
	case past:
		return longAgo
	}
	return c.began.Add(m.since(beginning))
}
