package duet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"duet.example/duet/internal/wire"
)

// A peer that is not let in is told so: for refusalTime at the most, and maxRefusals at a time, or one for sixteen
// conversations where descriptors are few; who comes beyond that is just closed.
const (
	refusalTime = time.Second
	maxRefusals = 64
	busyRead    = 512 // how much of what such a peer says is read at once
)

// admit makes a conversation of a connection. An error says why not; refuse must follow. The server's own place is
// taken before Admit is asked, so that who was admitted has a conversation, from ConnStart to ConnEnd.
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

// reserve takes a place for a conversation, unless it says why there is none. Either way Shutdown waits for so many more.
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

// enroll makes a conversation of the place that reserve took. Where the server was closed meanwhile, it ends at once.
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

// refuse does not let a connection in. It closes it, or returns what tells the peer first and may wait for it.
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

// beginRefusal takes a place among those who are told at the same time.
func (s *Server) beginRefusal() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.busy) == 0 || s.closed || s.refusals >= s.refusalLimit {
		return false
	}
	s.refusals++
	return true
}

// sendBusy says words and closes in good order: half-close, read to the peer's end, close, all within limit. [C-16]
func sendBusy(ctx context.Context, nc net.Conn, words []byte, limit time.Duration) {
	var w wire.Conn
	w.Init(nc, nil)
	defer w.AwaitEnd()
	defer func() { _ = w.Close() }()
	if _, err := w.Write(ctx, words, limit); err != nil {
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

func refusalError(nc net.Conn, err error) error {
	if errors.Is(err, ErrServerClosed) {
		return err
	}
	return &Error{Op: "accept", Addr: addrText(nc.RemoteAddr()), Reason: EndRefused, Err: err}
}
