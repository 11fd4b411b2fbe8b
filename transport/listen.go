package transport

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// ListenConfig makes listening sockets. The zero ListenConfig is ready to use. Several goroutines may use a ListenConfig at
// the same time as long as none changes it.
type ListenConfig struct {
	// Family limits a TCP address to one version of IP. With AnyFamily, Listen listens on both if it can.
	Family Family
	// Backlog is the number of connections that the system queues before they are accepted. Zero: as many as the system
	// allows, as with net.Listen. A negative number counts as zero connections. The system limits the number, see
	// Somaxconn. A socket that was opened elsewhere (File, Systemd) keeps its backlog if this is zero.
	Backlog int
	// Keepalive is the time without a packet from the peer after which the system probes the connection, and also the time
	// between two probes. Zero: 15 s. Negative: the system does not probe.
	Keepalive time.Duration
	// UserTimeout is the time after which the system gives a connection up if the peer acknowledges no sent bytes, or keeps
	// its window closed. It is TCP_USER_TIMEOUT of tcp(7) and works on Linux only. Zero: DefaultUserTimeout. Negative: the
	// system decides.
	UserTimeout time.Duration
	// OwnerOnly makes a unix socket accept only processes of this process's user and of root. Other connections are closed
	// at once. The mode of the socket's file keeps other users out too, but an abstract name (@name) has no file. For such
	// a name, Listen fails with ErrPeerUser if the system does not tell which user connects.
	OwnerOnly bool
	// Step, if set, is called for each system call that is made for the listener and for the sockets that it accepts.
	Step StepFunc
	// Notice, if set, is called with a text for people if the system cannot do something that was asked for.
	Notice func(string)

	peerUser func(net.Conn) (uid int, err error) // nil: PeerUser; tests set it
}

// Listen makes a listening socket at a. A TCP address can be used again as soon as its last listener is closed. If the
// address is in use, errors.Is finds syscall.EADDRINUSE in the error.
//
// The file of a unix socket has mode 0600. Listen replaces a file on which no program listens any more. Close removes the
// file.
//
// The listener also has the methods SyscallConn and SetDeadline. Its Accept returns a *net.TCPConn or a *net.UnixConn. ctx
// limits only the lookup of names.
func (lc *ListenConfig) Listen(ctx context.Context, a Address) (net.Listener, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	n := newNarrator(lc.Step)
	if a.Network() == "unix" {
		return lc.listenUnix(ctx, n, a.Path)
	}
	var reached bool
	var fd int
	var at string
	nlc := lc.netConfig(func(network, address string, rc syscall.RawConn) error {
		at = address
		return controlFD(rc, func(s int) error {
			reached, fd = true, s
			if n != nil {
				n.report(openedSteps(s, network, lc.Family == IPv6, true)...)
			}
			if err := setListenOptions(n, s); err != nil {
				return err
			}
			return lc.socketOptions().set(n, s)
		})
	})
	l, err := nlc.Listen(ctx, lc.Family.network(), net.JoinHostPort(lc.Family.host(a.Host), a.Port))
	if n != nil && reached {
		n.report(boundSteps(fd, at, l, err)...)
	}
	if err != nil {
		return nil, err
	}
	ln, err := lc.finish(l, n, lc.Family)
	if err != nil {
		return nil, err
	}
	return ln, nil
}

// netConfig returns a ListenConfig of package net. Multipath TCP is off, because its sockets lack some options of TCP.
func (lc *ListenConfig) netConfig(control func(network, address string, rc syscall.RawConn) error) *net.ListenConfig {
	nlc := &net.ListenConfig{Control: control}
	nlc.KeepAlive, nlc.KeepAliveConfig = lc.socketOptions().forNet()
	nlc.SetMultipathTCP(false)
	return nlc
}

func (lc *ListenConfig) socketOptions() socketOptions {
	return newSocketOptions(lc.Keepalive, lc.UserTimeout)
}

func (lc *ListenConfig) notice(text string) {
	if lc.Notice != nil {
		lc.Notice(text)
	}
}

// finish sets the backlog, if lc has one, and wraps l. After an error, l is closed.
func (lc *ListenConfig) finish(l net.Listener, n *narrator, f Family) (*listener, error) {
	raw, ok := l.(rawListener)
	if !ok {
		l.Close()
		return nil, &net.OpError{Op: "listen", Net: l.Addr().Network(), Addr: l.Addr(), Err: errors.ErrUnsupported}
	}
	ln := &listener{rawListener: raw, narrator: n, family: f}
	if lc.Backlog == 0 {
		return ln, nil // package net has set the system's maximum
	}
	if err := lc.setBacklog(n, raw); err != nil {
		l.Close()
		return nil, &net.OpError{Op: "listen", Net: l.Addr().Network(), Addr: l.Addr(), Err: err}
	}
	return ln, nil
}

// setBacklog calls listen(2) again on a listening socket. That changes only its backlog.
func (lc *ListenConfig) setBacklog(n *narrator, raw rawListener) error {
	want := max(lc.Backlog, 0)
	rc, err := raw.SyscallConn()
	if err != nil {
		return err
	}
	return controlFD(rc, func(fd int) error {
		err := listenAgain(fd, want)
		if errors.Is(err, errors.ErrUnsupported) {
			lc.notice("the backlog cannot be set on this system")
			return nil
		}
		result := "ok"
		if limit, known := Somaxconn(); known && want > limit {
			result = "ok, but the system caps it at " + strconv.Itoa(limit) + " (somaxconn)"
		}
		return os.NewSyscallError("listen", n.call("listen", fdText(fd)+", backlog "+strconv.Itoa(want), result, err))
	})
}

// rawListener has the methods that *net.TCPListener and *net.UnixListener share.
type rawListener interface {
	net.Listener
	syscall.Conn
	SetDeadline(time.Time) error
}

// A listener reports the steps of Accept, knows its family, and removes the file of its unix socket.
type listener struct {
	rawListener
	narrator *narrator // nil: no steps are reported
	family   Family
	owner    func(net.Conn) (uid int, err error) // returns a peer's user; nil: every user is accepted
	adopted  *socketOptions                      // set if the socket was opened elsewhere; Accept corrects what package net sets

	file  os.FileInfo // the file of the unix socket, so that Close removes no other file; nil: there is none
	path  string
	close sync.Once // removes the file
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.accept()
		if err != nil || l.owner == nil || isOwner(c, l.owner) {
			return c, err
		}
		c.Close()
	}
}

func (l *listener) accept() (net.Conn, error) {
	c, err := l.rawListener.Accept()
	if l.narrator != nil {
		l.narrator.report(acceptedSteps(l.rawListener, c, err, l.adopted != nil)...)
	}
	if tc, ok := c.(*net.TCPConn); ok && l.adopted != nil {
		// An error means that the peer has gone, which is no error of the listener. The next read returns it.
		_ = l.adopted.correct(l.narrator, tc)
	}
	return c, err
}

func (l *listener) Close() error {
	l.close.Do(l.unlink)
	fd := socketFD(l.rawListener) // -1: the listener was closed before
	err := l.rawListener.Close()
	if l.narrator != nil && fd >= 0 {
		l.narrator.report(newStep("close", fdText(fd), "ok", err))
	}
	return err
}

// unlink removes the file of the unix socket, unless another file has its path.
func (l *listener) unlink() {
	if l.file == nil {
		return
	}
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.file) {
		_ = l.narrator.call("unlink", l.path, "ok", os.Remove(l.path))
	}
}

// controlFD calls f with the descriptor of rc.
func controlFD(rc syscall.RawConn, f func(fd int) error) error {
	var err error
	if cerr := rc.Control(func(fd uintptr) { err = f(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}
