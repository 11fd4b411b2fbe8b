//go:build unix

package bulk

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A kind says what a descriptor is, as far as copying differs.
type kind int

const (
	other kind = iota // terminals, sockets that came as files, devices
	pipe              // pipes and FIFOs
	sock              // stream sockets on the runtime's poller
	file              // regular files, and disks
	null              // /dev/null: takes everything
)

// A descriptor is a side the kernel knows. It waits in one of two ways: on the
// runtime's poller where the descriptor is non-blocking and registered there,
// otherwise in poll(2) beside a waker, because fd 0 and fd 1 are the shell's
// too and their flags must not be touched.
type descriptor struct {
	raw    syscall.RawConn
	name   string // of a file; empty for a connection
	kind   kind
	events int16  // POLLIN or POLLOUT
	waker  *waker // nil: parks on the runtime's poller

	tcp      bool
	canceled *atomic.Bool // of the Stdin; nil for others
	blind    bool         // no non-blocking calls: a disk is always ready and never at hand

	park func(fd uintptr) bool
}

func openRead(src io.Reader) (*side, error) {
	switch v := src.(type) {
	case *Stdin:
		return &side{reader: v, desc: v.desc, wake: v.desc.waker.raise, calm: v.desc.waker.lower}, nil
	case *os.File:
		s := plainRead(v)
		err := openFile(s, v, v.SetReadDeadline, unix.POLLIN)
		if s.desc != nil && s.desc.waker != nil {
			s.reader = s.desc
		}
		return s, err
	}
	s := plainRead(src)
	if s.desc, s.loan = socket(src, unix.POLLIN); s.desc != nil {
		s.await = s.desc.wait
	}
	return s, nil
}

func openWrite(dst io.Writer) (*side, error) {
	if v, ok := dst.(*os.File); ok {
		s := plainWrite(v)
		err := openFile(s, v, v.SetWriteDeadline, unix.POLLOUT)
		if s.desc != nil && s.desc.waker != nil {
			s.writer = s.desc
		}
		return s, err
	}
	s := plainWrite(dst)
	s.desc, s.loan = socket(dst, unix.POLLOUT)
	return s, nil
}

// socket returns the descriptor of a stream socket; nil if v is none. See stream.
func socket(v any, events int16) (*descriptor, loan) {
	raw, tcp, l := stream(v, events == unix.POLLIN)
	if raw == nil {
		return nil, loan{}
	}
	return newDescriptor(raw, sock, events, tcp), l
}

// stream returns the system's side of a stream socket, and the loan if a lender lends it. Otherwise only
// the types of package net will do: a wrapper may have bytes of its own.
func stream(v any, toRead bool) (raw syscall.RawConn, tcp bool, l loan) {
	var err error
	switch c := v.(type) {
	case lender:
		if raw, tcp = c.Lend(toRead); raw != nil {
			l = loan{c, toRead}
		}
	case *net.TCPConn:
		tcp = true
		raw, err = c.SyscallConn()
	case *net.UnixConn:
		if a := c.LocalAddr(); a != nil && a.Network() == "unix" {
			raw, err = c.SyscallConn()
		}
	}
	if err != nil {
		return nil, false, loan{}
	}
	return raw, tcp, l
}

func newDescriptor(raw syscall.RawConn, k kind, events int16, tcp bool) *descriptor {
	d := &descriptor{raw: raw, kind: k, events: events, tcp: tcp}
	d.park = func(fd uintptr) bool { return Ready(fd, d.events) }
	return d
}

// openFile gives s the descriptor of f and, where the runtime cannot wait for
// f, a waker that lasts as long as s.
func openFile(s *side, f *os.File, setDeadline func(time.Time) error, events int16) error {
	d, blocks, err := inspect(f, events)
	if err != nil {
		return err
	}
	s.desc = d
	if !blocks || d.kind == file || d.kind == null {
		return nil
	}
	if nonblocking(d.raw) && setDeadline(time.Time{}) == nil {
		return nil
	}
	if d.waker, err = newWaker(); err != nil {
		return err
	}
	s.wake, s.calm, s.free = d.waker.raise, d.waker.lower, d.waker.close
	return nil
}

// inspect learns what f is. It asks through Control and not through Fd, which
// may make the descriptor blocking.
func inspect(f *os.File, events int16) (d *descriptor, blocks bool, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, false, err
	}
	var st unix.Stat_t
	var serr error
	err = raw.Control(func(fd uintptr) {
		serr = retry(func() error { return unix.Fstat(int(fd), &st) })
	})
	if err != nil {
		serr = os.ErrClosed
	}
	if serr != nil {
		return nil, false, &os.PathError{Op: "fstat", Path: f.Name(), Err: serr}
	}
	k, blind := other, true
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFSOCK:
		blind = false
	case unix.S_IFIFO:
		k, blind = pipe, false
	case unix.S_IFREG, unix.S_IFBLK:
		k = file
	case unix.S_IFCHR:
		if isNull(&st) {
			k = null
		}
	}
	d = newDescriptor(raw, k, events, false)
	d.name = f.Name()
	d.blind = blind
	return d, k != file && k != null, nil
}

func nonblocking(raw syscall.RawConn) bool {
	on := false
	err := raw.Control(func(fd uintptr) {
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		on = err == nil && flags&unix.O_NONBLOCK != 0
	})
	return err == nil && on
}

// wait returns when the descriptor is ready, or has an error or an end to
// tell. It holds on to nothing meanwhile but, without the poller, the
// descriptor itself: a socket is never pinned by a wait.
func (d *descriptor) wait() error {
	if d.waker == nil {
		if d.events == unix.POLLOUT {
			return d.closed(d.raw.Write(d.park))
		}
		return d.closed(d.raw.Read(d.park))
	}
	k := d.waker
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.closed {
		return os.ErrClosed
	}
	var err error
	cerr := d.control(func(fd uintptr) { err = waitEither(int(fd), d.events, k.r) })
	if cerr != nil {
		return cerr
	}
	return err
}

// control runs f with the descriptor held open.
func (d *descriptor) control(f func(fd uintptr)) error { return d.closed(d.raw.Control(f)) }

// closed gives the error of a file's RawConn its public name: but for the
// deadline, such a call fails only where the file was closed, and says so with
// an error that is not os.ErrClosed.
func (d *descriptor) closed(err error) error {
	if err == nil || d.name == "" || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return &os.PathError{Op: "wait", Path: d.name, Err: os.ErrClosed}
}

// Read reads what is there, once there is something. For descriptors with a
// waker.
func (d *descriptor) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if err := d.wait(); err != nil {
			return 0, err
		}
		var n int
		var err error
		cerr := d.control(func(fd uintptr) {
			err = retry(func() error { n, err = d.readNow(int(fd), p); return err })
		})
		switch {
		case cerr != nil:
			return 0, cerr
		case err == unix.EAGAIN:
			continue
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// Write writes all of p, waiting as often as it takes. For descriptors with a
// waker.
func (d *descriptor) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		if err := d.wait(); err != nil {
			return written, err
		}
		var n int
		var err error
		cerr := d.control(func(fd uintptr) {
			err = retry(func() error { n, err = d.writeNow(int(fd), p[written:]); return err })
		})
		if n > 0 {
			written += n
		}
		if cerr != nil {
			return written, cerr
		}
		if err != nil && err != unix.EAGAIN {
			return written, os.NewSyscallError("write", err)
		}
	}
	return written, nil
}

// blindRead and blindWrite are for descriptors that only know blocking calls.
// After poll(2) has said yes, a read returns what is there, and a small write
// fits: POSIX promises PIPE_BUF bytes to a pipe, and terminals say yes only
// with some room.
func (d *descriptor) blindRead(fd int, p []byte) (int, error) {
	return unix.Read(fd, p)
}

func (d *descriptor) blindWrite(fd int, p []byte) (int, error) {
	limit := smallWrite
	if d.kind == other {
		limit = 256
	}
	return unix.Write(fd, p[:min(len(p), limit)])
}
