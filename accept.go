package duet

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

// The shortest and the longest pause after an accept that failed for a reason that passes, as in net/http.
const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// logEvery is the shortest time between two log entries about accepts that fail.
const logEvery = 10 * time.Second

// accept is the accept loop of one listener. It returns the error of Serve.
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

// begin starts the goroutine of a new conversation, or refuses the peer. Shutdown waits for either.
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
		// A Trace func may need a large stack, which would stay large for as long as the conversation
		// waits. So the conversation gets a goroutine of its own afterwards.
		go func() {
			f(c)
			go s.converse(c)
		}()
	}
}

// closedError returns the error of Serve if the server is closed, and nil otherwise.
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

// startAcceptTimeout closes the server after AcceptTimeout without a conversation, unless stop is called before.
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
			t.Reset(acceptPauseMin) // a peer is being admitted
		default:
			s.timedOut, s.closed = true, true
			for l := range s.listeners {
				_ = l.Close()
			}
		}
	})
	return func() { t.Stop() }
}

// isTemporary reports whether accepting may work again after err: there were no descriptors or no memory, the connection was gone before it
// was accepted, or err says so itself.
func isTemporary(err error) bool {
	var t interface{ Temporary() bool }
	if errors.As(err, &t) && t.Temporary() {
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

// sleep waits for d. It returns false if ctx ends first.
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
