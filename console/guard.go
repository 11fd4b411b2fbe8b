package console

import (
	"errors"
	"fmt"

	"duet.example/duet/desk"
)

// guard calls f, which runs in a goroutine of its own. A panic there ends the session, not the process, which
// would leave the terminal as the editor needs it.
func (s *Session) guard(f func()) {
	defer s.recovered()
	f()
}

// recovered is deferred. After a panic it gives the terminal back at once: nobody knows what else still works.
func (s *Session) recovered() {
	p := recover()
	if p == nil {
		return
	}
	err := fmt.Errorf("console: panic: %v", p)
	if s.broken.CompareAndSwap(nil, &err) {
		close(s.failed)
	}
	s.leave()
	s.giveUp()
	_ = s.face.Close()
}

// deskLost ends the session where the desk does not tell any more what happens, for another reason than the session's end.
func (s *Session) deskLost(err error) {
	if s.finish.Err() != nil || errors.Is(err, desk.ErrStopped) {
		return
	}
	err = fmt.Errorf("console: the desk has gone: %w", err)
	s.gone.Store(true)
	if s.broken.CompareAndSwap(nil, &err) {
		close(s.failed)
	}
}

// failure is the outcome where something has failed.
func (s *Session) failure() Outcome {
	if s.gone.Load() {
		return DeskLost
	}
	return FaceLost
}

// Err is what in the session itself has failed, after Run has returned FaceLost or DeskLost; nil if nothing has.
func (s *Session) Err() error {
	if err := s.broken.Load(); err != nil {
		return *err
	}
	return nil
}
