package transport

import (
	"net"
	"strconv"
	"strings"
	"syscall"
)

// openedSteps are the calls that package net has made by the time it shows a new socket.
func openedSteps(fd int, network string, v6only, listening bool) []Step {
	family := "AF_INET"
	switch {
	case strings.HasPrefix(network, "unix"):
		family = "AF_UNIX"
	case strings.HasSuffix(network, "6"):
		family = "AF_INET6"
	}
	steps := []Step{{Call: "socket", Args: family + ", SOCK_STREAM, 0", Result: fdText(fd)}}
	if family == "AF_INET6" {
		value := "0"
		if v6only {
			value = "1"
		}
		steps = append(steps, inferred("setsockopt", fdText(fd)+", IPV6_V6ONLY, "+value, "ok"))
	}
	if listening && netReuses {
		steps = append(steps, inferred("setsockopt", fdText(fd)+", SO_REUSEADDR, 1", "ok"))
	}
	return steps
}

// boundSteps are the calls that package net makes between showing a socket and handing out the listener.
func boundSteps(fd int, at string, l net.Listener, err error) []Step {
	bind := Step{Call: "bind", Args: fdText(fd) + ", " + at, Result: "ok"}
	listen := Step{Call: "listen", Args: fdText(fd) + ", the largest backlog", Result: "ok"}
	if err == nil {
		return []Step{bind, listen, inferred("getsockname", fdText(fd), addrText(l.Addr()))}
	}
	switch failedCall(err) {
	case "bind":
		return []Step{done("bind", bind.Args, "", err)}
	case "listen":
		return []Step{bind, done("listen", listen.Args, "", err)}
	}
	return nil
}

// acceptedSteps are the calls of one Accept.
func acceptedSteps(l rawListener, c net.Conn, err error) []Step {
	on := -1
	if rc, err := l.SyscallConn(); err == nil {
		_ = controlFD(rc, func(fd int) error { on = fd; return nil })
	}
	if err != nil {
		// Where the listener was closed or its deadline came, no call was made.
		if name := failedCall(err); strings.HasPrefix(name, "accept") {
			return []Step{done("accept", fdText(on), "", err)}
		}
		return nil
	}
	fd := connFD(c)
	steps := []Step{
		{Call: "accept", Args: fdText(on), Result: fdText(fd) + ", " + addrText(c.RemoteAddr())},
		inferred("getsockname", fdText(fd), addrText(c.LocalAddr())),
	}
	if _, tcp := c.(*net.TCPConn); tcp {
		steps = append(steps, inferred("setsockopt", fdText(fd)+", TCP_NODELAY, 1", "ok"))
	}
	return steps
}

// connFD is the descriptor of a connection of package net, or -1.
func connFD(c net.Conn) int {
	n := -1
	if sc, ok := c.(syscall.Conn); ok {
		if rc, err := sc.SyscallConn(); err == nil {
			_ = controlFD(rc, func(fd int) error { n = fd; return nil })
		}
	}
	return n
}

func optionText(fd int, name string, value int) string {
	return fdText(fd) + ", " + name + ", " + strconv.Itoa(value)
}
