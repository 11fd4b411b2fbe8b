package transport

import (
	"net"
	"strconv"
	"strings"
	"syscall"
)

// openedSteps returns the calls that package net has made before it calls a control function with a new socket.
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
		steps = append(steps, inferredStep("setsockopt", fdText(fd)+", IPV6_V6ONLY, "+value, "ok"))
	}
	if listening && netReuses {
		steps = append(steps, inferredStep("setsockopt", fdText(fd)+", SO_REUSEADDR, 1", "ok"))
	}
	return steps
}

// boundSteps returns the calls that package net makes after the control function and before it returns the listener.
func boundSteps(fd int, at string, l net.Listener, err error) []Step {
	bind := Step{Call: "bind", Args: fdText(fd) + ", " + at, Result: "ok"}
	listen := Step{Call: "listen", Args: fdText(fd) + ", the largest backlog", Result: "ok"}
	if err == nil {
		return []Step{bind, listen, inferredStep("getsockname", fdText(fd), addrText(l.Addr()))}
	}
	switch failedCall(err) {
	case "bind":
		return []Step{newStep("bind", bind.Args, "", err)}
	case "listen":
		return []Step{bind, newStep("listen", listen.Args, "", err)}
	}
	return nil
}

// acceptedSteps returns the calls of one Accept.
func acceptedSteps(l rawListener, c net.Conn, err error, adopted bool) []Step {
	listenFD := socketFD(l)
	if err != nil {
		// No call was made if the listener was closed or its deadline has passed.
		if name := failedCall(err); strings.HasPrefix(name, "accept") {
			return []Step{newStep("accept", fdText(listenFD), "", err)}
		}
		return nil
	}
	fd := socketFD(c)
	steps := []Step{
		{Call: "accept", Args: fdText(listenFD), Result: fdText(fd) + ", " + addrText(c.RemoteAddr())},
		inferredStep("getsockname", fdText(fd), addrText(c.LocalAddr())),
	}
	if _, tcp := c.(*net.TCPConn); tcp {
		steps = append(steps, inferredStep("setsockopt", fdText(fd)+", TCP_NODELAY, 1", "ok"))
		if adopted {
			steps = append(steps, netKeepaliveSteps(fd)...)
		}
	}
	return steps
}

// adoptedSteps returns the calls with which package net duplicates the descriptor from as fd and takes it over.
func adoptedSteps(from, fd int, local, remote net.Addr, tcp bool) []Step {
	peer := inferredStep("getpeername", fdText(fd), addrText(remote))
	if remote == nil {
		peer.Result, peer.Err = "", syscall.ENOTCONN
	}
	steps := []Step{
		inferredStep("fcntl", fdText(from)+", F_DUPFD_CLOEXEC, 0", fdText(fd)),
		inferredStep("getsockopt", fdText(fd)+", SO_TYPE", "SOCK_STREAM"),
		inferredStep("getsockname", fdText(fd), addrText(local)),
		peer,
	}
	if tcp {
		steps = append(steps, inferredStep("setsockopt", fdText(fd)+", TCP_NODELAY, 1", "ok"))
		steps = append(steps, netKeepaliveSteps(fd)...)
	}
	return steps
}

// netKeepaliveSteps returns the calls that set the defaults of package net, which it sets on an adopted socket.
func netKeepaliveSteps(fd int) []Step {
	return []Step{
		inferredStep("setsockopt", optionText(fd, "SO_KEEPALIVE", 1), "ok"),
		inferredStep("setsockopt", optionText(fd, "TCP_KEEPIDLE", 15), "ok"),
		inferredStep("setsockopt", optionText(fd, "TCP_KEEPINTVL", 15), "ok"),
		inferredStep("setsockopt", optionText(fd, "TCP_KEEPCNT", 9), "ok"),
	}
}

// socketFD returns the descriptor of a listener or connection of package net, or -1.
func socketFD(s any) int {
	n := -1
	if sc, ok := s.(syscall.Conn); ok {
		if rc, err := sc.SyscallConn(); err == nil {
			_ = controlFD(rc, func(fd int) error { n = fd; return nil })
		}
	}
	return n
}

func optionText(fd int, name string, value int) string {
	return fdText(fd) + ", " + name + ", " + strconv.Itoa(value)
}
