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
	// DefaultForwardBusy is the message to a peer if a Forward cannot reach its target.
	DefaultForwardBusy = "sorry, the server behind this one cannot be reached"
	// DefaultForwardTimeout is the time within which a Forward has to reach its target.
	DefaultForwardTimeout = 10 * time.Second
)

var errLoop = errors.New("it would forward to itself")

// Forward copies the bytes of a conversation to another host, its target, and back. It adds nothing of its own, except for one line to a
// peer whose target cannot be reached.
//
// FIN of one side is sent as FIN to the other, and the other direction goes on without a limit.
//
// A reset of one side becomes a reset to the other side, after the bytes that came before it. So does each ending except that in which both
// sides have finished: half of the bytes must not pass for all of them. Forward does not wait for a side that takes nothing any more. A unix
// socket knows no reset; it is closed.
//
// Endings: `peer-closed` (io.EOF) if both sides have finished. `reset`, `timeout` (the network answers no more) and `slow-peer` if one of the
// two ended so. `idle`. `closed` if ctx ended. `handler-failed` if the target cannot be reached or would be this server itself, or Traffic
// cannot be written. An error of the target or of Traffic is a [*duet.Error] with the Op "forward" and the target's address.
//
// One Forward may serve any number of conversations at the same time. Its fields must not be changed then.
type Forward struct {
	// Address is the target. Each conversation dials it anew.
	Address transport.Address
	// Dialer dials the target. Its Timeout bounds the look-up and the connecting together; zero is DefaultForwardTimeout.
	Dialer transport.Dialer
	// Dial, if set, replaces Dialer.Dial. Its ctx ends after Dialer.Timeout. The connection is half-closed with CloseWrite, and reset with
	// Reset or SetLinger, if it has these methods.
	Dial func(ctx context.Context, a transport.Address) (net.Conn, error)
	// Busy is the message to a peer whose target cannot be reached, in the conversation's framing. Empty is DefaultForwardBusy; "-" is no
	// message.
	Busy string
	// Traffic records the bytes that pass. nil: they are not recorded, and the system copies by itself.
	Traffic *TrafficLog
	// Idle is the time after which a conversation ends if neither side sends anything. Zero: none.
	Idle time.Duration
	// Send is the time after which a conversation ends, as `slow-peer`, if a side takes nothing of what waits for it. Zero is
	// duet.DefaultSendTimeout; below zero there is no limit.
	Send time.Duration
}

var _ duet.Handler = (*Forward)(nil)

// ServeConn dials the target and copies until both sides have finished.
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

// reach dials the target. It gives up if the peer goes or the conversation is to end.
func (h *Forward) reach(f *flow) (net.Conn, error) {
	if err := h.Traffic.Err(); err != nil {
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

// loops reports whether the target is the address on which this conversation came in. A loop through another address of this machine comes
// in there as the next conversation.
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
			return false // dialling returns the error of a wrong port
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

// unreachable sends Busy to the peer, and returns how the conversation ends.
func (h *Forward) unreachable(f *flow, err error) error {
	if why := f.cause(nil); why != nil {
		return why
	}
	if errors.Is(err, syscall.ECONNRESET) {
		return h.failure(duet.EndReset, err) // connect(2) had completed
	}
	if h.Busy != "-" {
		fr, _ := f.c.Framing()
		_, encoder := fr.New(framing.DefaultMaxMessage)
		line, lerr := encoder.WireEncoding(false).Append(nil, []byte(cmp.Or(h.Busy, DefaultForwardBusy)))
		if lerr == nil {
			f.noteSent(0) // the limit Send runs from now on
			_, _ = bulk.Copy(f.ctx, f.conn, strings.NewReader(string(line)), f.noteSent)
		}
	}
	return h.failure(duet.EndHandlerFailed, err)
}

func (h *Forward) failure(why duet.EndReason, err error) error {
	return &duet.Error{Op: "forward", Addr: h.Address.String(), Reason: why, Err: err}
}
