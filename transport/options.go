package transport

import (
	"math"
	"net"
	"time"
)

const defaultKeepalive = 15 * time.Second

// DefaultUserTimeout is the UserTimeout of a ListenConfig and a Dialer where none is given.
const DefaultUserTimeout = 30 * time.Second

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
		o.userTimeout = DefaultUserTimeout
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

// correct sets the keepalive of a connection for which package net could not be told: one that came as a
// descriptor, or was accepted from such. It has the defaults of package net by then.
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
		n.tell(
			done("setsockopt", optionText(fd, "SO_KEEPALIVE", 1), "ok", err),
			done("setsockopt", optionText(fd, "TCP_KEEPIDLE", seconds), "ok", err),
			done("setsockopt", optionText(fd, "TCP_KEEPINTVL", seconds), "ok", err),
		)
	}
	return err
}
