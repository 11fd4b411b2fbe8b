package transport

import (
	"math"
	"net"
	"time"
)

const defaultKeepalive = 15 * time.Second

// DefaultUserTimeout is the UserTimeout of a [ListenConfig] and a [Dialer] in which it is zero.
const DefaultUserTimeout = 30 * time.Second

// socketOptions are the times after which the system notices a dead peer. A time that is not above zero is switched off.
type socketOptions struct {
	keepalive, userTimeout time.Duration
}

func newSocketOptions(keepalive, userTimeout time.Duration) socketOptions {
	o := socketOptions{keepalive, userTimeout}
	if o.keepalive == 0 {
		o.keepalive = defaultKeepalive
	}
	if o.userTimeout == 0 {
		o.userTimeout = DefaultUserTimeout
	}
	return o
}

// wholeSeconds rounds d up to seconds, at most the highest value of TCP_KEEPIDLE (tcp(7)).
func wholeSeconds(d time.Duration) int {
	const highest = 32767
	if d > highest*time.Second {
		return highest
	}
	return int((d + time.Second - 1) / time.Second)
}

// wholeMilliseconds rounds d up to milliseconds, at most the highest value of an int32.
func wholeMilliseconds(d time.Duration) int {
	ms := (d + time.Millisecond - 1) / time.Millisecond
	return int(min(ms, math.MaxInt32))
}

// correct sets the keepalive of a connection on which package net has set its own defaults. It does that on a connection
// that was passed as a descriptor or accepted from a listener that was.
func (o socketOptions) correct(n *narrator, c *net.TCPConn) error {
	if o.keepalive == defaultKeepalive {
		return nil
	}
	fd := socketFD(c)
	if o.keepalive < 0 {
		err := c.SetKeepAlive(false)
		return n.call("setsockopt", optionText(fd, "SO_KEEPALIVE", 0), "ok", err)
	}
	seconds := wholeSeconds(o.keepalive)
	d := time.Duration(seconds) * time.Second
	err := c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: d, Interval: d, Count: -1})
	if n != nil {
		n.report(
			newStep("setsockopt", optionText(fd, "SO_KEEPALIVE", 1), "ok", err),
			newStep("setsockopt", optionText(fd, "TCP_KEEPIDLE", seconds), "ok", err),
			newStep("setsockopt", optionText(fd, "TCP_KEEPINTVL", seconds), "ok", err),
		)
	}
	return err
}
