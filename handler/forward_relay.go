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

// A relay is one conversation and the connection to its target.
type relay struct {
	h            *Forward
	f, g         *flow // the peer's and the target's
	peer, target *side

	mu     sync.Mutex
	failed error // the error of the side that failed first
	bad    *side // that side
}

// A side is one of the two connections of a relay.
type side struct {
	*flow
	mark byte // stands in the record for bytes to this side

	mu       sync.Mutex
	finished bool // FIN was sent to it
	done     bool // nothing more is read from it
}

func newRelay(h *Forward, f *flow, conn net.Conn) *relay {
	raw := wire.NewRaw(conn)
	g := newFlow(f.ctx, f.c, raw, 0, h.Send)
	g.cancel, g.began, g.partner = f.cancel, f.began, &f.watchdog
	g.fault = h.failure
	r := &relay{h: h, f: f, g: g}
	r.peer = &side{flow: f, mark: '<'}
	r.target = &side{flow: g, mark: '>'}
	g.departure.notify = func(err error) silence { return r.fail(r.target, err) }
	f.mu.Lock()
	defer f.mu.Unlock()
	f.partner, f.idle = &g.watchdog, max(h.Idle, 0)
	f.heard = f.now()
	f.departure.notify = func(err error) silence { return r.fail(r.peer, err) }
	f.schedule()
	return r
}

// run copies both ways until both directions have ended.
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

// pass copies one direction, and its end.
func (r *relay) pass(from, to *side, counted func(n int64)) {
	_, err := bulk.Copy(r.f.ctx, r.into(from, to), from.conn, counted)
	from.mu.Lock()
	from.done = true
	from.mu.Unlock()
	var unrecorded *TrafficLogError
	switch {
	case err == nil:
		r.finish(from, to)
	case r.f.ctx.Err() != nil:
	case errors.As(err, &unrecorded):
		r.f.cancel(r.h.failure(duet.EndHandlerFailed, unrecorded))
	case errors.Is(err, os.ErrDeadlineExceeded):
		r.f.cancel(r.f.peerError(err))
	case failedSide(err) == "write":
		// The bytes that it had sent before it went can still be read, and end soon.
		to.setSilence(r.fail(to, err))
	default:
		r.fail(from, err)
		_, failed := r.failure()
		r.f.cancel(failed)
	}
}

// into returns the destination of the bytes of a side. If the system cannot copy them, or must not, the watchdog sees each Write.
func (r *relay) into(from, to *side) io.Writer {
	if _, ok := from.conn.(*gauge); ok || r.h.Traffic != nil {
		return &recordedSide{to, r.h.Traffic}
	}
	return to.conn
}

// A recordedSide writes to a side in sight of its watchdog, and records the bytes if there is a log.
type recordedSide struct {
	*side
	log *TrafficLog
}

func (n *recordedSide) Write(p []byte) (int, error) {
	if err := n.log.record(n.c.ID(), n.mark, p); err != nil {
		return 0, err
	}
	return n.write(n.conn, p)
}

// SetWriteDeadline ends a copy while the side takes nothing.
func (n *recordedSide) SetWriteDeadline(t time.Time) error { return n.conn.SetWriteDeadline(t) }

// finish passes the end of a direction on, if it is a good one.
func (r *relay) finish(from, to *side) {
	if err := from.cut(); err != nil {
		r.fail(from, err)
	}
	from.flow.mu.Lock()   // waits for a look of the watchdog
	from.flow.mu.Unlock() //nolint:staticcheck // the wait is all
	switch bad, failed := r.failure(); bad {
	case nil:
	case from:
		r.f.cancel(failed)
		return
	default:
		return // the bytes that it had sent can still be read
	}
	if err := r.h.Traffic.record(r.f.c.ID(), to.mark, nil); err != nil {
		r.f.cancel(r.h.failure(duet.EndHandlerFailed, err))
		return
	}
	to.mu.Lock()
	to.finished = true
	err := to.raw.CloseWrite()
	to.mu.Unlock()
	if err != nil {
		to.setSilence(r.fail(to, err))
		return
	}
	from.endRead()
}

// cut returns an error if the end that was read was a reset. The system reports a reset once: a Write, or a look of the watchdog, may have
// had it first, and then Read reports an end.
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

// fail notes that a side has gone. It returns the silence that ends the reading of the bytes that it had sent.
func (r *relay) fail(s *side, err error) silence {
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

// conclude closes the target, and resets the peer if its end must not look like a good one. It returns how the conversation ends.
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
		// The conversation resets the peer itself.
	default:
		abort(r.f.raw)
	}
	return why
}

// abort closes with a reset, if the connection knows one.
func abort(raw *wire.RawConn) {
	if !raw.Reset() {
		_ = raw.Close()
	}
}
