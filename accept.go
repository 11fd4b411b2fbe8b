package duet

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

// Accepting that fails for a while is tried again after these waits, as net/http does.
const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// logEvery is how often a failure that lasts is logged.
const logEvery = 10 * time.Second

// accept is the accept loop of one listener.
func (s *Server) accept(l net.Listener) error {
	sp := &spare{l: l}
	defer sp.close()
	if len(s.busy) > 0 {
		sp.open()
	}
	var pause time.Duration
	var logged time.Time
	for {
		nc, err := l.Accept()
		if err == nil {
			pause = 0
			s.begin(nc)
			continue
		}
		if err := s.closedError(l); err != nil {
			return err
		}
		if !isTemporary(err) {
			return &Error{Op: "accept", Addr: addrText(l.Addr()), Err: err}
		}
		if exhausted(err) && s.findLost() {
			continue // there are descriptors now
		}
		pause = min(max(2*pause, acceptPauseMin), acceptPauseMax)
		if f := s.set.trace.AcceptPaused; f != nil {
			f(err, pause)
		}
		if now := time.Now(); now.Sub(logged) >= logEvery {
			logged = now
			s.log().Warn("cannot accept for now", "address", addrText(l.Addr()), "error", err)
		}
		if len(s.busy) > 0 && exhausted(err) && s.refuseWaiting(sp, err) {
			pause = 0
			continue
		}
		if !sleep(s.ctx, pause) {
			return ErrServerClosed
		}
	}
}

// begin starts the conversation's goroutine. The server waits for it in Shutdown.
func (s *Server) begin(nc net.Conn) {
	c, err := s.admit(nc)
	switch f := s.set.trace.ConnStart; {
	case err != nil:
		if answer := s.refuse(nc, err); answer != nil {
			go answer(refusalTime)
		}
	case f == nil:
		go s.converse(c)
	default:
		// What watches may go deep, and a stack that has grown stays so for as long as the
		// conversation waits: it gets a goroutine of its own, and the conversation a fresh one.
		go func() {
			f(c)
			go s.converse(c)
		}()
	}
}

// over is what Serve returns where the server is closed; nil while it is not.
func (s *Server) closedError(l net.Listener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.timedOut:
		return &Error{Op: "accept", Addr: addrText(l.Addr()), Reason: EndTimeout, Err: ErrNobodyCame}
	case s.closed:
		return ErrServerClosed
	}
	return nil
}

// startAcceptTimeout closes the server when nobody has come for AcceptTimeout. What it returns stops that.
func (s *Server) startAcceptTimeout() (stop func()) {
	if s.AcceptTimeout <= 0 {
		return func() {}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var t *time.Timer
	t = time.AfterFunc(s.AcceptTimeout, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case s.lastID > 0 || s.closed:
		case s.reserved > 0:
			t.Reset(acceptPauseMin) // somebody is at the door
		default:
			s.timedOut, s.closed = true, true
			for l := range s.listeners {
				_ = l.Close()
			}
		}
	})
	return func() { t.Stop() }
}

// passes reports whether an error of Accept is one that passes: no descriptors or memory now, a connection that was gone before it was
// taken, or one that says so itself.
func isTemporary(err error) bool {
	var says interface{ Temporary() bool }
	if errors.As(err, &says) && says.Temporary() {
		return true
	}
	for _, e := range []error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
		syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EINTR,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// sleep waits for d; false where ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
