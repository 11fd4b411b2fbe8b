package handler

import (
	"context"
	"errors"
	"io"
	"time"

	"duet.example/duet"
	"duet.example/duet/internal/bulk"
)

// Discard reads everything that the peer sends and throws it away (RFC 863). The zero Discard reads bytes.
//
// The peer's FIN is answered with FIN. Discard sends nothing else, except that a Framed one answers the farewell.
//
// Endings: `peer-closed`, `farewell`, `reset`, `idle`.
//
// One Discard may serve any number of conversations at the same time.
type Discard struct {
	// Framed makes Discard read messages, so that the farewell and the longest message of the conversation hold. Otherwise it reads
	// bytes.
	Framed bool
	// Idle is the time after which a conversation ends if nothing is received. Zero: none. It has no effect if Framed is set; set the
	// IdleTimeout of the server then.
	Idle time.Duration
}

var _ duet.Handler = Discard{}

// ServeConn reads until the peer's end.
func (d Discard) ServeConn(ctx context.Context, c *duet.Conn) error {
	if d.Framed {
		return discardMessages(ctx, c)
	}
	return d.bytes(ctx, c)
}

func discardMessages(ctx context.Context, c *duet.Conn) error {
	for {
		if _, err := c.Receive(ctx); err != nil {
			return ended(c, err)
		}
	}
}

func (d Discard) bytes(ctx context.Context, c *duet.Conn) error {
	t, err := newTrickle(ctx, c, d.Idle, -1)
	if err != nil {
		return err
	}
	defer t.stop()
	err = t.run(false)
	if errors.Is(err, errMany) {
		_, err = bulk.Copy(t.flow.ctx, io.Discard, t.flow.conn, t.flow.noteReceived)
	}
	return t.needFlow().conclude(err, false)
}
