package console

import (
	"context"
	"slices"
	"strings"
	"time"

	"duet.example/duet"
	"duet.example/duet/desk"
)

func (s *Session) cmdBye(ctx context.Context, rest string) (bool, Outcome) {
	if rest = strings.TrimSpace(rest); rest != "" {
		if n, ok := s.number(rest); ok {
			s.bye(ctx, n, "")
		}
		return false, Stopped
	}
	n, why := s.addressee()
	if n == 0 {
		s.refuse("/bye", why)
		return false, Stopped
	}
	s.bye(ctx, n, "")
	return false, Stopped
}

func (s *Session) cmdUse(ctx context.Context, rest string) (bool, Outcome) {
	if rest = strings.TrimSpace(rest); rest == "" {
		if s.hall.there {
			return s.cmdRoom(ctx, "")
		}
		return s.cmdWho(ctx, "")
	}
	if n, ok := s.number(rest); ok {
		s.choose(n)
	}
	return false, Stopped
}

func (s *Session) cmdTo(ctx context.Context, rest string) (bool, Outcome) {
	who, text, ok := strings.Cut(strings.TrimLeft(rest, " "), " ")
	if !ok {
		s.Notice("/to wants a number or a name, and a text: /to 2 hello")
		return false, Stopped
	}
	if n, ok := s.number(who); ok {
		s.speak(ctx, n, text, "/to "+rest)
	}
	return false, Stopped
}

func (s *Session) cmdAll(ctx context.Context, rest string) (bool, Outcome) {
	if rest == "" {
		s.Notice("/all wants a text: /all hello")
		return false, Stopped
	}
	if duet.IsFarewell([]byte(rest), s.o.Farewell) {
		for _, n := range s.present() {
			s.bye(ctx, n, "")
		}
		return false, Stopped
	}
	text := unslash(rest, s.o.Farewell)
	sent := 0
	for _, n := range s.present() {
		if !s.takeTurn(n) {
			s.noticef("not sent to %s: %s", s.who(n), peersTurn)
			continue
		}
		if err := s.desk.Say(ctx, n, text); err != nil {
			s.returnTurn(n)
			s.noticef("not sent to %s: %s", s.who(n), sayProblem(err))
			continue
		}
		sent++
	}
	s.tellf("said to %s", count(sent, "client", "clients"))
	return false, Stopped
}

// cmdNext goes round those who wait for an answer, the longest first.
func (s *Session) cmdNext(context.Context, string) (bool, Outcome) {
	waiting := slices.DeleteFunc(s.desk.Roster(), func(e desk.Entry) bool { return e.Waiting.IsZero() })
	if len(waiting) == 0 {
		s.Notice("nobody waits for an answer")
		return false, Stopped
	}
	slices.SortStableFunc(waiting, func(a, b desk.Entry) int { return a.Waiting.Compare(b.Waiting) })
	target := s.chosen()
	at := slices.IndexFunc(waiting, func(e desk.Entry) bool { return e.Number == target })
	e := waiting[(at+1)%len(waiting)]
	words := "nobody else waits"
	if n := len(waiting) - 1; n > 0 {
		words = count(n, "other waits", "others wait")
	}
	s.noticef("%s has waited %s for an answer; %s", s.who(e.Number), ago(e.Waiting), words)
	s.choose(e.Number)
	return false, Stopped
}

// ago is how long ago t was, for people.
func ago(t time.Time) string { return max(time.Since(t), 0).Round(time.Second).String() }
