package console

import (
	"errors"
	"fmt"
	"time"

	"duet.example/duet"
	"duet.example/duet/internal/screen"
)

// facePatience is how long a face may take nothing, once the session is to end.
const facePatience = 2 * time.Second

// safe makes text that may hold words from elsewhere fit for a face. What is safe already stays as it is.
func safe(text string) string { return screen.Line(screen.Untrusted(text), screen.Style{}) }

// Notice prints what duet itself has to say, each line of text as one.
func (s *Session) Notice(text string) {
	lines := screen.Lines(screen.Untrusted(text), screen.Style{})
	for i, l := range lines {
		lines[i] = s.style.notice(l)
	}
	s.mu.Lock()
	s.keep(0, false, lines)
	s.mu.Unlock()
	s.redraw()
	s.printLines(lines...)
}

// noticef is Notice with a format.
func (s *Session) noticef(format string, args ...any) { s.Notice(fmt.Sprintf(format, args...)) }

// tellf prints a word of advice, unless the operator wants to hear less.
func (s *Session) tellf(format string, args ...any) {
	if !s.o.Quiet {
		s.noticef(format, args...)
	}
}

// passingf prints an arrival or an ending. A script that wants to hear less hears none.
func (s *Session) passingf(format string, args ...any) {
	if !s.o.Quiet || s.o.Terminal {
		s.noticef(format, args...)
	}
}

// printLines prints lines that are safe. A face that is lost or given up prints nothing: Run tells the caller.
func (s *Session) printLines(lines ...string) {
	s.prints.Add(1)
	defer s.printed.Add(1)
	_ = s.face.Print(s.faceCtx, lines...)
}

// watchFace gives the face up where it takes nothing while the session is to end: a terminal that
// nobody reads must not keep peers, and the port, from ending.
func (s *Session) watchFace() {
	select {
	case <-s.leaving:
	case <-s.over:
		return
	}
	tick := time.NewTicker(facePatience / 2)
	defer tick.Stop()
	last, quiet := int64(-1), 0
	for {
		select {
		case <-tick.C:
		case <-s.over:
			return
		}
		begun, done := s.prints.Load(), s.printed.Load()
		if begun == done || done != last {
			last, quiet = done, 0
			continue
		}
		if quiet++; quiet >= 2 {
			s.giveUp()
			return
		}
	}
}

// print is the printer.
func (s *Session) print() {
	defer close(s.over)
	defer s.closeSave()
	defer s.watch.Stop()
	for n := uint64(0); ; {
		if s.finish.Err() != nil && n >= s.last.Load() {
			return
		}
		e, err := s.nextEvent()
		if err != nil {
			s.tellRefused()
			s.deskLost(err)
			return
		}
		s.showMu.Lock()
		s.show(e)
		s.showMu.Unlock()
		n++
		s.mu.Lock()
		s.events = n
		s.note()
		s.mu.Unlock()
	}
}

// EndWords names an ending for people. It is safe text.
func EndWords(r duet.EndReason, err error) string {
	switch r {
	case duet.EndFarewell, duet.EndPeerClosed, duet.EndClosed, duet.EndShutdown, duet.EndKicked:
		return r.String() // the error only says the same in other words
	}
	if err == nil {
		return r.String()
	}
	for _, same := range []error{duet.ErrIdle, duet.ErrTooLong, duet.ErrSlowPeer, duet.ErrCut} {
		if errors.Is(err, same) {
			return r.String()
		}
	}
	return r.String() + " (" + safe(failureWords(r, err)) + ")"
}

// failureWords says what went wrong. What a handler failed at is told whole: its cause alone may be "connection refused".
func failureWords(r duet.EndReason, err error) string {
	var e *duet.Error
	switch {
	case r != duet.EndHandlerFailed || !errors.As(err, &e):
		return rootCause(err)
	case e.Op == "forward":
		return "cannot reach " + e.Addr + ": " + rootCause(err)
	}
	return e.Err.Error()
}
