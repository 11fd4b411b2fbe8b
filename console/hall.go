package console

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"duet.example/duet/desk"
	"duet.example/duet/internal/nickname"
	"duet.example/duet/internal/screen"
)

// A hall is what the session knows of rooms in which conversations hear each other. There, what is typed is said to the room,
// unless a conversation was chosen.
type hall struct {
	there    bool          // there is one; it does not change
	obeys    bool          // a line with a slash is a command to it; it does not change
	commands []hallCommand // those that are not the console's own; they do not change

	room  string // in which this operator speaks
	since uint64 // the line of the room's log with which what is not printed of it begins; 0: all is
}

// A hallCommand is a command that the hall does.
type hallCommand struct{ name, usage, help string }

// takesName reports whether its first argument is a member's name.
func (c hallCommand) takesName() bool {
	args := strings.TrimPrefix(c.usage, "/"+c.name+" ")
	return args == "NAME" || strings.HasPrefix(args, "NAME ")
}

// Bounds of what is shown of an answer of a hall: lines, and columns of one.
const (
	maxAnswer        = 500
	maxAnswerColumns = 2000
)

// enterHall finds out whether there is a hall.
func (s *Session) enterHall() {
	room, commands, ok := s.desk.Hall()
	if !ok {
		return
	}
	s.hall = hall{there: true, room: room}
	for usage, help := range commands {
		s.hall.obeys = true
		name, _, _ := strings.Cut(strings.TrimPrefix(usage, "/"), " ")
		if _, own := s.lookup(name); !own {
			s.hall.commands = append(s.hall.commands, hallCommand{name, usage, help})
		}
	}
}

// hallCommand finds a command that the hall does.
func (s *Session) hallCommand(name string) (hallCommand, bool) {
	i := slices.IndexFunc(s.hall.commands, func(c hallCommand) bool { return strings.EqualFold(c.name, name) })
	if i < 0 {
		return hallCommand{}, false
	}
	return s.hall.commands[i], true
}

// speakInHall has the hall say a line, or do it, and shows the answer. typed is put back on the line where that fails.
func (s *Session) speakInHall(ctx context.Context, line, typed string) {
	answer, err := s.desk.Speak(ctx, line)
	s.moved()
	more := len(answer) - maxAnswer
	if more > 0 {
		answer = append(answer[:maxAnswer:maxAnswer], fmt.Sprintf("… %d more lines", more))
	}
	for i, l := range answer {
		answer[i] = screen.Cut(safe(l), maxAnswerColumns)
	}
	if len(answer) > 0 {
		s.Notice(strings.Join(answer, "\n"))
	}
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled):
		s.refuse(typed, "duet ends")
	case s.hall.obeys && strings.HasPrefix(line, "/") && !strings.HasPrefix(line, "//"):
		s.Notice("not done: " + err.Error())
		s.face.SetInput(typed)
	default:
		s.refuse(typed, err.Error())
	}
}

// forHall is the line with which the hall says what was typed: one with a single slash would be its command.
func (s *Session) forHall(typed string) string {
	text := unslash(typed, s.o.Farewell)
	if s.hall.obeys && strings.HasPrefix(text, "/") {
		return "/" + text
	}
	return text
}

// moved finds out in which room this operator speaks now.
func (s *Session) moved() {
	room, _, ok := s.desk.Hall()
	if !ok {
		return
	}
	s.mu.Lock()
	if room != s.hall.room {
		s.hall.room, s.hall.since = room, 0
	}
	s.mu.Unlock()
	s.refresh()
}

// cmdRoom goes back to the room from a conversation that was answered alone.
func (s *Session) cmdRoom(context.Context, string) (bool, Outcome) {
	s.chooseRoom()
	return false, Stopped
}

// chooseRoom has what is typed said to the room from now on, and shows what of it was only counted.
func (s *Session) chooseRoom() {
	s.showMu.Lock()
	defer s.showMu.Unlock()
	s.mu.Lock()
	s.target, s.former, s.switched = 0, 0, time.Time{}
	var lines []string
	all := true
	if s.hall.since > 0 {
		lines, all = s.logs.from(s.logs.room(s.hall.room), s.hall.since)
	}
	s.hall.since = 0
	for _, p := range s.live {
		if p.room == s.hall.room {
			p.unread, p.since = 0, 0
		}
	}
	s.note()
	s.mu.Unlock()
	s.printMissed("others have", lines, all, keepLines)
	s.refresh()
}

// chosenIs reports whether e belongs to what is answered: a conversation, or a room. s.mu is held.
func (s *Session) chosenIs(e desk.Event) bool {
	if s.target == 0 {
		return e.Room != "" && e.Room == s.hall.room
	}
	return e.Number == s.target
}

// keepInRoom keeps lines that were said to a room among all that was said there. s.mu is held.
func (s *Session) keepInRoom(e desk.Event, own bool, lines []string) {
	if e.Room == "" || !s.keeping() {
		return
	}
	if s.quiet && !s.chosenIs(e) && e.Room == s.hall.room && s.hall.since == 0 {
		s.hall.since = s.logs.next()
	}
	s.logs.add(s.logs.room(e.Room), own, lines...)
}

// spoke shows what operators say to a room. This operator's own words stand on the screen as they were typed.
func (s *Session) spoke(e desk.Event) {
	own := e.Operator == s.o.Operator
	if own && !s.keeps() {
		return
	}
	lines := s.answerLines(e, own)
	s.mu.Lock()
	s.keepInRoom(e, own, lines)
	shown := !own && (!s.quiet || s.chosenIs(e))
	s.mu.Unlock()
	if shown {
		s.printLines(lines...)
	}
	s.refresh()
}

// meet sees to it that the one who has said e is known, and by its name: that it came, or was named, may have been left out.
func (s *Session) meet(e desk.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.live[e.Number]
	if p == nil {
		p = &peer{addr: e.Peer}
		s.live[e.Number] = p
		s.highest = max(s.highest, e.Number)
		s.note()
	}
	s.rename(p, e.Number, e.Name)
}

// recount finds out who is here after events were left out: who has come, and who has left, unseen.
func (s *Session) recount() {
	here := make(map[uint64]bool)
	for _, e := range s.desk.Roster() {
		here[e.Number] = true
		s.meet(desk.Event{Number: e.Number, Peer: e.Peer, Name: e.Name})
	}
	s.mu.Lock()
	for n := range s.live {
		if here[n] {
			continue
		}
		delete(s.live, n)
		delete(s.myTurn, n)
		s.logs.forget(n)
		if s.target == n {
			s.target, s.former, s.switched = 0, n, time.Now()
		}
	}
	s.note()
	s.mu.Unlock()
	s.refresh()
}

// givenName is the name of conversation n in a hall, unless that says no more than the number.
func givenName(n uint64, name string) string {
	if name == nickname.GuestName(n) {
		return ""
	}
	return name
}

// completeMembers gives the names of the members, where a command of the hall takes one.
func (s *Session) completeMembers(c hallCommand, arg string) []string {
	if !c.takesName() || strings.Contains(arg, " ") {
		return nil
	}
	names := s.names()
	if !strings.HasSuffix(c.usage, " NAME") {
		for i := range names {
			names[i] += " "
		}
	}
	return names
}

// roomLine shows the room in the roster.
func (s *Session) roomLine(chosen bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	mark := " "
	if chosen {
		mark = "→"
	}
	return mark + " room " + safe(s.hall.room)
}
