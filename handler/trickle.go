package handler

import (
	"context"
	"errors"
	"io"
	"time"

	"duet.example/duet"
	"duet.example/duet/internal/bulk"
	"duet.example/duet/internal/wire"
)

// A trickle is a conversation whose bytes come a few at a time, until many come. Most conversations are in this state nearly all the
// time, and wait. So a trickle is small, keeps little on the stack while it waits, and makes a flow only when one is needed. It watches no
// context: the end of the conversation sets the deadlines of its connection.
type trickle struct {
	c      *duet.Conn
	send   time.Duration
	little bulk.SmallReader
	flow   *flow // nil until something has to be watched; not nil with an idle limit
}

// errMany says that many bytes come.
var errMany = errors.New("many bytes are coming")

// newTrickle takes over the bytes of c. The caller calls stop.
func newTrickle(ctx context.Context, c *duet.Conn, idle, send time.Duration) (*trickle, error) {
	raw, err := takeRaw(ctx, c)
	if err != nil {
		return nil, err
	}
	t := &trickle{c: c, send: send}
	few := ctx == c.Context() && t.little.Init(raw)
	if !few || idle > 0 {
		t.flow = newFlow(ctx, c, raw, idle, send)
		if !few {
			t.flow.makeContext()
		}
		t.flow.start()
	}
	return t, nil
}

// stop ends the watching, and the use of the connection.
func (t *trickle) stop() {
	t.little.Close()
	if t.flow != nil {
		t.flow.stop()
	}
}

// run reads the bytes that come, and sends them back or throws them away. After errMany, the flow is for bulk.Copy.
func (t *trickle) run(back bool) error {
	if t.flow != nil && t.flow.cancel != nil {
		return errMany // little cannot read this connection
	}
	for {
		t.little.Wait()
		if err := t.pass(back); err != nil {
			return err
		}
	}
}

// pass handles the bytes of one read. io.EOF: no more follow.
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
	if t.flow != nil {
		t.flow.noteReceived(int64(len(b)))
	}
	if back {
		if err := t.sendBack(b); err != nil {
			return err
		}
	}
	if len(b) == bulk.SmallReadSize {
		return t.many()
	}
	return nil
}

// sendBack writes b. A watchdog looks at it only if the peer does not take b at once.
func (t *trickle) sendBack(b []byte) error {
	n, err := t.little.WriteBack()
	if err != nil || n == len(b) {
		return err
	}
	f := t.needFlow()
	k, err := f.write(f.conn, b[n:])
	f.noteSent(int64(k))
	if err != nil {
		return &bulk.SideError{Op: "write", Err: err}
	}
	return nil
}

// needFlow returns the flow, and makes it if there is none.
func (t *trickle) needFlow() *flow {
	if t.flow == nil {
		t.flow = newFlow(t.c.Context(), t.c, t.little.Source().(*wire.RawConn), 0, t.send)
	}
	return t.flow
}

// many gives the flow the context that bulk.Copy needs, unless the flow was ended before.
func (t *trickle) many() error {
	f := t.needFlow()
	f.makeContext()
	if err := f.endBefore(); err != nil {
		return err
	}
	return errMany
}
