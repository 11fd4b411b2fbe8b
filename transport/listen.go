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

// ListenConfig makes listening sockets. The zero ListenConfig works. It may be used by several
// goroutines at once as long as nobody changes it.
type ListenConfig struct {
	// Family restricts a TCP address to one version of IP; AnyFamily listens on both where it can.
	Family Family
	// Backlog is how many connections the system may queue before they are accepted. 0 means as many as the system
	// allows, as with net.Listen; below zero counts as zero. The system caps it, see Somaxconn. A listening socket
	// that was opened elsewhere (File, Systemd) keeps its own backlog if this is 0.
	Backlog int
	// Keepalive is how long a conversation is silent before the system asks whether the peer still
	// lives, and the time between such questions: 0 means 15 s, negative means never.
	Keepalive time.Duration
	// UserTimeout is how long what was sent may stay unacknowledged, or a peer's window closed, before the
	// system gives the conversation up (TCP_USER_TIMEOUT, tcp(7); Linux only). 0 means DefaultUserTimeout, negative
	// leaves it to the system.
	UserTimeout time.Duration
	// OwnerOnly has a unix socket accept only processes of this process's own user and of root. Others are closed at once.
	// The mode of a file keeps them out too, but an abstract name (@name) has none. Listen fails with ErrPeerUser for
	// such a name if the system does not tell which user connects.
	OwnerOnly bool
	// Step, if set, is told of each system call made for the listener and the sockets it accepts.
	Step StepFunc
	// Notice, if set, is told in words what the system could not do.
	Notice func(string)

	peerUser func(net.Conn) (uid int, err error) // nil: PeerUser; tests set it
}

// Listen makes a listening socket at a. An address that was in use a moment ago can be used again at once; one
// in use now gives an error that is syscall.EADDRINUSE. A unix socket is made with mode 0600; one that
// nobody answers any more is replaced; Close removes its file.
//
// The listener also has SyscallConn and SetDeadline. Its Accept returns plain *net.TCPConn and
// *net.UnixConn. Ctx bounds the looking up of names only.
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
				n.tell(openedSteps(s, network, lc.Family == IPv6, true)...)
			}
			if err := setListenOptions(n, s); err != nil {
				return err
			}
			return lc.socketOptions().set(n, s)
		})
	})
	l, err := nlc.Listen(ctx, lc.Family.network(), net.JoinHostPort(lc.Family.host(a.Host), a.Port))
	if n != nil && reached {
		n.tell(boundSteps(fd, at, l, err)...)
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

// netConfig has MultipathTCP off: conversations are TCP, and the options below are those of TCP sockets.
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

// finish sets the backlog, if one was asked for, and wraps l. It closes l on failure.
func (lc *ListenConfig) finish(l net.Listener, n *narrator, f Family) (*listener, error) {
	raw, ok := l.(rawListener)
	if !ok {
		l.Close()
		return nil, &net.OpError{Op: "listen", Net: l.Addr().Network(), Addr: l.Addr(), Err: errors.ErrUnsupported}
	}
	ln := &listener{rawListener: raw, narrator: n, family: f}
	if lc.Backlog == 0 {
		return ln, nil // package net has asked for the system's maximum
	}
	if err := lc.setBacklog(n, raw); err != nil {
		l.Close()
		return nil, &net.OpError{Op: "listen", Net: l.Addr().Network(), Addr: l.Addr(), Err: err}
	}
	return ln, nil
}

// setBacklog calls listen(2) once more on a listening socket, which changes nothing but its backlog.
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

// rawListener is what *net.TCPListener and *net.UnixListener have in common.
type rawListener interface {
	net.Listener
	syscall.Conn
	SetDeadline(time.Time) error
}

// listener narrates what is accepted, knows its family, and removes its unix socket's file.
type listener struct {
	rawListener
	narrator *narrator
	family   Family
	owner    func(net.Conn) (uid int, err error) // tells whose a peer is; nil: everybody is accepted
	adopted  *socketOptions                      // set where package net made no socket of it, and sets its own defaults on what it accepts

	file  os.FileInfo // the unix socket's file, to remove no other one; nil: none of ours
	path  string
	close sync.Once
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
		l.narrator.tell(acceptedSteps(l.rawListener, c, err, l.adopted != nil)...)
	}
	if tc, ok := c.(*net.TCPConn); ok && l.adopted != nil {
		// A peer that is gone already is no failure of the listener: reading from it will tell.
		_ = l.adopted.correct(l.narrator, tc)
	}
	return c, err
}

func (l *listener) Close() error {
	l.close.Do(l.unlink)
	on := socketFD(l.rawListener) // -1: closed before
	err := l.rawListener.Close()
	if l.narrator != nil && on >= 0 {
		l.narrator.tell(done("close", fdText(on), "ok", err))
	}
	return err
}

func (l *listener) unlink() {
	if l.file == nil {
		return
	}
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.file) {
		_ = l.narrator.call("unlink", l.path, "ok", os.Remove(l.path))
	}
}

// controlFD runs f on the descriptor behind rc.
func controlFD(rc syscall.RawConn, f func(fd int) error) error {
	var err error
	if cerr := rc.Control(func(fd uintptr) { err = f(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}
