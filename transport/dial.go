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

// Dialer connects. The zero Dialer works. It may be used by several goroutines at once as long as
// nobody changes it.
type Dialer struct {
	// Family restricts a TCP address to one version of IP; AnyFamily takes both, whichever answers first (RFC 6555).
	Family Family
	// Timeout bounds a Dial as a whole, names included; 0 means no bound but the context's and the system's.
	Timeout time.Duration
	// Keepalive and UserTimeout are as in ListenConfig.
	Keepalive   time.Duration
	UserTimeout time.Duration
	// Step, if set, is told of each system call made for the connection. Looking up names is not told.
	Step StepFunc
	// WatchConnect, if set with Step, has package net call done at the end of each attempt to connect. Where a name has several addresses, only
	// this tells Step why each attempt failed, and when. It is for net/http/httptrace, which links crypto/tls and so is
	// left to programs that want it:
	//
	//	func(ctx context.Context, done func(network, address string, err error)) context.Context {
	//		return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{ConnectDone: done})
	//	}
	//
	// nil: what can be known of an attempt is told when Dial has come to its end.
	WatchConnect func(ctx context.Context, done func(network, address string, err error)) context.Context
}

// Dial connects to a. An empty host means this machine. The connection is a *net.TCPConn or a
// *net.UnixConn; the error tells as package net does: *net.OpError, *net.DNSError, syscall.ECONNREFUSED.
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
	t := &dialTeller{narrator: newNarrator(d.Step)}
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
		watched = d.WatchConnect(ctx, t.connected)
	}
	c, err := nd.DialContext(watched, network, address)
	if d.WatchConnect == nil {
		t.infer(c, err)
	}
	t.finish(c)
	return c, err
}

// errUnknown is told of an attempt that is known only to have come to nothing.
var errUnknown = errors.New("failed, or another address was quicker")

// infer tells how the attempts ended, as far as the outcome of the Dial shows it. An error of package net is that of the
// first attempt that failed.
func (t *dialTeller) infer(c net.Conn, err error) {
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
		t.connected(a.network, a.address, end)
	}
}

// dialTeller narrates a Dial, whose attempts may run side by side.
type dialTeller struct {
	narrator *narrator
	mu       sync.Mutex
	attempts []attempt   // those under way, in the order in which they began
	won      []heldSteps // steps that need the connection to be told
}

// An attempt is one socket that is to be connected.
type attempt struct {
	fd      int
	network string
	address string // the peer's
}

type heldSteps struct {
	fd    int
	unix  bool
	steps []Step
}

func (t *dialTeller) opened(fd int, network, address string, f Family) {
	if t.narrator == nil {
		return
	}
	t.mu.Lock()
	t.attempts = append(t.attempts, attempt{fd, network, address})
	t.mu.Unlock()
	t.narrator.tell(openedSteps(fd, network, f == IPv6, false)...)
}

// connected is told of each attempt's end.
func (t *dialTeller) connected(network, address string, err error) {
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
		steps := []Step{done("connect", connect, "ok", nil)}
		if !unix {
			steps = append(steps, inferred("getsockopt", getError, "0"))
		}
		t.mu.Lock()
		t.won = append(t.won, heldSteps{fd, unix, steps})
		t.mu.Unlock()
	case !unix && comesLater(err):
		t.narrator.tell(done("connect", connect, "", err), inferred("getsockopt", getError, cause(err).Error()))
	default:
		t.narrator.tell(done("connect", connect, "", err))
	}
}

// finish tells the rest, of which the addresses are known by now.
func (t *dialTeller) finish(c net.Conn) {
	if t.narrator == nil || c == nil {
		return
	}
	fd, local, remote := socketFD(c), addrText(c.LocalAddr()), addrText(c.RemoteAddr())
	t.mu.Lock()
	won := t.won
	t.mu.Unlock()
	for _, h := range won {
		if h.fd != fd {
			continue
		}
		name := inferred("getsockname", fdText(fd), local)
		peer := inferred("getpeername", fdText(fd), remote)
		if h.unix {
			t.narrator.tell(append(h.steps, name, peer)...)
		} else {
			t.narrator.tell(append(h.steps, peer, name, inferred("setsockopt", fdText(fd)+", TCP_NODELAY, 1", "ok"))...)
		}
	}
}

// comesLater reports whether a failed connect(2) said EINPROGRESS first: these answers need the peer or the
// network, and a call that does not wait cannot have them.
func comesLater(err error) bool {
	for _, e := range []error{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ETIMEDOUT, syscall.EHOSTUNREACH} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
