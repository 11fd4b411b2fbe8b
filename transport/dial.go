package transport

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Dialer connects to addresses. The zero Dialer is ready to use. Several goroutines may use a Dialer at the same time as
// long as none changes it.
type Dialer struct {
	// Family limits a TCP address to one version of IP. With AnyFamily, Dial tries both and uses the one that answers
	// first (RFC 6555).
	Family Family
	// Timeout limits the whole of Dial, with the lookup of names. Zero: only the context and the system limit it.
	Timeout time.Duration
	// Keepalive and UserTimeout have the meaning that they have in ListenConfig.
	Keepalive   time.Duration
	UserTimeout time.Duration
	// Step, if set, is called for each system call that is made for the connection, except for those that look up names.
	Step StepFunc
	// WatchConnect, if set, returns a context with which package net calls done at the end of each attempt to connect. It
	// is used only if Step is set. Without it, the result of an attempt is reported when Dial ends, and not every result
	// is known if a name has several addresses.
	//
	// The function is not built in because net/http/httptrace links crypto/tls. A program that wants it writes:
	//
	//	func(ctx context.Context, done func(network, address string, err error)) context.Context {
	//		return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{ConnectDone: done})
	//	}
	WatchConnect func(ctx context.Context, done func(network, address string, err error)) context.Context
}

// Dial connects to a. An empty host means this machine. The connection is a *net.TCPConn or a *net.UnixConn. The errors
// are *AddressError, *SchemeError and those of package net: a *net.OpError, in which errors.As and errors.Is find a
// *net.DNSError or a number such as syscall.ECONNREFUSED.
func (d *Dialer) Dial(ctx context.Context, a Address) (net.Conn, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	network, address := a.Network(), a.Path
	if network == "tcp" {
		if a.Port == "0" {
			return nil, &AddressError{a.String(), "nobody can be reached at port 0"}
		}
		host := a.Host
		if host == "" {
			host = "localhost"
		}
		network, address = d.Family.network(), net.JoinHostPort(d.Family.host(host), a.Port)
	}
	t := &dialNarrator{narrator: newNarrator(d.Step)}
	options := newSocketOptions(d.Keepalive, d.UserTimeout)
	nd := net.Dialer{
		Timeout: d.Timeout,
		ControlContext: func(_ context.Context, network, address string, rc syscall.RawConn) error {
			return controlFD(rc, func(fd int) error {
				t.opened(fd, network, address, d.Family)
				if !strings.HasPrefix(network, "tcp") {
					return nil
				}
				return options.set(t.narrator, fd)
			})
		},
	}
	nd.KeepAlive, nd.KeepAliveConfig = options.forNet()
	nd.SetMultipathTCP(false)
	watched := ctx
	if t.narrator != nil && d.WatchConnect != nil {
		watched = d.WatchConnect(ctx, t.attemptEnded)
	}
	c, err := nd.DialContext(watched, network, address)
	if d.WatchConnect == nil {
		t.infer(c, err)
	}
	t.finish(c)
	return c, err
}

// errUnknown is reported for an attempt that did not give the connection, for an unknown reason.
var errUnknown = errors.New("failed, or another address was quicker")

// infer reports how the attempts ended, as far as the result of Dial shows it. An error of package net is the error of the
// first attempt that failed.
func (t *dialNarrator) infer(c net.Conn, err error) {
	if t.narrator == nil {
		return
	}
	t.mu.Lock()
	attempts := slices.Clone(t.attempts)
	t.mu.Unlock()
	var op *net.OpError
	for _, a := range attempts {
		end := errUnknown
		switch {
		case len(attempts) == 1:
			end = err
		case c != nil && c.RemoteAddr().String() == a.address:
			end = nil
		case errors.As(err, &op) && op.Addr != nil && op.Addr.String() == a.address:
			end = err
		}
		t.attemptEnded(a.network, a.address, end)
	}
}

// A dialNarrator reports the steps of a Dial, whose attempts may run at the same time.
type dialNarrator struct {
	narrator  *narrator // nil: no steps are reported
	mu        sync.Mutex
	attempts  []attempt   // guarded by mu; those under way, in the order in which they began
	connected []heldSteps // guarded by mu; reported only for the connection that Dial returns
}

// An attempt is one socket that is being connected.
type attempt struct {
	fd      int
	network string
	address string // the peer's
}

// heldSteps are the steps of an attempt that connected its socket.
type heldSteps struct {
	fd    int
	unix  bool
	steps []Step
}

// opened reports a new socket, with which an attempt begins.
func (t *dialNarrator) opened(fd int, network, address string, f Family) {
	if t.narrator == nil {
		return
	}
	t.mu.Lock()
	t.attempts = append(t.attempts, attempt{fd, network, address})
	t.mu.Unlock()
	t.narrator.report(openedSteps(fd, network, f == IPv6, false)...)
}

// attemptEnded reports that an attempt has ended. err is nil if it connected its socket.
func (t *dialNarrator) attemptEnded(network, address string, err error) {
	t.mu.Lock()
	i := slices.IndexFunc(t.attempts, func(a attempt) bool { return a.address == address })
	if i < 0 {
		t.mu.Unlock()
		return
	}
	fd := t.attempts[i].fd
	t.attempts = slices.Delete(t.attempts, i, i+1)
	t.mu.Unlock()
	connect := fdText(fd) + ", " + address
	getError := fdText(fd) + ", SO_ERROR"
	unix := network == "unix"
	switch {
	case err == nil:
		steps := []Step{newStep("connect", connect, "ok", nil)}
		if !unix {
			steps = append(steps, inferredStep("getsockopt", getError, "0"))
		}
		t.mu.Lock()
		t.connected = append(t.connected, heldSteps{fd, unix, steps})
		t.mu.Unlock()
	case !unix && comesLater(err):
		t.narrator.report(newStep("connect", connect, "", err), inferredStep("getsockopt", getError, cause(err).Error()))
	default:
		t.narrator.report(newStep("connect", connect, "", err))
	}
}

// finish reports the last steps of the connection that Dial returns. They name its addresses.
func (t *dialNarrator) finish(c net.Conn) {
	if t.narrator == nil || c == nil {
		return
	}
	fd, local, remote := socketFD(c), addrText(c.LocalAddr()), addrText(c.RemoteAddr())
	t.mu.Lock()
	connected := t.connected
	t.mu.Unlock()
	for _, h := range connected {
		if h.fd != fd {
			continue
		}
		name := inferredStep("getsockname", fdText(fd), local)
		peer := inferredStep("getpeername", fdText(fd), remote)
		if h.unix {
			t.narrator.report(append(h.steps, name, peer)...)
		} else {
			t.narrator.report(append(h.steps, peer, name, inferredStep("setsockopt", fdText(fd)+", TCP_NODELAY, 1", "ok"))...)
		}
	}
}

// comesLater reports whether a failed connect(2) returned EINPROGRESS first. These errors need an answer of the peer or the
// network, so that a call that does not wait cannot return them.
func comesLater(err error) bool {
	for _, e := range []error{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ETIMEDOUT, syscall.EHOSTUNREACH} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
