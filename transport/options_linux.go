package transport

import (
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// forNet returns the keepalive that package net is to set: none. On Linux an accepted socket inherits the options of the
// listening socket. That saves a system call for each option of each accepted socket.
func (o socketOptions) forNet() (time.Duration, net.KeepAliveConfig) {
	return -1, net.KeepAliveConfig{}
}

// set sets the options on a TCP socket, which may be a listening one.
func (o socketOptions) set(n *narrator, fd int) error {
	if o.keepalive > 0 {
		seconds := wholeSeconds(o.keepalive)
		for _, opt := range []struct {
			level, opt, value int
			name              string
		}{
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1, "SO_KEEPALIVE"},
			{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds, "TCP_KEEPIDLE"},
			{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, seconds, "TCP_KEEPINTVL"},
		} {
			if err := setOption(n, fd, opt.level, opt.opt, opt.value, opt.name); err != nil {
				return err
			}
		}
	}
	return o.setUserTimeout(n, fd)
}

func (o socketOptions) setUserTimeout(n *narrator, fd int) error {
	if o.userTimeout <= 0 {
		return nil
	}
	return setOption(n, fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, wholeMilliseconds(o.userTimeout), "TCP_USER_TIMEOUT")
}

func setOption(n *narrator, fd, level, opt, value int, name string) error {
	err := unix.SetsockoptInt(fd, level, opt, value)
	return os.NewSyscallError("setsockopt", n.call("setsockopt", optionText(fd, name, value), "ok", err))
}
