package handler

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"duet.example/duet"
	"duet.example/duet/internal/bulk"
	"duet.example/duet/internal/wire"
)

// A relay is one conversation and its target, which know of each other only what passes.
type relay struct {
	h            *Forward
	f, g         *flow // the peer's and the target's
	peer, target *side

	mu     sync.Mutex
	failed error // why the first of both that failed did
	bad    *side // and which it was
}

// A side is one of the two connections of a relay.
type side struct {
	*flow
	mark byte // of what is passed to it, for the record

	mu       sync.Mutex
	finished bool // FIN was sent to it
	done     bool // it has been read to its end, or as far as it will be
}

func newRelay(h *Forward, f *flow, conn net.Conn) *relay {
	raw := wire.NewRaw(conn)
	g := newFlow(f.ctx, f.c, raw, 0, h.Send)
	g.cancel, g.began, g.partner = f.cancel, f.began, &f.watchdog
	g.fault = h.failure
	r := &relay{h: h, f: f, g: g}
	r.peer = &side{flow: f, mark: '<'}
	r.target = &side{flow: g, mark: '>'}
	g.departure.notify = func(err error) silence { return r.broke(r.target, err) }
	f.mu.Lock()
	defer f.mu.Unlock()
	f.partner, f.idle = &g.watchdog, max(h.Idle, 0)
	f.heard = f.now()
	f.departure.notify = func(err error) silence { return r.broke(r.peer, err) }
	f.schedule()
	return r
}

// run passes bytes both ways until both directions have ended.
func (r *relay) run() error {
	down := make(chan struct{})
	go func() {
		defer close(down)
		r.pass(r.target, r.peer, func(n int64) {
			r.f.noteSent(n)
			r.g.noteReceived(n)
			r.g.watch()
		})
	}()
	r.pass(r.peer, r.target, func(n int64) {
		r.f.noteReceived(n)
		r.f.watch()
		r.g.noteSent(n)
	})
	<-down
	return r.conclude()
}

// pass copies one direction, and the end of it.
func (r *relay) pass(from, to *side, counted func(n int64)) {
	_, err := bulk.Copy(r.f.ctx, r.into(from, to), from.conn, counted)
	from.mu.Lock()
	from.done = true
	from.mu.Unlock()
	var unrecorded *TeeError
	switch {
	case err == nil:
		r.finish(from, to)
	case r.f.ctx.Err() != nil:
	case errors.As(err, &unrecorded):
		r.f.cancel(r.h.failure(duet.EndHandlerFailed, unrecorded))
	case errors.Is(err, os.ErrDeadlineExceeded):
		r.f.cancel(r.f.peerError(err))
	case failedSide(err) == "write":
		// What it had said before it was gone can still be read, and ends soon.
		to.setSilence(r.broke(to, err))
	default:
		r.broke(from, err)
		_, failed := r.failure()
		r.f.cancel(failed)
	}
}

// into is what the bytes of one side are written to. Where the system cannot copy them, or must not, it is known when somebody writes.
func (r *relay) into(from, to *side) io.Writer {
	if _, ok := from.conn.(*gauge); ok || r.h.Tee != nil {
		return &noted{to, r.h.Tee}
	}
	return to.conn
}

// A noted side is written to with a record, if there is a Tee, and in sight of who looks.
type noted struct {
	*side
	tee *Tee
}

func (n *noted) Write(p []byte) (int, error) {
	if err := n.tee.record(n.c.ID(), n.mark, p); err != nil {
		return 0, err
	}
	return n.write(n.conn, p)
}

// SetWriteDeadline lets a copy be ended while the side takes nothing.
func (n *noted) SetWriteDeadline(t time.Time) error { return n.conn.SetWriteDeadline(t) }

// finish passes the end of a direction on, if it is a good one.
func (r *relay) finish(from, to *side) {
	if err := from.cut(); err != nil {
		r.broke(from, err)
	}
	from.flow.mu.Lock()   // a look at it may be under way
	from.flow.mu.Unlock() //nolint:staticcheck // it has ended, that is all
	switch bad, failed := r.failure(); bad {
	case nil:
	case from:
		r.f.cancel(failed)
		return
	default:
		return // what it had said can still be read
	}
	if err := r.h.Tee.record(r.f.c.ID(), to.mark, nil); err != nil {
		r.f.cancel(r.h.failure(duet.EndHandlerFailed, err))
		return
	}
	to.mu.Lock()
	to.finished = true
	err := to.raw.CloseWrite()
	to.mu.Unlock()
	if err != nil {
		to.setSilence(r.broke(to, err))
		return
	}
	from.endRead()
}

// cut tells a reset that was read as an end, because somebody who wrote, or looked, was told of it first.
func (s *side) cut() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.raw.RemoteAddr()
	if s.finished || a == nil || a.Network() != "tcp" {
		return nil
	}
	if err := s.inspector.writeError(); err != nil {
		return fmt.Errorf("the connection was reset: %w", err)
	}
	return nil
}

// broke notes that a side is gone. It gives the silence that ends what can still be read from it.
func (r *relay) broke(s *side, err error) silence {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		r.failed, r.bad = s.peerError(err), s
	}
	quiet := silence{limit: duet.DefaultCloseTimeout, received: true, cause: r.failed}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		quiet.limit = time.Millisecond
	}
	return quiet
}

func (r *relay) failure() (bad *side, failed error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bad, r.failed
}

// conclude closes the target, and the peer where its end must not look like a good one, and tells how it ended.
func (r *relay) conclude() error {
	why := r.f.cause(nil)
	bad, failed := r.failure()
	if why == nil {
		why = failed
	}
	if why == nil {
		why = r.f.lost(false)
	}
	if why == nil {
		why = r.g.lost(false)
	}
	if why == nil {
		_ = r.g.raw.Close()
		return io.EOF
	}
	switch {
	case failed == nil || duet.ReasonOf(why) != duet.ReasonOf(failed):
	case bad == r.peer:
		r.target.awaitDelivery()
	default:
		r.peer.awaitDelivery()
	}
	abort(r.g.raw)
	switch duet.ReasonOf(why) {
	case duet.EndReset, duet.EndTimeout, duet.EndSlowPeer:
		// How the conversation ends resets it.
	default:
		abort(r.f.raw)
	}
	return why
}

// abort closes with a reset, if there is such a thing.
func abort(raw *wire.RawConn) {
	if !raw.Reset() {
		_ = raw.Close()
	}
}
