package duet

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"duet.example/duet/framing"
	"duet.example/duet/transport"
)

// A Dialer connects to servers. The zero Dialer works: lines (LF), no farewell. It may
// be used by several goroutines at the same time; fields must not be changed meanwhile.
type Dialer struct {
	// Framing cuts messages. nil is framing.LF.
	Framing framing.Framing
	// MaxMessage is the longest message in bytes. Zero is framing.DefaultMaxMessage.
	MaxMessage int
	// Farewell is the word that ends the conversation. Empty: none does.
	Farewell string
	// IdleTimeout ends a conversation in which the peer has said nothing for so long. Zero: never.
	IdleTimeout time.Duration
	// SendTimeout ends a conversation whose peer takes nothing for so long, as `slow-peer`. Zero is DefaultSendTimeout, below zero never.
	SendTimeout time.Duration
	// CloseTimeout is how long an ending conversation waits for the peer's end. Zero is DefaultCloseTimeout; below zero it does not wait.
	CloseTimeout time.Duration
	// QueueSize is how many bytes may wait for a peer that does not read. Zero is DefaultQueueSize.
	QueueSize int
	// Transport says how the connection is made, and for how long that is tried. The zero value does.
	Transport transport.Dialer
	// Trace watches. nil: nobody does.
	Trace *Trace
}

// Dial connects to address with the zero Dialer.
func Dial(ctx context.Context, address string) (*Conn, error) {
	return new(Dialer).Dial(ctx, address)
}

// Dial connects to address: host:port, :port, port, unix:PATH, or a URL. An error is an [*Error], whose Reason is
// EndTimeout where connecting took too long, EndReset where the peer reset the connection as soon as it was there, and EndNone
// otherwise; where address is none, it is transport's own ([transport.AddressError], [transport.SchemeError]).
func (d *Dialer) Dial(ctx context.Context, address string) (*Conn, error) {
	a, err := transport.ParseAddress(transport.DefaultConnect, address)
	if err != nil {
		return nil, err
	}
	return d.DialAddress(ctx, a)
}

// DialAddress is Dial for an address that was parsed before.
func (d *Dialer) DialAddress(ctx context.Context, a transport.Address) (*Conn, error) {
	nc, err := d.Transport.Dial(ctx, a)
	if err != nil {
		e := &Error{Op: "dial", Addr: a.String(), Err: err}
		var ne net.Error
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.ETIMEDOUT) ||
			errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout() {
			e.Reason = EndTimeout
		}
		if errors.Is(err, syscall.ECONNRESET) {
			e.Reason = EndReset // connect(2) had completed
		}
		return nil, e
	}
	return d.NewConn(nc), nil
}

// NewConn makes a conversation of a connection that was made elsewhere, and owns it from then on.
//
// Any net.NewConn works. Its own Read and Write are called, also if it embeds a *net.TCPConn. Its Close must end a Read that waits, as
// net.NewConn says. Beside a *net.TCPConn and a *net.UnixConn, a connection that implements [ReadAwaiter] needs no buffer while its peer is silent.
func (d *Dialer) NewConn(nc net.Conn) *Conn {
	set := settings{
		framing: d.Framing, max: d.MaxMessage, farewell: d.Farewell,
		idle: d.IdleTimeout, send: d.SendTimeout, linger: d.CloseTimeout, queue: d.QueueSize,
	}
	set.trace = d.Trace.guarded(nil)
	c := newConn(nc, set.withDefaults())
	if f := c.set.trace.ConnStart; f != nil {
		f(c)
	}
	return c
}
