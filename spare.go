package duet

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// Where descriptors have run out, up to spareRound peers are told in one pause, each within spareTime: peers
// that come faster must not keep a processor busy.
const (
	spareRound = 16
	spareTime  = 50 * time.Millisecond
	spareWait  = 5 * time.Millisecond // for a peer, while the descriptor is free
)

// A spare is a descriptor that is given up to take a peer when there is no other, so that the peer can
// be told instead of waiting where nobody sees it.
type spare struct {
	l net.Listener
	f *os.File
}

// exhausted reports whether err says that there are no descriptors.
func exhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// open takes the descriptor; false where there is none.
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

// accept takes a peer that waits, in the place of the descriptor; nil where none does, or somebody else was quicker.
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

// refuseWaiting tells peers that wait to be accepted that there is no place. It reports true where a descriptor has
// become free, and the peer was taken after all.
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
