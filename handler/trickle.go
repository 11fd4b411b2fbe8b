package handler

import (
	"context"
	"errors"
	"io"
	"time"

	"duet.example/duet"
	"duet.example/duet/internal/aside"
	"duet.example/duet/internal/bulk"
)

// A trickle is a flow whose bytes come a little at a time, until much comes. Most conversations are in it all the
// time, waiting, so what it keeps on the stack across a wait is as little as can be, and it watches no context: the end of the conversation's own
// sets the connection's deadlines.
type trickle struct {
	*flow
	little *bulk.Little // nil: this connection is not of the kind
}

// errMuch: what comes is more than a little.
var errMuch = errors.New("much is coming")

// takeTrickle is take, aside from the conversation's stack.
func takeTrickle(ctx context.Context, c *duet.Conn, idle, send time.Duration) (t trickle, err error) {
	aside.Do(func() {
		if ctx == c.Context() {
			t, err = newTrickle(ctx, c, idle, send)
		} else {
			t.flow, err = take(ctx, c, idle, send)
		}
	})
	return t, err
}

func newTrickle(ctx context.Context, c *duet.Conn, idle, send time.Duration) (t trickle, err error) {
	if t.flow, err = newFlow(ctx, c, idle, send); err != nil {
		return t, err
	}
	if t.little = bulk.NewLittle(t.conn); t.little == nil {
		t.bulk()
	}
	t.begin()
	return t, nil
}

// end ends the watching, and the use of the connection.
func (t *trickle) end() {
	if t.little != nil {
		t.little.Close()
	}
	t.flow.end()
}

// run is what little comes, given back or thrown away. errMuch: the rest is for bulk.Copy.
func (t *trickle) run(back bool) error {
	if t.little == nil {
		return errMuch
	}
	for {
		t.little.Wait()
		if err := t.pass(back); err != nil {
			return err
		}
	}
}

// pass takes what has come. io.EOF: nothing more does.
//
//go:noinline
func (t *trickle) pass(back bool) error {
	defer t.little.Done()
	b, err := t.little.Got()
	switch {
	case err != nil:
		return err
	case len(b) == 0:
		return io.EOF
	}
	t.received(int64(len(b)))
	if back {
		if err := t.giveBack(b); err != nil {
			return err
		}
	}
	if len(b) == bulk.LittleMost {
		return t.much()
	}
	return nil
}

// giveBack writes b. It is looked at only where the peer does not take it at once.
func (t *trickle) giveBack(b []byte) error {
	n, err := t.little.Return()
	if err != nil || n == len(b) {
		t.went.Store(int64(t.now()))
		return err
	}
	k, err := t.write(t.conn, b[n:])
	t.sent(int64(k))
	if err != nil {
		return &bulk.SideError{Op: "write", Err: err}
	}
	return nil
}

// much gives the flow what bulk.Copy needs, unless it was told to end before.
func (t *trickle) much() error {
	t.bulk()
	if err := t.told(); err != nil {
		return err
	}
	return errMuch
}
