package console

import (
	"context"
	"errors"
	"fmt"
	"time"

	"duet.example/duet/desk"
)

// refusedEvery is how often a line about refused peers is shown.
const refusedEvery = time.Second

// refusals counts peers that were not let in, of whom there may be very many. Only the printer uses it.
type refusals struct {
	told time.Time // when a line was shown
	more int       // refused since
	last desk.Event
}

// peerRefused tells of a refused peer, or counts it where one was told of just before.
func (s *Session) peerRefused(e desk.Event) {
	r := &s.refused
	r.more++
	r.last = e
	if time.Since(r.told) >= refusedEvery {
		s.tellRefused()
	}
}

// tellRefused tells of those who were counted.
func (s *Session) tellRefused() {
	r := &s.refused
	if r.more == 0 {
		return
	}
	words := "refused " + AddressWords(r.last.Peer)
	if r.more > 1 {
		words = fmt.Sprintf("refused %d more peers, the last of them %s", r.more, AddressWords(r.last.Peer))
	}
	if r.last.Err != nil {
		words += ": " + safe(rootCause(r.last.Err))
	}
	r.told, r.more = time.Now(), 0
	s.passingf("%s", words)
}

// nextEvent waits for the next event, and tells of refused peers when their time has come.
func (s *Session) nextEvent() (desk.Event, error) {
	for {
		if s.refused.more == 0 {
			return s.watch.Next(s.finish)
		}
		if time.Since(s.refused.told) >= refusedEvery {
			s.tellRefused()
			continue
		}
		ctx, cancel := context.WithDeadline(s.finish, s.refused.told.Add(refusedEvery))
		e, err := s.watch.Next(ctx)
		cancel()
		if err == nil || s.finish.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return e, err
		}
	}
}
