package duet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"duet.example/duet/internal/wire"
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
	if errors.Is(err, ErrFull) {
		s.findLost()
		err = s.reserve(0) // another goroutine may have found them
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

// sendBusy sends busy and closes in good order: half-close, read to the peer's end, close, all within limit.
func sendBusy(ctx context.Context, nc net.Conn, busy []byte, limit time.Duration) {
	var w wire.Conn // [C-16]
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
