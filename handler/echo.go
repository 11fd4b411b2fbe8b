package handler

import (
	"context"
	"errors"
	"io"
	"time"

	"duet.example/duet"
	"duet.example/duet/internal/bulk"
)

// Echo sends back everything that the peer sends (RFC 862). The zero Echo copies bytes.
//
// After the peer's FIN, Echo sends back the rest, and then FIN.
//
// Endings: `peer-closed`; `reset` if the peer had gone before it had everything; `slow-peer`; `idle`. A Framed one also ends as `farewell`,
// which the conversation answers and Echo does not repeat. It ends as `closed` if a message cannot be sent back as it came: "x\r" in lines
// that end with LF.
//
// One Echo may serve any number of conversations at the same time.
type Echo struct {
	// Framed makes Echo send back messages, in the framing of the conversation. Otherwise it copies bytes as they come, and the system
	// does so by itself if it can.
	Framed bool
	// Idle is the time after which a conversation ends if nothing is received. Zero: none. It has no effect if Framed is set; set the
	// IdleTimeout of the server then.
	Idle time.Duration
	// Send is the time after which a conversation ends, as `slow-peer`, if the peer takes nothing of what waits for it. Zero is
	// duet.DefaultSendTimeout; below zero there is no limit. It has no effect if Framed is set; set the SendTimeout of the server then.
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
		switch err := c.Send(ctx, m.Body); {
		case errors.Is(err, duet.ErrDelimiter):
			// A peer can cause this as often as it likes, so it is not logged as a failure of the handler.
			return failure(c, "echo", duet.EndClosed, err)
		case err != nil:
			return ended(c, err)
		}
	}
}
