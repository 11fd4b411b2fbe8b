package transport

import (
	"net"
	"os"
)

const (
	wantListening = "a listening stream socket"
	wantConnected = "a connected stream socket"
)

// File returns a listener for a listening stream socket (TCP or unix) that was opened elsewhere. File duplicates fd. The
// caller keeps fd and should close it, because the port stays in use as long as one of the two descriptors is open. If fd
// is no such socket, the error is a *DescriptorError.
func (lc *ListenConfig) File(fd int) (net.Listener, error) {
	n := newNarrator(lc.Step)
	f, err := takeDescriptor(n, fd, wantListening)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, &DescriptorError{FD: fd, Want: wantListening, Err: cause(err)}
	}
	if n != nil {
		n.report(adoptedSteps(int(f.Fd()), socketFD(l), l.Addr(), nil, false)...)
	}
	family, err := lc.adopt(n, l)
	if err != nil {
		l.Close()
		return nil, err
	}
	ln, err := lc.finish(l, n, family)
	if err != nil {
		return nil, err
	}
	options := lc.socketOptions()
	ln.adopted = &options
	return ln, nil
}

// File returns a connection for a connected stream socket (TCP or unix) that was opened elsewhere. File duplicates fd. The
// caller keeps fd and should close it, because the peer sees the end only when both descriptors are closed. If fd is no
// such socket, the error is a *DescriptorError.
func (d *Dialer) File(fd int) (net.Conn, error) {
	n := newNarrator(d.Step)
	f, err := takeDescriptor(n, fd, wantConnected)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, &DescriptorError{FD: fd, Want: wantConnected, Err: cause(err)}
	}
	tc, tcp := c.(*net.TCPConn)
	if n != nil {
		n.report(adoptedSteps(int(f.Fd()), socketFD(c), c.LocalAddr(), c.RemoteAddr(), tcp)...)
	}
	if tcp {
		if err := d.adopt(n, tc); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// adopt sets the options of a TCP listener that was opened elsewhere, and returns its family.
func (lc *ListenConfig) adopt(n *narrator, l net.Listener) (Family, error) {
	tl, ok := l.(*net.TCPListener)
	if !ok {
		return AnyFamily, nil
	}
	rc, err := tl.SyscallConn()
	if err != nil {
		return AnyFamily, err
	}
	family := AnyFamily
	err = controlFD(rc, func(fd int) error {
		if ip := tl.Addr().(*net.TCPAddr).IP; ip.To4() != nil {
			family = IPv4
		} else if onlyV6(n, fd) {
			family = IPv6
		}
		if err := lc.socketOptions().setUserTimeout(n, fd); err != nil {
			// A Multipath TCP socket may lack the option. Go programs listen with such sockets.
			lc.notice("the user timeout cannot be set on this socket: " + cause(err).Error())
		}
		return nil
	})
	return family, err
}

// adopt sets the options of a TCP connection that was opened elsewhere.
func (d *Dialer) adopt(n *narrator, c *net.TCPConn) error {
	options := newSocketOptions(d.Keepalive, d.UserTimeout)
	if err := options.correct(n, c); err != nil {
		return err
	}
	rc, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return controlFD(rc, func(fd int) error {
		// A Multipath TCP socket may lack the option. The Step shows that.
		_ = options.setUserTimeout(n, fd)
		return nil
	})
}

// closeFD closes a descriptor that nothing else in this process uses.
func closeFD(fd int) { _ = os.NewFile(uintptr(fd), "").Close() }
