package console

import (
	"errors"
	"fmt"
	"time"

	"duet.example/duet"
	"duet.example/duet/desk"
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
		e, err := s.watch.Next(s.finish)
		if err != nil {
			return
		}
		s.show(e)
		n++
		s.mu.Lock()
		s.events = n
		s.note()
		s.mu.Unlock()
	}
}

// show prints one event.
func (s *Session) show(e desk.Event) {
	s.saveEvent(e)
	switch e.Kind {
	case desk.Arrived:
		s.arrived(e)
	case desk.Saying:
		if !s.hasEnough() {
			s.setPartial(e)
			s.refresh()
		}
	case desk.Said:
		if !s.hasEnough() {
			s.said(e)
		}
	case desk.Left:
		s.left(e)
	}
}

func (s *Session) hasEnough() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.o.Once > 0 && s.heard >= s.o.Once
}

func (s *Session) arrived(e desk.Event) {
	s.mu.Lock()
	s.live[e.Number] = e.Peer
	if s.target == 0 && len(s.live) == 1 {
		s.target = e.Number
		if s.former != 0 {
			s.switched = time.Now()
		}
	}
	several := len(s.live) > 1
	s.note()
	s.mu.Unlock()
	if s.o.Server {
		line := "The Server has received a connection from " + AddressWords(e.Peer)
		if several {
			line += fmt.Sprintf(" (client %d)", e.Number)
		}
		s.passingf("%s", line)
		if several {
			s.tellf("/use %d to answer it, /who to see all", e.Number)
		}
	}
	s.refresh()
}

func (s *Session) said(e desk.Event) {
	s.dropPartial(e.Number)
	s.refresh() // what was unfinished goes before the whole comes
	s.printLines(s.messageLines(e)...)
	s.mu.Lock()
	s.myTurn[e.Number] = true
	s.heard++
	if s.heard == s.o.Once {
		close(s.enough)
	}
	s.mu.Unlock()
	if s.o.Bell {
		s.face.Bell()
	}
	if s.o.Title {
		s.face.Title("duet: " + screen.Cut(screen.Line(screen.Untrusted(e.Text[:min(len(e.Text), 400)]), screen.Style{}), 40))
	}
	s.refresh()
}

func (s *Session) left(e desk.Event) {
	s.mu.Lock()
	_, known := s.live[e.Number]
	delete(s.live, e.Number)
	delete(s.myTurn, e.Number)
	was := s.target == e.Number
	if was {
		s.target, s.former = 0, e.Number
	}
	remain := len(s.live)
	s.asked = false
	s.note()
	s.mu.Unlock()
	if !known {
		return // it was cut off before its arrival could be told
	}
	s.dropPartial(e.Number)
	s.refresh()
	who := "The conversation with " + AddressWords(e.Peer)
	if s.o.Server && (remain > 0 || !was) {
		who = fmt.Sprintf("The conversation with client %d (%s)", e.Number, AddressWords(e.Peer))
	}
	s.passingf("%s has ended: %s", who, EndWords(e.Reason, e.Err))
	if was && remain > 0 {
		s.tellf("nobody is being answered: /use N chooses (%s)", s.numbers())
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
	return r.String() + " (" + safe(rootCause(err)) + ")"
}
