package duet

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// Bounds of the refusals while there are no descriptors. Peers that come faster must not keep a processor busy.
const (
	spareRound = 16                    // refusals in one pause
	spareTime  = 50 * time.Millisecond // the longest time that one of them takes
	spareWait  = 5 * time.Millisecond  // for a peer, while the descriptor is free
)

// A spare is a descriptor that is given up to accept a peer when there is no other, so that the peer can
// be refused with Busy. Otherwise it would wait in the backlog.
type spare struct {
	l net.Listener
	f *os.File
}

// exhausted reports whether err says that there are no descriptors.
func exhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// open takes the descriptor. It returns false if there is none.
func (sp *spare) open() bool {
	if sp.f == nil {
		sp.f, _ = os.Open(os.DevNull)
	}
	return sp.f != nil
}

func (sp *spare) close() {
	if sp.f != nil {
		_ = sp.f.Close()
		sp.f = nil
	}
}

// accept accepts a peer in place of the descriptor. It returns nil if no peer waits, or if the descriptor was lost to another goroutine.
func (sp *spare) accept() net.Conn {
	l, ok := sp.l.(interface{ SetDeadline(t time.Time) error })
	if !ok || !sp.open() {
		return nil
	}
	sp.close()
	_ = l.SetDeadline(time.Now().Add(spareWait))
	nc, err := sp.l.Accept()
	_ = l.SetDeadline(time.Time{})
	if err != nil {
		sp.open()
		return nil
	}
	return nc
}

// refuseWaiting refuses peers that wait in the backlog. It returns true if a descriptor became free, so that
// a peer was admitted after all.
func (s *Server) refuseWaiting(sp *spare, why error) bool {
	for range spareRound {
		nc := sp.accept()
		switch {
		case nc == nil:
			return false
		case sp.open():
			s.begin(nc)
			return true
		}
		s.mu.Lock()
		s.serving++
		s.mu.Unlock()
		if answer := s.refuse(nc, fmt.Errorf("%w: %w", ErrFull, why)); answer != nil {
			answer(spareTime)
		}
		sp.open()
	}
	return false
}
