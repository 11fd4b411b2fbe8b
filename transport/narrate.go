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
func acceptedSteps(l rawListener, c net.Conn, err error, adopted bool) []Step {
	on := socketFD(l)
	if err != nil {
		// Where the listener was closed or its deadline came, no call was made.
		if name := failedCall(err); strings.HasPrefix(name, "accept") {
			return []Step{done("accept", fdText(on), "", err)}
		}
		return nil
	}
	fd := socketFD(c)
	steps := []Step{
		{Call: "accept", Args: fdText(on), Result: fdText(fd) + ", " + addrText(c.RemoteAddr())},
		inferred("getsockname", fdText(fd), addrText(c.LocalAddr())),
	}
	if _, tcp := c.(*net.TCPConn); tcp {
		steps = append(steps, inferred("setsockopt", fdText(fd)+", TCP_NODELAY, 1", "ok"))
		if adopted {
			steps = append(steps, netKeepaliveSteps(fd)...)
		}
	}
	return steps
}

// adoptedSteps are the calls with which package net takes over the descriptor from as fd.
func adoptedSteps(from, fd int, local, remote net.Addr, tcp bool) []Step {
	peer := inferred("getpeername", fdText(fd), addrText(remote))
	if remote == nil {
		peer.Result, peer.Err = "", syscall.ENOTCONN
	}
	steps := []Step{
		inferred("fcntl", fdText(from)+", F_DUPFD_CLOEXEC, 0", fdText(fd)),
		inferred("getsockopt", fdText(fd)+", SO_TYPE", "SOCK_STREAM"),
		inferred("getsockname", fdText(fd), addrText(local)),
		peer,
	}
	if tcp {
		steps = append(steps, inferred("setsockopt", fdText(fd)+", TCP_NODELAY, 1", "ok"))
		steps = append(steps, netKeepaliveSteps(fd)...)
	}
	return steps
}

// netKeepaliveSteps are the defaults of package net, where it could not be told otherwise.
func netKeepaliveSteps(fd int) []Step {
	return []Step{
		inferred("setsockopt", optionText(fd, "SO_KEEPALIVE", 1), "ok"),
		inferred("setsockopt", optionText(fd, "TCP_KEEPIDLE", 15), "ok"),
		inferred("setsockopt", optionText(fd, "TCP_KEEPINTVL", 15), "ok"),
		inferred("setsockopt", optionText(fd, "TCP_KEEPCNT", 9), "ok"),
	}
}

// socketFD is the descriptor of a listener or connection of package net, or -1.
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
