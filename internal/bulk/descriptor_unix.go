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
	kindOther  kind = iota // terminals, devices, and sockets that came as files
	kindPipe               // pipes and FIFOs
	kindSocket             // stream sockets on the poller of the runtime
	kindFile               // regular files and disks
	kindNull               // /dev/null
)

// A descriptor is a side that the kernel knows. A descriptor that does not block waits on the poller of the runtime. Any other waits in poll(2)
// beside a waker: fd 0 and fd 1 belong to the shell too, so their flags must not change.
type descriptor struct {
	raw        syscall.RawConn
	name       string // of a file; empty for a connection
	kind       kind
	events     int16        // POLLIN or POLLOUT
	waker      *waker       // nil: it waits on the poller of the runtime
	isTCP      bool         // a TCP socket
	canceled   *atomic.Bool // of the Stdin; nil for others
	onlyBlocks bool         // a read or write that does not wait fails: the system has none, or a disk is never ready

	isReady func(fd uintptr) bool // made once, for the poller
}

func openRead(src io.Reader) (*side, error) {
	switch v := src.(type) {
	case *Stdin:
		return &side{reader: v, desc: v.desc, onInterrupt: v.desc.waker.raise, onResume: v.desc.waker.lower}, nil
	case *os.File:
		s := newReadSide(v)
		err := openFile(s, v, v.SetReadDeadline, unix.POLLIN)
		if s.desc != nil && s.desc.waker != nil {
			s.reader = s.desc
		}
		return s, err
	}
	s := newReadSide(src)
	if s.desc, s.loan = socket(src, unix.POLLIN); s.desc != nil {
		s.await = s.desc.wait
	}
	return s, nil
}

func openWrite(dst io.Writer) (*side, error) {
	if v, ok := dst.(*os.File); ok {
		s := newWriteSide(v)
		err := openFile(s, v, v.SetWriteDeadline, unix.POLLOUT)
		if s.desc != nil && s.desc.waker != nil {
			s.writer = s.desc
		}
		return s, err
	}
	s := newWriteSide(dst)
	s.desc, s.loan = socket(dst, unix.POLLOUT)
	return s, nil
}

// socket returns the descriptor of a stream socket; nil if v is none. See stream.
func socket(v any, events int16) (*descriptor, loan) {
	raw, tcp, l := stream(v, events == unix.POLLIN)
	if raw == nil {
		return nil, loan{}
	}
	return newDescriptor(raw, kindSocket, events, tcp), l
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
	d := &descriptor{raw: raw, kind: k, events: events, isTCP: tcp}
	d.isReady = func(fd uintptr) bool { return Ready(fd, d.events) }
	return d
}

// openFile gives s the descriptor of f. If the runtime cannot wait for f, it also gives s a waker.
func openFile(s *side, f *os.File, setDeadline func(time.Time) error, events int16) error {
	d, canWait, err := inspect(f, events)
	if err != nil {
		return err
	}
	s.desc = d
	if !canWait || isNonblocking(d.raw) && setDeadline(time.Time{}) == nil {
		return nil
	}
	if d.waker, err = newWaker(); err != nil {
		return err
	}
	s.onInterrupt, s.onResume, s.onRelease = d.waker.raise, d.waker.lower, d.waker.close
	return nil
}

// inspect finds out the kind of f, and whether a read or write of it can wait for somebody. It calls Control and not Fd, which may make the
// descriptor blocking.
func inspect(f *os.File, events int16) (d *descriptor, canWait bool, err error) {
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
	d = newDescriptor(raw, kindOther, events, false)
	d.name, d.onlyBlocks = f.Name(), true
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFSOCK:
		d.onlyBlocks = false
	case unix.S_IFIFO:
		d.kind, d.onlyBlocks = kindPipe, false
	case unix.S_IFREG, unix.S_IFBLK:
		d.kind = kindFile
	case unix.S_IFCHR:
		if isNull(&st) {
			d.kind = kindNull
		}
	}
	return d, d.kind != kindFile && d.kind != kindNull, nil
}

func isNonblocking(raw syscall.RawConn) bool {
	on := false
	err := raw.Control(func(fd uintptr) {
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		on = err == nil && flags&unix.O_NONBLOCK != 0
	})
	return err == nil && on
}

// wait returns when the descriptor is ready, has ended or has failed. A wait on the poller does not hold the descriptor, so that it can be
// closed meanwhile.
func (d *descriptor) wait() error {
	if d.waker == nil {
		if d.events == unix.POLLOUT {
			return d.publicError(d.raw.Write(d.isReady))
		}
		return d.publicError(d.raw.Read(d.isReady))
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

// control calls f while the descriptor is held open.
func (d *descriptor) control(f func(fd uintptr)) error { return d.publicError(d.raw.Control(f)) }

// publicError returns os.ErrClosed for the error of a call on the RawConn of a file, unless that is a deadline. Such a call fails only if
// the file was closed, and its error is not os.ErrClosed.
func (d *descriptor) publicError(err error) error {
	if err == nil || d.name == "" || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return &os.PathError{Op: "wait", Path: d.name, Err: os.ErrClosed}
}

// Read waits for bytes and reads them. The descriptor has a waker.
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

// Write writes all of p. The descriptor has a waker.
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

// blockingWrite writes so little that it does not wait after poll(2) has reported room. A pipe then has room for PIPE_BUF bytes, as POSIX
// says. A terminal reports room only if some bytes fit.
func (d *descriptor) blockingWrite(fd int, p []byte) (int, error) {
	limit := smallWrite
	if d.kind == kindOther {
		limit = 256
	}
	return unix.Write(fd, p[:min(len(p), limit)])
}
