//go:build unix

package transport

import (
	"errors"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// takeDescriptor duplicates fd if it is the kind of socket that want names.
func takeDescriptor(n *narrator, fd int, want string) (*os.File, error) {
	typ, err := getOption(n, fd, unix.SO_TYPE, "SO_TYPE")
	if err != nil {
		return nil, refuseDescriptor(fd, want, err)
	}
	if typ != unix.SOCK_STREAM {
		return nil, &DescriptorError{FD: fd, Want: want, Got: "a socket of another type"}
	}
	listening, err := getOption(n, fd, unix.SO_ACCEPTCONN, "SO_ACCEPTCONN")
	if err != nil {
		return nil, refuseDescriptor(fd, want, err)
	}
	if want == wantListening && listening == 0 {
		return nil, &DescriptorError{FD: fd, Want: want, Got: "a stream socket that does not listen"}
	}
	if want == wantConnected {
		if listening != 0 {
			return nil, &DescriptorError{FD: fd, Want: want, Got: "a listening one"}
		}
		// The function of x/sys/unix makes another system call, which no Step would show.
		_, err := syscall.Getpeername(fd)
		if n.call("getpeername", fdText(fd), "ok", err) != nil {
			return nil, refuseDescriptor(fd, want, err)
		}
	}
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if n.call("fcntl", fdText(fd)+", F_DUPFD_CLOEXEC, 0", fdText(dup), err) != nil {
		return nil, refuseDescriptor(fd, want, err)
	}
	return os.NewFile(uintptr(dup), "descriptor "+strconv.Itoa(fd)), nil
}

// refuseDescriptor returns the error for a descriptor that cannot be used.
func refuseDescriptor(fd int, want string, err error) error {
	e := &DescriptorError{FD: fd, Want: want, Err: err}
	switch {
	case errors.Is(err, unix.EBADF):
		e.Got = "no open descriptor"
	case errors.Is(err, unix.ENOTSOCK):
		e.Got = "no socket"
	case errors.Is(err, unix.ENOTCONN):
		e.Got = "a stream socket without a peer"
	}
	return e
}

func getOption(n *narrator, fd, opt int, name string) (int, error) {
	v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, opt)
	return v, n.call("getsockopt", fdText(fd)+", "+name, strconv.Itoa(v), err)
}

// onlyV6 reports whether a listening IPv6 socket accepts no IPv4 connections.
func onlyV6(n *narrator, fd int) bool {
	v, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
	return n.call("getsockopt", fdText(fd)+", IPV6_V6ONLY", strconv.Itoa(v), err) == nil && v == 1
}
