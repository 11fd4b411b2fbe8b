package duet

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"

	"duet.example/duet/transport"
)

// A Dialer connects to servers. The zero Dialer works: lines (LF), no farewell.
// Several goroutines may use it at the same time. Its fields must not be changed meanwhile.
type Dialer struct {
	// Options hold for each conversation.
	Options
	// Transport says how the connection is made, and how long that may take.
	// The zero value is ready to use.
	Transport transport.Dialer
}

// Dial connects to address with the zero Dialer.
func Dial(ctx context.Context, address string) (*Conn, error) {
	return new(Dialer).Dial(ctx, address)
}

// Dial connects to address: host:port, :port, port, unix:PATH, or a URL.
//
// If address is malformed, the error is a [transport.AddressError] or a [transport.SchemeError].
// Any other error is an [*Error]. Its Reason is EndTimeout if connecting took too long,
// EndReset if the peer reset the new connection at once, and EndNone otherwise.
func (d *Dialer) Dial(ctx context.Context, address string) (*Conn, error) {
	a, err := transport.ParseAddress(transport.DefaultConnect, address)
	if err != nil {
		return nil, err
	}
	return d.DialAddress(ctx, a)
}

// DialAddress is Dial for a parsed address.
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

// NewConn makes a conversation of a connection that was made elsewhere. The conversation owns the connection from then on.
//
// Any net.Conn works. Its own Read and Write are called, also if it embeds a *net.TCPConn. Its Close must end a Read
// that waits, as net.Conn requires. While its peer is silent, a *net.TCPConn, a *net.UnixConn or a [ReadAwaiter] needs no buffer.
func (d *Dialer) NewConn(nc net.Conn) *Conn {
	c := newConn(nc, &settings{Options: d.withDefaults(), trace: d.Trace.guarded(nil)})
	if f := c.set.trace.ConnStart; f != nil {
		f(c)
	}
	return c
}
