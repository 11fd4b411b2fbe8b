package console

import (
	"fmt"
	"strconv"
	"time"

	"duet.example/duet/desk"
	"duet.example/duet/internal/screen"
)

// show prints one event. s.showMu is held.
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
	case desk.Answered:
		s.answered(e)
	case desk.Transferred:
		s.transferred(e)
	case desk.Spoke:
		s.spoke(e)
	case desk.Named:
		s.named(e)
	case desk.Noted:
		s.noted(e)
	case desk.Refused:
		s.peerRefused(e)
	case desk.Banned:
		s.banned(e)
	case desk.Notice:
		s.Notice(safe(e.Note))
	case desk.Missed:
		s.missed(e)
	case desk.Left:
		s.left(e)
	}
}

// banned tells what is kept out, by whom and why.
func (s *Session) banned(e desk.Event) {
	text := safe(e.Address) + " is kept out from now on" + s.by(e)
	if e.Note != "" {
		text += ": " + safe(e.Note)
	}
	s.Notice(text)
}

func (s *Session) hasEnough() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.o.Once > 0 && s.heard >= s.o.Once
}

func (s *Session) arrived(e desk.Event) {
	s.mu.Lock()
	p := &peer{addr: e.Peer}
	s.rename(p, e.Number, e.Name)
	if was, ok := s.before[e.Number]; ok {
		p.note, p.waits = was.Note, !was.Waiting.IsZero()
		delete(s.before, e.Number)
	}
	s.live[e.Number] = p
	if s.target == 0 && len(s.live) == 1 && !s.hall.there {
		s.target = e.Number
		if s.former != 0 {
			s.switched = time.Now()
		}
	}
	several := len(s.live) > 1
	// Alone and next in turn it needs no number. Of two who come at once, the second may be told of first.
	inTurn := e.Number == s.highest+1
	s.highest = max(s.highest, e.Number)
	s.note()
	s.mu.Unlock()
	if s.o.Server {
		line := "The Server has received a connection from " + AddressWords(e.Peer)
		if several || !inTurn || e.Name != "" || s.hall.there {
			line += " (client " + s.who(e.Number) + ")"
		}
		s.passingf("%s", line)
		if several && !s.hall.there {
			s.tellf("/use %d to answer it, /who to see all", e.Number)
		}
	}
	s.refresh()
}

func (s *Session) said(e desk.Event) {
	s.dropPartial(e.Number)
	s.refresh() // what was unfinished goes before the whole comes
	if s.hall.there {
		s.meet(e)
	}
	lines := s.messageLines(e)
	s.mu.Lock()
	seq := s.logs.next()
	s.keep(e.Number, false, lines)
	s.keepInRoom(e, false, lines)
	chosen := s.chosenIs(e)
	shown := !s.quiet || chosen
	if p := s.live[e.Number]; p != nil {
		p.waits, p.room = e.Room == "", e.Room
		if !shown && p.since == 0 {
			p.since = seq
		}
		if !shown || s.full && !chosen {
			p.unread++
		}
	}
	s.mu.Unlock()
	if shown {
		s.printLines(lines...)
	}
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

// answered shows what others than this operator say: other operators, or the handler at the desk. The operator's own words stand
// on the screen as they were typed.
func (s *Session) answered(e desk.Event) {
	own := e.Operator == s.o.Operator
	s.mu.Lock()
	if p := s.live[e.Number]; p != nil {
		p.waits = false
	}
	s.mu.Unlock()
	if own && !s.keeps() {
		return
	}
	lines := s.answerLines(e, own)
	s.mu.Lock()
	s.keep(e.Number, own, lines)
	shown := !own && (!s.quiet || e.Number == s.target)
	s.mu.Unlock()
	if shown {
		s.printLines(lines...)
	}
	s.refresh()
}

// transferred tells of a file that another operator has sent. Of this operator's own the command tells.
func (s *Session) transferred(e desk.Event) {
	s.mu.Lock()
	if p := s.live[e.Number]; p != nil {
		p.waits = false
	}
	s.mu.Unlock()
	if e.Operator != s.o.Operator {
		words := ""
		if e.Err != nil {
			words = "; the rest was broken off"
		}
		s.noticef("%s has sent %s as they are to client %s%s",
			operatorName(e.Operator), countMany(e.Stats.BytesOut, "byte", "bytes"), s.who(e.Number), words)
	}
	s.refresh()
}

func (s *Session) named(e desk.Event) {
	s.mu.Lock()
	guest := false
	if p := s.live[e.Number]; p != nil {
		before := p.called
		s.rename(p, e.Number, e.Name)
		guest = s.hall.there && before+p.called == ""
	}
	s.mu.Unlock()
	if guest {
		return // it says no more than the number
	}
	words := fmt.Sprintf("client %d has no name any more", e.Number)
	if e.Name != "" {
		words = fmt.Sprintf("client %d is %s from now on", e.Number, screen.Cut(safe(e.Name), 2*nameWidth))
	}
	s.Notice(words + s.by(e))
	s.refresh()
}

func (s *Session) noted(e desk.Event) {
	s.mu.Lock()
	if p := s.live[e.Number]; p != nil {
		p.note = e.Note
	}
	s.mu.Unlock()
	words := "nothing is noted about client " + s.who(e.Number) + " any more"
	if e.Note != "" {
		words = "noted about client " + s.who(e.Number) + ": " + safe(e.Note)
	}
	s.Notice(words + s.by(e))
}

// by tells who did something, where that was somebody else.
func (s *Session) by(e desk.Event) string {
	if e.Operator == s.o.Operator || e.Operator == "" {
		return ""
	}
	return " (by " + operatorName(e.Operator) + ")"
}

func (s *Session) missed(e desk.Event) {
	words := safe(e.Note)
	if n, err := strconv.Atoi(e.Note); err == nil {
		words = count(n, "event was left out", "events were left out")
	}
	s.Notice(words)
	if s.hall.there {
		s.recount()
	}
}

func (s *Session) left(e desk.Event) {
	who := s.who(e.Number)
	s.mu.Lock()
	_, known := s.live[e.Number]
	s.mu.Unlock()
	if known {
		s.showUnread(e.Number, lastUnread)
	}
	s.mu.Lock()
	delete(s.live, e.Number)
	delete(s.myTurn, e.Number)
	was := s.target == e.Number
	switch {
	case was && s.hall.there:
		s.logs.forget(e.Number)
		s.target, s.former, s.switched = 0, e.Number, time.Now()
	case was:
		s.logs.forget(s.former)
		s.target, s.former = 0, e.Number
	default:
		s.logs.forget(e.Number)
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
	whole := "The conversation with " + AddressWords(e.Peer)
	if s.o.Server && (remain > 0 || !was || e.Name != "" || s.hall.there) {
		whole = fmt.Sprintf("The conversation with client %s (%s)", who, AddressWords(e.Peer))
	}
	s.passingf("%s has ended: %s%s", whole, EndWords(e.Reason, e.Err), s.by(e))
	switch {
	case was && s.hall.there:
		s.tellf("what is typed is said to the room again")
	case was && remain > 0:
		s.tellf("nobody is being answered: /use N chooses (%s)", s.numbers())
	}
}
