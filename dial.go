package duet

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"

	"duet.example/duet/transport"
)

// A Dialer connects to servers. The zero Dialer works: lines (LF), no farewell. It may
// be used by several goroutines at the same time; fields must not be changed meanwhile.
type Dialer struct {
	// Options hold for each conversation.
	Options
	// Transport says how the connection is made, and for how long that is tried. The zero value does.
	Transport transport.Dialer
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
// Any net.Conn works. Its own Read and Write are called, also if it embeds a *net.TCPConn. Its Close must end a Read that waits, as
// net.Conn says. Beside a *net.TCPConn and a *net.UnixConn, a connection that implements [ReadAwaiter] needs no buffer while its peer is silent.
func (d *Dialer) NewConn(nc net.Conn) *Conn {
	c := newConn(nc, &settings{Options: d.withDefaults(), trace: d.Trace.guarded(nil)})
	if f := c.set.trace.ConnStart; f != nil {
		f(c)
	}
	return c
}
