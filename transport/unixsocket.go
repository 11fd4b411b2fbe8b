package transport

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

func (lc *ListenConfig) listenUnix(ctx context.Context, n *narrator, path string) (net.Listener, error) {
	if err := lc.checkOwnerOnly(path); err != nil {
		return nil, err
	}
	l, err := lc.bindUnix(ctx, n, path)
	if errors.Is(err, syscall.EADDRINUSE) && path[0] != '@' && lc.removeStale(ctx, n, path) {
		l, err = lc.bindUnix(ctx, n, path)
	}
	if err != nil {
		return nil, err
	}
	if ul, ok := l.(*net.UnixListener); ok {
		ul.SetUnlinkOnClose(false)
	}
	ln, err := lc.finish(l, n, AnyFamily)
	if err != nil {
		if path[0] != '@' {
			os.Remove(path)
		}
		return nil, err
	}
	if lc.OwnerOnly {
		ln.owner = lc.user()
	}
	if path[0] != '@' {
		if ln.file, err = os.Lstat(path); err != nil {
			ln.Close()
			return nil, err
		}
		ln.path = path
	}
	return ln, nil
}

// bindUnix makes a listening socket whose file has mode 0600 from the start.
func (lc *ListenConfig) bindUnix(ctx context.Context, n *narrator, path string) (net.Listener, error) {
	fd, reached := -1, false
	nlc := lc.netConfig(func(network, _ string, rc syscall.RawConn) error {
		return controlFD(rc, func(s int) error {
			fd, reached = s, true
			if n != nil {
				n.report(openedSteps(s, network, false, true)...)
			}
			if path[0] == '@' {
				return nil
			}
			return setSocketMode(n, s)
		})
	})
	l, err := listenPrivately(func() (net.Listener, error) { return nlc.Listen(ctx, "unix", path) })
	if n != nil && reached {
		n.report(boundSteps(fd, path, l, err)...)
	}
	return l, err
}

// removeStale removes a socket's file on which no program listens, and reports whether it has. A killed program leaves
// such a file. Connecting to it is refused, which distinguishes it from a file that is in use.
func (lc *ListenConfig) removeStale(ctx context.Context, n *narrator, path string) bool {
	before, err := os.Lstat(path)
	if err != nil || before.Mode().Type() != os.ModeSocket {
		return false
	}
	d := Dialer{Timeout: time.Second}
	if n != nil {
		d.Step = func(s Step) { n.report(s) }
	}
	c, err := d.Dial(ctx, Address{Scheme: "unix", Path: path})
	if err == nil {
		c.Close()
		return false
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return false
	}
	now, err := os.Lstat(path)
	if err != nil || !os.SameFile(before, now) {
		return false
	}
	err = os.Remove(path)
	_ = n.call("unlink", path, "ok", err)
	return err == nil
}
