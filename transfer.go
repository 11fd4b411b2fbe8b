package duet

import (
	"cmp"
	"context"
	"errors"
	"io"

	"duet.example/duet/internal/wire"
)

// A Transfer is a place in a conversation's queue for any number of bytes. They leave exactly as they are
// and in one piece: what was sent or posted before leaves before them, everything else after them.
//
// [Transfer.SendFrom] sends them and must be called, once: the rest of the queue waits for it.
type Transfer struct {
	conn *Conn
	item *outgoing     // its place in the queue
	turn chan struct{} // closed when the place has come to the front, or no longer will

	ctx    context.Context // ends when the transfer may not go on; its cause says why
	cancel context.CancelCauseFunc

	// Under sendState.mu:
	writing bool  // SendFrom writes, so the right to write cannot be taken from it
	over    bool  // it has no right to write any more
	sent    int64 // bytes that have left
}

// Transfer takes a place in the queue and returns at once. Errors are those of [Conn.Post].
func (c *Conn) Transfer() (*Transfer, error) {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := cmp.Or(c.maySend(), c.canSend()); err != nil {
		return nil, err
	}
	t := &Transfer{conn: c, turn: make(chan struct{})}
	t.ctx, t.cancel = context.WithCancelCause(context.Background())
	t.item = &outgoing{transfer: t}
	c.enqueue(t.item)
	return t, nil
}

// SendFrom waits for the transfer's turn, then sends what from gives until its io.EOF, in pieces of at most 64 KiB. It
// returns when the system has all of it. n is the number of bytes that the system has taken, also with an error.
//
// When ctx ends or from fails before a byte has left, nothing is sent and the conversation goes on. Later, the conversation
// ends as cut, because the peer must not take a part for the whole. A conversation that ends ends the
// transfer; a Read that waits is not interrupted, and its bytes are dropped.
func (t *Transfer) SendFrom(ctx context.Context, from io.Reader) (n int64, err error) {
	defer t.cancel(nil)
	ctx = t.conn.watched(ctx)
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

// await waits for the transfer's turn. It leaves the queue when ctx ends before.
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
	over := t.over
	t.conn.out.mu.Unlock()
	switch {
	case over:
		return t.conn.error("send", context.Cause(t.ctx))
	case ctx.Err() != nil:
		return t.end(t.conn.contextError(ctx))
	}
	return nil
}

// begin gives the transfer its turn and, with it, the right to write. It reports whether the transfer takes
// it: nothing is transferred any more in a conversation that ends. sendState.mu is held.
func (t *Transfer) begin() bool {
	c := t.conn
	// stop cancels what it finds here, so this comes before the look at what stop has left.
	x := c.rarely()
	x.transfer.Store(t)
	why := c.out.err
	if stopped := c.stopReason(); why == nil && stopped != EndNone {
		why = c.stopError(stopped)
	} else if why == nil && c.closing.Load() {
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

// refuse ends a transfer that will not have its turn. sendState.mu is held.
func (t *Transfer) refuse(why error) {
	t.over = true
	t.cancel(why)
	close(t.turn)
}

// write hands b to the system.
func (t *Transfer) write(b []byte) (int, error) {
	c, o := t.conn, &t.conn.out
	o.mu.Lock()
	canWrite := !t.over && t.ctx.Err() == nil
	t.writing = canWrite
	o.mu.Unlock()
	if !canWrite {
		return 0, context.Cause(t.ctx)
	}
	n, err := 0, c.mayWrite(t.ctx, 0)
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
	if t.ctx.Err() != nil { // also after all of b: breakTransfer leaves it to the writer to give up
		err = context.Cause(t.ctx)
	}
	return n, err
}

// end gives the right to write back. With an error, and if bytes have left, the conversation ends.
func (t *Transfer) end(err error) error {
	c, o := t.conn, &t.conn.out
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case !t.over:
		t.leave(err != nil)
	case err == nil:
		err = context.Cause(t.ctx) // the right to write was taken while from was read
	}
	var de *Error
	if err == nil || errors.As(err, &de) {
		return err
	}
	return c.error("send", err)
}

// leave hands the right to write on. A transfer that is broken off after bytes have left ends the conversation.
// sendState.mu is held.
func (t *Transfer) leave(broken bool) {
	c := t.conn
	t.over = true
	c.rarely().transfer.Store(nil)
	if broken && t.sent > 0 && c.out.err == nil {
		why := ErrBrokenOff
		if stopped := c.stopReason(); stopped != EndNone {
			why = c.stopError(stopped)
		}
		c.failSending(why)
	}
	c.release()
}

// breakTransfer ends the transfer that is under way, for the conversation that ends. One that waits for its reader is passed over, so that
// the end need not wait for it.
func (c *Conn) breakTransfer() {
	x := c.seldom.Load()
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
		t.leave(true)
	}
}

// isTransferring reports whether a transfer has its turn. sendState.mu is held.
func (c *Conn) isTransferring() bool {
	x := c.seldom.Load()
	return x != nil && x.transfer.Load() != nil
}

// stopTransfer has the transfer that is under way, if there is one, fail with err.
func (c *Conn) stopTransfer(err error) {
	if x := c.seldom.Load(); x != nil {
		if t := x.transfer.Load(); t != nil {
			t.cancel(err)
		}
	}
}
