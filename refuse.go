package duet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"duet.example/duet/internal/wire"
)

// Bounds of the refusals with Server.Busy. Peers beyond maxRefusals are closed without it.
const (
	refusalTime = time.Second // the longest time that one refusal takes
	maxRefusals = 64          // at the same time; fewer if capacity is less than 16 * maxRefusals
	busyRead    = 512         // bytes that are read at once from a refused peer
)

// admit makes a conversation of a connection. After an error, the caller must call refuse. admit reserves a place before it calls
// Server.Admit, so that an admitted peer always has a conversation.
func (s *Server) admit(nc net.Conn) (*Conn, error) {
	err := s.reserve(1)
	if errors.Is(err, ErrFull) && s.findLost() {
		err = s.reserve(0)
	}
	if err != nil {
		return nil, err
	}
	if s.Admit != nil {
		if err := s.Admit(s.ctx, nc.RemoteAddr()); err != nil {
			s.mu.Lock()
			s.reserved--
			s.mu.Unlock()
			return nil, err
		}
	}
	return s.enroll(nc), nil
}

// reserve takes a place for a conversation. The error says why there is none. In either case it adds more to serving.
func (s *Server) reserve(more int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.init()
	s.serving += more
	switch {
	case s.closed:
		return ErrServerClosed
	case s.limit > 0 && len(s.conns)-s.vanished+s.reserved >= s.limit:
		return fmt.Errorf("%w: already %d conversations", ErrFull, s.limit)
	}
	s.reserved++
	return nil
}

// enroll makes a conversation, in the place that reserve took. If the server was closed meanwhile, the conversation ends at once.
func (s *Server) enroll(nc net.Conn) *Conn {
	c := newConn(nc, s.set)
	s.mu.Lock()
	s.reserved--
	s.lastID++
	c.id = s.lastID
	s.conns[c.id] = c
	c.set.budget.resize(len(s.conns))
	closed := s.closed
	s.expectFailures(c)
	s.mu.Unlock()
	switch {
	case s.cut.Load():
		_ = c.cut(EndShutdown)
	case closed:
		c.requestEnd(EndShutdown, nil)
	}
	return c
}

// refuse refuses a connection. It closes the connection and returns nil, or it returns a function that sends Busy first, and may wait
// for the peer for as long as limit.
func (s *Server) refuse(nc net.Conn, why error) (answer func(limit time.Duration)) {
	if f := s.set.trace.Refused; f != nil {
		f(nc.RemoteAddr(), why)
	}
	if !s.beginRefusal() {
		_ = nc.Close()
		s.mu.Lock()
		s.endServing()
		s.mu.Unlock()
		return nil
	}
	return func(limit time.Duration) {
		sendBusy(s.ctx, nc, s.busy, limit)
		s.mu.Lock()
		s.refusals--
		s.endServing()
		s.mu.Unlock()
	}
}

// beginRefusal counts one more in refusals. It returns false if Busy cannot be sent.
func (s *Server) beginRefusal() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.busy) == 0 || s.closed || s.refusals >= s.refusalLimit {
		return false
	}
	s.refusals++
	return true
}

// sendBusy sends busy and closes in good order: half-close, read to the peer's end, close, all within limit. [C-16]
func sendBusy(ctx context.Context, nc net.Conn, busy []byte, limit time.Duration) {
	var w wire.Conn
	w.Init(nc, nil)
	defer w.AwaitEnd()
	defer func() { _ = w.Close() }()
	if _, err := w.Write(ctx, busy, limit); err != nil {
		return
	}
	possible, err := w.HalfClose()
	if err != nil || !possible && w.IsInMemory() {
		return
	}
	stop := context.AfterFunc(ctx, w.Interrupt)
	defer stop()
	end := wire.Beginning.After(limit)
	for left := drainLimit; left > 0 && ctx.Err() == nil && w.Now() < end; {
		until := end
		if !possible {
			until = min(end, w.Now().After(silenceLimit))
		}
		if !w.Arm(until, false) {
			continue
		}
		w.Read(min(left, busyRead))
		b, err := w.Got()
		left -= len(b)
		w.Done()
		if err != nil {
			return
		}
	}
}

// refusalError returns the error of ServeNetConn for a peer that was not admitted.
func refusalError(nc net.Conn, err error) error {
	if errors.Is(err, ErrServerClosed) {
		return err
	}
	return &Error{Op: "accept", Addr: addrText(nc.RemoteAddr()), Reason: EndRefused, Err: err}
}
