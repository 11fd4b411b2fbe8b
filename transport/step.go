package transport

import (
	"errors"
	"net"
	"os"
	"strconv"
	"sync"
)

// Step is one system call made for a socket, for people who learn sockets. It is told when its result
// is known: connect when the connection stands or has failed.
type Step struct {
	// Call is the call's name: "socket", "setsockopt", "bind", "listen", "accept" (accept4 on Linux), "connect", "getsockname",
	// "getpeername", "getsockopt", "close" (of a listener); for unix sockets and descriptors also "fchmod", "unlink" and "fcntl".
	Call string
	// Args are its arguments for a person: "AF_INET6, SOCK_STREAM, 0".
	Args string
	// Result is what came of it: "fd 7", "ok", "127.0.0.1:53122". Empty where Err is set.
	Result string
	// Err is why the call failed.
	Err error
	// Inferred marks a call that was neither made nor seen here, but is known to be made by
	// package net on Linux.
	Inferred bool
}

// StepFunc is told of each Step. It is never called twice at once for one listener or one Dial; it must
// not block, since the socket waits for it.
type StepFunc func(Step)

// narrator tells steps, one at a time. A nil narrator tells nothing.
type narrator struct {
	mu sync.Mutex // held while f runs, and over steps that belong together
	f  StepFunc
}

func newNarrator(f StepFunc) *narrator {
	if f == nil {
		return nil
	}
	return &narrator{f: f}
}

// tell tells steps that were made one after the other.
func (n *narrator) tell(steps ...Step) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range steps {
		n.f(s)
	}
}

// call tells a call of ours and gives its error back.
func (n *narrator) call(call, args, result string, err error) error {
	if n != nil {
		n.tell(done(call, args, result, err))
	}
	return err
}

func done(call, args, result string, err error) Step {
	if err != nil {
		return Step{Call: call, Args: args, Err: cause(err)}
	}
	return Step{Call: call, Args: args, Result: result}
}

func inferred(call, args, result string) Step {
	return Step{Call: call, Args: args, Result: result, Inferred: true}
}

// cause takes off what package net and os wrap around the system's own words.
func cause(err error) error {
	var op *net.OpError
	for errors.As(err, &op) {
		err = op.Err
	}
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		return sys.Err
	}
	return err
}

// failedCall is the name of the system call that made err, or "".
func failedCall(err error) string {
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		return sys.Syscall
	}
	return ""
}

func fdText(fd int) string { return "fd " + strconv.Itoa(fd) }

// addrText is an address of package net as [Address.String] would write it.
func addrText(a net.Addr) string {
	if a == nil {
		return "none"
	}
	if a.Network() == "unix" && a.String() == "" {
		return "unnamed"
	}
	return a.String()
}
