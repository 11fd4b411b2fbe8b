//go:build !linux

package transport

import (
	"net"
	"time"
)

// forNet returns the keepalive that package net is to set on each connection.
func (o socketOptions) forNet() (time.Duration, net.KeepAliveConfig) {
	if o.keepalive <= 0 {
		return -1, net.KeepAliveConfig{}
	}
	d := time.Duration(wholeSeconds(o.keepalive)) * time.Second
	return 0, net.KeepAliveConfig{Enable: true, Idle: d, Interval: d}
}

// set does nothing. Here package net sets the keepalive of each connection, and no portable option equals
// TCP_USER_TIMEOUT.
func (o socketOptions) set(*narrator, int) error { return nil }

func (o socketOptions) setUserTimeout(*narrator, int) error { return nil }
