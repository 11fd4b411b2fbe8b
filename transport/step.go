package transport

import (
	"errors"
	"net"
	"os"
	"strconv"
	"sync"
)

// Step is one system call for a socket, described for people who learn sockets. It is reported when its result is known.
// A connect is reported when the socket is connected or the attempt has failed.
type Step struct {
	// Call is the call's name: "socket", "setsockopt", "bind", "listen", "accept" (accept4 on Linux), "connect",
	// "getsockname", "getpeername", "getsockopt", or "close" (of a listener). For unix sockets and descriptors it may also
	// be "fchmod", "unlink" or "fcntl".
	Call string
	// Args are the call's arguments as a text for people: "AF_INET6, SOCK_STREAM, 0".
	Args string
	// Result is the call's result: "fd 7", "ok", "127.0.0.1:53122". It is empty if Err is set.
	Result string
	// Err is the call's error.
	Err error
	// Inferred is true if package transport has not made or seen the call. Package net is known to make it on Linux.
	Inferred bool
}

// StepFunc is called for each [Step]. For one listener or one Dial there is one call at a time. It must not block, because
// the socket waits for it.
type StepFunc func(Step)

// A narrator reports steps, one at a time. A nil narrator reports nothing.
type narrator struct {
	mu sync.Mutex // held while f runs, also for all steps of one call of report
	f  StepFunc
}

func newNarrator(f StepFunc) *narrator {
	if f == nil {
		return nil
	}
	return &narrator{f: f}
}

// report reports steps without others between them.
func (n *narrator) report(steps ...Step) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range steps {
		n.f(s)
	}
}

// call reports a system call that this package has made, and returns its error.
func (n *narrator) call(call, args, result string, err error) error {
	if n != nil {
		n.report(newStep(call, args, result, err))
	}
	return err
}

// newStep returns the Step for a call that this package has made or seen.
func newStep(call, args, result string, err error) Step {
	if err != nil {
		return Step{Call: call, Args: args, Err: cause(err)}
	}
	return Step{Call: call, Args: args, Result: result}
}

// inferredStep returns the Step for a call that package net makes.
func inferredStep(call, args, result string) Step {
	return Step{Call: call, Args: args, Result: result, Inferred: true}
}

// cause returns the system's own error, without the errors that packages net and os wrap around it.
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

// failedCall returns the name of the system call that returned err, or "".
func failedCall(err error) string {
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		return sys.Syscall
	}
	return ""
}

func fdText(fd int) string { return "fd " + strconv.Itoa(fd) }

// addrText returns the text of an address in a Step.
func addrText(a net.Addr) string {
	if a == nil {
		return "none"
	}
	if a.Network() == "unix" && a.String() == "" {
		return "unnamed"
	}
	return a.String()
}
