package wire

import (
	"math"
	"time"
)

// A Moment is a time on the clock of one connection: nanoseconds since the connection began, plus one. Zero means none. It is a third of
// the size of a time.Time.
type Moment int64

// Beginning is when the connection began.
const Beginning Moment = 1

// past is a moment that has always passed.
const past Moment = math.MinInt64

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// After returns the moment d later.
func (m Moment) After(d time.Duration) Moment {
	if d > 0 && m > math.MaxInt64-Moment(d) {
		return math.MaxInt64
	}
	return m + Moment(d)
}

// Since returns the time from e to m.
func (m Moment) Since(e Moment) time.Duration { return time.Duration(m - e) }

// Began returns when the connection began.
func (w *Conn) Began() time.Time { return w.began }

// Now returns the present moment.
func (w *Conn) Now() Moment { return Beginning.After(time.Since(w.began)) }

// At returns t as a moment of this connection.
func (w *Conn) At(t time.Time) Moment { return Beginning.After(t.Sub(w.began)) }

// deadline returns m as a deadline for the system. No moment is no deadline.
func (w *Conn) deadline(m Moment) time.Time {
	switch m {
	case 0:
		return time.Time{}
	case past:
		return longAgo
	}
	return w.began.Add(m.Since(Beginning))
}
