package transport

import (
	"math"
	"time"
)

const (
	defaultKeepalive   = 15 * time.Second
	defaultUserTimeout = 30 * time.Second
)

// socketOptions is how dead peers are noticed; not above zero is off.
type socketOptions struct {
	keepalive, userTimeout time.Duration
}

func newSocketOptions(keepalive, userTimeout time.Duration) socketOptions {
	o := socketOptions{keepalive, userTimeout}
	if o.keepalive == 0 {
		o.keepalive = defaultKeepalive
	}
	if o.userTimeout == 0 {
		o.userTimeout = defaultUserTimeout
	}
	return o
}

// wholeSeconds rounds up, into the range of TCP_KEEPIDLE (tcp(7)).
func wholeSeconds(d time.Duration) int {
	const most = 32767
	if d > most*time.Second {
		return most
	}
	return int((d + time.Second - 1) / time.Second)
}

func wholeMilliseconds(d time.Duration) int {
	ms := (d + time.Millisecond - 1) / time.Millisecond
	return int(min(ms, math.MaxInt32))
}
