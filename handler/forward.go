package handler

import (
	"cmp"
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"time"

	"duet.example/duet"
	"duet.example/duet/framing"
	"duet.example/duet/internal/bulk"
	"duet.example/duet/transport"
)

const (
	// DefaultForwardBusy is what a peer is told whose Forward cannot reach its target.
	DefaultForwardBusy = "sorry, the server behind this one cannot be reached"
	// DefaultForwardTimeout is how long a Forward tries to reach its target.
	DefaultForwardTimeout = 10 * time.Second
)

var errLoop = errors.New("it would forward to itself")

// Forward passes a conversation's bytes on to another host, and back. It adds nothing of its own, but for one line to
// a peer whose target cannot be reached. [C-10]
//
// Half-close: FIN of one side is FIN to the other, and the other direction goes on, for as long as it likes.
//
// A reset of one side, and one that the system makes because a side is gone, is a reset to the other side, after what came
// before it; a side that takes nothing of that any more is not waited for. So is each ending but that in which both sides have finished:
// half of what was said must not pass for the whole. A unix socket knows no reset; there the connection is closed.
//
// Endings: `peer-closed` (io.EOF) when both sides have finished. `reset`, `timeout` (the network answers no more) and `slow-peer`
// where that befell one of the two, `idle`, `shutdown`, `kicked`, `closed` when ctx ended. `handler-failed` where the target
// cannot be reached, would be this server itself, or the Tee cannot be written. What befell the target, or the Tee, comes as a
// *duet.Error with the Op "forward" and the target's address.
//
// Forward serves any number of conversations at the same time; its fields must not be changed then.
type Forward struct {
	// Address is the target. It is dialled anew for each conversation.
	Address transport.Address
	// Dialer says how. Its Timeout bounds names and connecting together; zero is DefaultForwardTimeout.
	Dialer transport.Dialer
	// Dial, if set, takes the place of Dialer.Dial; its ctx ends with Dialer.Timeout. What it returns is half-closed with CloseWrite and
	// reset with Reset or SetLinger, where it has them.
	Dial func(ctx context.Context, a transport.Address) (net.Conn, error)
	// Busy is said, in the conversation's framing, to a peer whose target cannot be reached. Empty is DefaultForwardBusy; "-" says nothing.
	Busy string
	// Tee records what passes. nil: nobody looks, and the system copies by itself.
	Tee *Tee
	// Idle ends a conversation in which neither side has said anything for so long. Zero: never.
	Idle time.Duration
	// Send ends a conversation of which one side takes nothing for so long, as `slow-peer`. Zero is duet.DefaultSendTimeout;
	// below zero never.
	Send time.Duration
}

var _ duet.Handler = (*Forward)(nil)

// ServeConn reaches the target and passes bytes until both sides have finished.
func (h *Forward) ServeConn(ctx context.Context, c *duet.Conn) error {
	f, err := takeOver(ctx, c, 0, h.Send)
	if err != nil {
		return err
	}
	defer f.stop()
	target, err := h.reach(f)
	if err != nil {
		return h.unreachable(f, err)
	}
	r := newRelay(h, f, target)
	defer r.g.stop()
	return r.run()
}

// reach dials the target, while the peer is there and nobody stops it.
func (h *Forward) reach(f *flow) (net.Conn, error) {
	if err := h.Tee.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(f.ctx, cmp.Or(h.Dialer.Timeout, DefaultForwardTimeout))
	defer cancel()
	if h.loops(ctx, f.c.LocalAddr()) {
		return nil, errLoop
	}
	f.watchDeparture(func(err error) silence {
		return silence{limit: time.Millisecond, cause: f.peerError(&bulk.SideError{Op: "read", Err: err})}
	})
	defer f.ignoreDeparture()
	if h.Dial != nil {
		return h.Dial(ctx, h.Address)
	}
	d := h.Dialer
	return d.Dial(ctx, h.Address)
}

// loops reports whether the target is where this conversation came in. A way round by another address of this
// machine comes in there, as the next conversation.
func (h *Forward) loops(ctx context.Context, local net.Addr) bool {
	switch local := local.(type) {
	case *net.UnixAddr:
		return h.Address.Network() == "unix" && h.Address.Path == local.Name
	case *net.TCPAddr:
		if h.Address.Network() != "tcp" {
			return false
		}
		port, err := net.DefaultResolver.LookupPort(ctx, "tcp", h.Address.Port)
		if err != nil || port != local.Port {
			return false // dialling says what is wrong with a port
		}
		host := h.Address.Host
		if host == "" {
			host = "localhost"
		}
		addrs, _ := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		for _, a := range addrs {
			if a.Unmap() == local.AddrPort().Addr().Unmap() {
				return true
			}
		}
	}
	return false
}

// unreachable tells both sides that there is no target.
func (h *Forward) unreachable(f *flow, err error) error {
	if why := f.cause(nil); why != nil {
		return why
	}
	if errors.Is(err, syscall.ECONNRESET) {
		return h.failure(duet.EndReset, err) // connect(2) had completed
	}
	if h.Busy != "-" {
		fr, _ := f.c.Framing()
		line, lerr := fr.New(framing.DefaultMaxMessage).Append(nil, []byte(cmp.Or(h.Busy, DefaultForwardBusy)))
		if lerr == nil {
			f.noteSent(0) // from now on the peer has its time to take it
			_, _ = bulk.Copy(f.ctx, f.conn, strings.NewReader(string(line)), f.noteSent)
		}
	}
	return h.failure(duet.EndHandlerFailed, err)
}

func (h *Forward) failure(why duet.EndReason, err error) error {
	return &duet.Error{Op: "forward", Addr: h.Address.String(), Reason: why, Err: err}
}
