package handler

import (
	"context"
	"errors"
	"io"
	"time"

	"duet.example/duet"
	"duet.example/duet/internal/bulk"
)

// Discard reads what the peer says and throws it away (RFC 863). The zero Discard
// reads bytes.
//
// Half-close: the peer's FIN is answered with FIN; nothing else is ever sent, except, in framed mode, the
// answer to a farewell. Endings: `peer-closed`, `farewell`, `reset`, `idle`. One Discard may serve any number of
// conversations at the same time.
type Discard struct {
	// Framed reads messages, with the framing of the conversation, so that its farewell and its longest
	// message hold. Otherwise it reads bytes.
	Framed bool
	// Idle ends a conversation whose bytes are read when nothing was received for so long. Zero: never. A
	// framed one has the IdleTimeout of its server.
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
