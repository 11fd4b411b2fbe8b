package transport

import (
	"net"
	"os"
)

const (
	wantListening = "a listening stream socket"
	wantConnected = "a connected stream socket"
)

// File takes a listening stream socket (TCP or unix) that was opened elsewhere. It is duplicated: the
// caller keeps fd and should close it, since the port stays taken as long as one of the two is open. Any
// other kind of descriptor gives a *DescriptorError.
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
		n.tell(adoptedSteps(int(f.Fd()), socketFD(l), l.Addr(), nil, false)...)
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

// File takes a connected stream socket (TCP or unix) that was opened elsewhere. It is duplicated: the caller
// keeps fd and should close it, since the peer hears of the end only when both are closed. Any other kind of
// descriptor gives a *DescriptorError.
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
		n.tell(adoptedSteps(int(f.Fd()), socketFD(c), c.LocalAddr(), c.RemoteAddr(), tcp)...)
	}
	if tcp {
		if err := d.adopt(n, tc); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// adopt readies a TCP listener that came from elsewhere, and finds its family.
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
			// A Multipath TCP socket, which Go programs make, may lack the option.
			lc.notice("the user timeout cannot be set on this socket: " + cause(err).Error())
		}
		return nil
	})
	return family, err
}

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
		// A Multipath TCP socket, which Go programs make, may lack the option; the step says so.
		_ = options.setUserTimeout(n, fd)
		return nil
	})
}

// closeTaken closes a descriptor that is ours alone.
func closeTaken(fd int) { _ = os.NewFile(uintptr(fd), "").Close() }
