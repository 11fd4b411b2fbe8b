package console

import (
	"context"
	"strings"
	"time"
)

// lastUnread is how many lines of one who has left are still shown where they were only counted.
const lastUnread = 20

// keeps reports whether what is said is kept, to be shown later.
func (s *Session) keeps() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keeping()
}

// keeping is keeps with s.mu held.
func (s *Session) keeping() bool { return s.viewer != nil || s.quiet }

// keep keeps lines of conversation n, or of duet's own (0). s.mu is held.
func (s *Session) keep(n uint64, own bool, lines []string) {
	if s.viewer != nil || s.quiet && n != 0 {
		s.logs.add(n, own, lines...)
	}
}

// choose has n answered from now on, and shows what of it was only counted.
func (s *Session) choose(n uint64) {
	s.showMu.Lock()
	defer s.showMu.Unlock()
	s.mu.Lock()
	if _, live := s.live[n]; live { // still
		if s.former != 0 {
			s.logs.forget(s.former)
		}
		s.target, s.former, s.switched = n, 0, time.Time{}
	}
	s.note()
	s.mu.Unlock()
	s.showUnread(n, keepLines)
	s.refresh()
}

// showUnread prints the last lines that conversation n has said and that were only counted. s.showMu is held.
func (s *Session) showUnread(n uint64, most int) {
	s.mu.Lock()
	p := s.live[n]
	var lines []string
	all := true
	if p != nil {
		if p.since > 0 {
			lines, all = s.logs.from(n, p.since)
		}
		p.unread, p.since = 0, 0
	}
	s.mu.Unlock()
	s.printMissed("client "+s.who(n)+" has", lines, all, most)
}

// printMissed prints the last of lines that were only counted. all is false where there were more that are not kept.
func (s *Session) printMissed(whoHas string, lines []string, all bool, most int) {
	switch extra := len(lines) - most; {
	case !all:
		s.noticef("%s said more before this", whoHas)
		lines = lines[max(0, extra):]
	case extra > 0:
		s.noticef("%s said %s before this", whoHas, count(extra, "line", "lines"))
		lines = lines[extra:]
	}
	s.printLines(lines...)
}

// cmdQuiet has what others than the chosen one say counted and not shown, or shown again.
func (s *Session) cmdQuiet(_ context.Context, rest string) (bool, Outcome) {
	s.showMu.Lock()
	defer s.showMu.Unlock()
	s.mu.Lock()
	on, ok := onOff(strings.TrimSpace(rest), s.quiet)
	s.quiet = on
	s.mu.Unlock()
	if !ok {
		s.Notice("/quiet on, or /quiet off")
		return false, Stopped
	}
	if !on {
		for _, n := range s.present() {
			s.showUnread(n, keepLines)
		}
		s.mu.Lock()
		s.hall.since = 0
		if !s.keeping() {
			s.logs = newLogs()
		}
		s.mu.Unlock()
	}
	s.Notice("quiet " + onOffWord(on))
	s.refresh()
	return false, Stopped
}

// unread is how many messages were only counted. s.mu is held.
func (s *Session) unread() int {
	n := 0
	for _, p := range s.live {
		n += p.unread
	}
	return n
}
