package desk

import (
	"context"
	"errors"
	"io"
	"iter"

	"duet.example/duet/event"
)

// transferPiece is how many bytes of a transfer one request has at most.
const transferPiece = 64 << 10

// Transfer is [Operator.Transfer], over a connection of its own: other requests do not wait for the peer.
func (r *Remote) Transfer(ctx context.Context, n uint64, from io.Reader) (send func() (int64, error), err error) {
	far, err := Attach(ctx, r.dial, r.operator)
	if err != nil {
		return nil, err
	}
	// Without bytes it only takes the place.
	if _, err := far.call(ctx, event.Request{Do: event.DoTransfer, Conn: n, Bytes: []byte{}, More: true}); err != nil {
		_ = far.Close()
		return nil, err
	}
	return func() (int64, error) {
		defer func() { _ = far.Close() }()
		return far.transfer(ctx, n, from)
	}, nil
}

// transfer sends from piece by piece. The count is what has left for certain. The end is a request of its own: until it is made, a
// connection that ends breaks the transfer off.
func (r *Remote) transfer(ctx context.Context, n uint64, from io.Reader) (size int64, err error) {
	piece := make([]byte, transferPiece)
	for more := true; more; {
		k, rerr := from.Read(piece)
		if rerr != nil && !errors.Is(rerr, io.EOF) {
			return size, rerr
		}
		more = rerr == nil || k > 0
		reply, err := r.call(ctx, event.Request{Do: event.DoTransfer, Conn: n, Bytes: piece[:k], More: more})
		size = max(size, reply.BytesOut)
		if err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return size, err
		}
	}
	return size, nil
}

// DeliverAll delivers bodies one after another, over a connection of its own. It stops at the first error.
func (r *Remote) DeliverAll(ctx context.Context, n uint64, bodies iter.Seq2[[]byte, error]) (messages, bytes int, err error) {
	far, err := Attach(ctx, r.dial, r.operator)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = far.Close() }()
	for body, err := range bodies {
		if err == nil {
			if body == nil {
				body = []byte{}
			}
			err = far.do(ctx, event.Request{Do: event.DoSend, Conn: n, Bytes: body, Wait: true})
		}
		if err != nil {
			return messages, bytes, err
		}
		messages++
		bytes += len(body)
	}
	return messages, bytes, nil
}
