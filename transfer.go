package duet

import (
	"cmp"
	"context"
	"errors"
	"io"

	"duet.example/duet/internal/wire"
)

// A Transfer is a place in a conversation's queue for any number of bytes. They leave unchanged
// and in one piece: after all that was sent or posted before, and before everything else.
//
// [Transfer.SendFrom] sends them. It must be called once, because the rest of the queue waits for it.
type Transfer struct {
	conn *Conn
	item *item         // its place in the queue
	turn chan struct{} // closed when the place is first in the queue, or when the transfer is refused

	ctx    context.Context // ends if the transfer must not go on; its cause says why
	cancel context.CancelCauseFunc

	// Under sendState.mu:
	writing bool  // SendFrom is in a write: only SendFrom may release the right to write
	done    bool  // it has released the right to write, or was refused
	sent    int64 // number of bytes that have left
}

// Transfer takes a place in the queue and returns at once. Its errors are those of [Conn.Post].
func (c *Conn) Transfer() (*Transfer, error) {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := cmp.Or(c.maySend(), c.canSend()); err != nil {
		return nil, err
	}
	t := &Transfer{conn: c, turn: make(chan struct{})}
	t.ctx, t.cancel = context.WithCancelCause(context.Background())
	t.item = &item{transfer: t}
	c.enqueue(t.item)
	return t, nil
}

// SendFrom waits for the transfer's turn. Then it sends the bytes of from until io.EOF, in pieces of at most 64 KiB. It
// returns when the system has all of them. n is the number of bytes that the system has taken, also if there is an error.
//
// If ctx ends or from fails before a byte has left, nothing is sent and the conversation goes on. If that happens later, the conversation
// ends as cut, because the peer must not take a part for the whole. If the conversation ends, the transfer fails. A Read of from that
// waits then is not interrupted, and its bytes are dropped.
func (t *Transfer) SendFrom(ctx context.Context, from io.Reader) (n int64, err error) {
	defer t.cancel(nil)
	ctx = t.conn.waitContext(ctx)
	stop := context.AfterFunc(ctx, func() { t.cancel(ctx.Err()) })
	defer stop()
	if err := t.await(ctx); err != nil {
		return 0, err
	}
	buf := wire.Chunk()
	defer wire.FreeChunk(buf)
	for {
		k, rerr := from.Read(buf[:])
		if k > 0 {
			w, err := t.write(buf[:k])
			n += int64(w)
			if err != nil {
				return n, t.end(err)
			}
		}
		switch {
		case errors.Is(rerr, io.EOF):
			return n, t.end(nil)
		case rerr != nil:
			return n, t.end(rerr)
		}
	}
}

// await waits for the transfer's turn. If ctx ends first, it takes the transfer out of the queue.
func (t *Transfer) await(ctx context.Context) error {
	select {
	case <-t.turn:
	case <-ctx.Done():
		if t.conn.withdraw(t.item) {
			return t.conn.contextError(ctx)
		}
		<-t.turn
	}
	t.conn.out.mu.Lock()
	done := t.done
	t.conn.out.mu.Unlock()
	switch {
	case done:
		return t.conn.error("send", context.Cause(t.ctx))
	case ctx.Err() != nil:
		return t.end(t.conn.contextError(ctx))
	}
	return nil
}

// begin gives the transfer the right to write. It returns false if it refuses the transfer, because the conversation ends.
// sendState.mu is held.
func (t *Transfer) begin() bool {
	c := t.conn
	// This comes before the look at the reason: requestEnd notes the reason first, and then obeyRequest cancels the transfer that it finds here.
	x := c.makeExtras()
	x.transfer.Store(t)
	why := c.out.err
	if stopped := c.life.request(); why == nil && stopped != EndNone {
		why = c.life.requestError()
	} else if why == nil && c.life.isClosing() {
		why = ErrClosed
	}
	if why == nil {
		close(t.turn)
		return true
	}
	x.transfer.Store(nil)
	t.refuse(why)
	return false
}

// refuse ends a transfer that gets no turn. sendState.mu is held.
func (t *Transfer) refuse(why error) {
	t.done = true
	t.cancel(why)
	close(t.turn)
}

// write hands b to the system.
func (t *Transfer) write(b []byte) (int, error) {
	c, o := t.conn, &t.conn.out
	o.mu.Lock()
	canWrite := !t.done && t.ctx.Err() == nil
	t.writing = canWrite
	o.mu.Unlock()
	if !canWrite {
		return 0, context.Cause(t.ctx)
	}
	n, err := 0, c.awaitGap(t.ctx, 0)
	if err == nil {
		n, err = c.wire.Write(t.ctx, b, c.set.SendTimeout)
		c.bytesOut.Add(int64(n))
		c.traceWrote(n, err)
		c.out.lastOut, c.out.lastGap = c.wire.Now(), 0
		if err != nil && t.ctx.Err() == nil {
			err = c.sendFailed(err)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	t.writing = false
	t.sent += int64(n)
	if t.ctx.Err() != nil { // also if all of b has left: breakTransfer does not release the right to write during a write
		err = context.Cause(t.ctx)
	}
	return n, err
}

// end releases the right to write. If there is an error and bytes have left, the conversation ends.
func (t *Transfer) end(err error) error {
	c, o := t.conn, &t.conn.out
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case !t.done:
		t.release(err != nil)
	case err == nil:
		err = context.Cause(t.ctx) // breakTransfer has released the right to write while from was read
	}
	var de *Error
	if err == nil || errors.As(err, &de) {
		return err
	}
	return c.error("send", err)
}

// release passes the right to write on. If the transfer is broken off and bytes have left, the conversation ends.
// sendState.mu is held.
func (t *Transfer) release(broken bool) {
	c := t.conn
	t.done = true
	c.makeExtras().transfer.Store(nil)
	if broken && t.sent > 0 && c.out.err == nil {
		why := ErrBrokenOff
		if stopped := c.life.request(); stopped != EndNone {
			why = c.life.requestError()
		}
		c.failSending(why)
	}
	c.release()
}

// breakTransfer ends the transfer that has its turn, because the conversation ends. If that transfer waits for its reader, it loses the
// right to write at once, so that the end does not wait for the reader.
func (c *Conn) breakTransfer() {
	x := c.extras.Load()
	if x == nil {
		return
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	t := x.transfer.Load()
	if t == nil {
		return
	}
	t.cancel(ErrClosed)
	if !t.writing {
		t.release(true)
	}
}

// isTransferring reports whether a transfer has its turn. sendState.mu is held.
func (c *Conn) isTransferring() bool {
	x := c.extras.Load()
	return x != nil && x.transfer.Load() != nil
}

// stopTransfer makes the transfer that has its turn, if there is one, fail with err.
func (c *Conn) stopTransfer(err error) {
	if x := c.extras.Load(); x != nil {
		if t := x.transfer.Load(); t != nil {
			t.cancel(err)
		}
	}
}
