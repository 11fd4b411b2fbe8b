package hostile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"time"
)

// A peer is the hostile side of a connection.
type peer struct {
	conn *net.TCPConn
	stop func() bool
}

// dial connects. The connection fails when ctx ends.
func dial(ctx context.Context, address string) (*peer, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errConnect, err)
	}
	c := nc.(*net.TCPConn)
	return &peer{c, context.AfterFunc(ctx, func() { _ = c.Close() })}, nil
}

func (p *peer) close() {
	p.stop()
	_ = p.conn.Close()
}

// abort closes with a reset.
func (p *peer) abort() {
	_ = p.conn.SetLinger(0)
	_ = p.conn.Close()
}

func (p *peer) finish() error { return p.conn.CloseWrite() }

// say sends b, in pieces now and then. A server that takes none of it for a second has held the peer up, which is its right.
func (p *peer) say(b []byte, rng *rand.Rand) error {
	for len(b) > 0 {
		n := len(b)
		if rng.IntN(3) == 0 {
			n = 1 + rng.IntN(n)
		}
		if err := p.push(b[:n], time.Second); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func (p *peer) push(b []byte, within time.Duration) error {
	_ = p.conn.SetWriteDeadline(time.Now().Add(within))
	_, err := p.conn.Write(b)
	return err
}

// hear reads what comes within d, at most once. Nothing is no error.
func (p *peer) hear(d time.Duration) (int, error) {
	_ = p.conn.SetReadDeadline(time.Now().Add(d))
	var b [4096]byte
	n, err := p.conn.Read(b[:])
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, nil
	}
	return n, err
}

// hearAll reads for d, or to the server's end, which is io.EOF.
func (p *peer) hearAll(ctx context.Context, d time.Duration) error {
	_ = p.conn.SetReadDeadline(time.Now().Add(d))
	_, err := io.Copy(io.Discard, p.conn)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case err == nil:
		return io.EOF
	}
	return err
}
