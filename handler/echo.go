package handler

import (
	"context"
	"errors"
	"io"
	"time"

	"duet.example/duet"
	"duet.example/duet/internal/bulk"
)

// Echo gives back what the peer says (RFC 862). The zero Echo copies bytes.
//
// Half-close: after the peer's FIN everything that is still on its way is given back, and
// then FIN. Endings: `peer-closed`; in framed mode also `farewell`, which the conversation answers by
// itself and Echo does not repeat; `reset` where the peer was gone before it had everything; `slow-peer`;
// `idle`; `closed` where a message cannot go back as it came, as "x\r" in lines that end with LF. One Echo may
// serve any number of conversations at the same time.
type Echo struct {
	// Framed echoes message by message, with the framing of the conversation. Otherwise bytes are
	// copied as they come, by the kernel where it can.
	Framed bool
	// Idle ends a conversation whose bytes are copied when nothing was received for so long. Zero: never. A
	// framed one has the IdleTimeout of its server.
	Idle time.Duration
	// Send ends a conversation whose bytes are copied when the peer takes nothing for so long. Zero is
	// duet.DefaultSendTimeout; below zero never. A framed one has the SendTimeout of its server.
	Send time.Duration
}

var _ duet.Handler = Echo{}

// ServeConn echoes until the peer's end.
func (e Echo) ServeConn(ctx context.Context, c *duet.Conn) error {
	if e.Framed {
		return echoMessages(ctx, c)
	}
	return e.bytes(ctx, c)
}

// bytes is a function of its own, so that its frame is not on the stack of a conversation that waits for a message.
func (e Echo) bytes(ctx context.Context, c *duet.Conn) error {
	t, err := newTrickle(ctx, c, e.Idle, e.Send)
	if err != nil {
		return err
	}
	defer t.stop()
	err = t.run(true)
	if errors.Is(err, errMany) {
		err = echoMany(t.flow)
	}
	return t.needFlow().conclude(err, true)
}

func echoMany(f *flow) error {
	_, err := bulk.Copy(f.ctx, f.conn, f.conn, func(n int64) {
		f.noteReceived(n)
		f.noteSent(n)
	})
	return err
}

// conclude returns how the conversation ends after a copy that has ended with err. If the copy has answered the peer, bytes may still
// be lost.
func (f *flow) conclude(err error, answered bool) error {
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err == nil && answered {
		f.awaitDelivery()
		err = f.lost(true)
	}
	if err != nil {
		return f.cause(f.peerError(err))
	}
	return io.EOF
}

func echoMessages(ctx context.Context, c *duet.Conn) error {
	for {
		m, err := c.Receive(ctx)
		if err != nil {
			return ended(c, err)
		}
		if m.Farewell {
			continue
		}
		switch err := c.Send(ctx, m.Body); {
		case errors.Is(err, duet.ErrDelimiter):
			// A peer can bring this about as often as it likes: it is no fault of the handler's to be logged.
			return failure(c, "echo", duet.EndClosed, err)
		case err != nil:
			return ended(c, err)
		}
	}
}
