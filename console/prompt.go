package console

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"duet.example/duet/desk"
)

// switchGuard is how long after the one who was answered has left and another has taken its place what is typed
// is held back once: it may have been meant for the former, and Enter was pressed before the news could be read.
const switchGuard = time.Second

// partialSize is how much of an unfinished line is shown: its end.
const partialSize = 2048

// A setting is what the face shows beside the lines.
type setting struct {
	done                 bool // set at least once
	prompt, why, partial string
	open                 bool
}

// A partial is an unfinished line, or its end.
type partial struct {
	number uint64
	text   []byte
	cut    bool
}

// refresh shows who is being answered, whether it is the operator's turn, and what a peer has begun to say. Working it out
// and setting it are one step: a prompt must not name one who is not answered any more.
func (s *Session) refresh() {
	s.promptMu.Lock()
	defer s.promptMu.Unlock()
	now := s.toShow()
	was := s.set
	s.set = now
	if !was.done || was.partial != now.partial {
		s.face.SetPartial(now.partial)
	}
	if !was.done || was.prompt != now.prompt {
		s.face.SetPrompt(now.prompt)
	}
	if !was.done || was.open != now.open {
		s.face.SetOpen(now.open, now.why)
	}
	s.redraw()
}

func (s *Session) toShow() setting {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := setting{done: true, prompt: ">>> ", open: true}
	if s.o.HoldInput {
		return now // a script sees no prompt, and working it out takes time for each thing said
	}
	switch {
	case s.target != 0 && !s.alone(s.target):
		now.prompt = s.whoOf(s.target) + " " + now.prompt
	case s.target == 0 && s.hall.there:
		now.prompt = labelName(s.hall.room) + " " + now.prompt
	case s.target == 0 && len(s.live) > 0:
		now.prompt = "? >>> "
	}
	if n := s.unread(); n > 0 && !s.full {
		now.prompt = strings.Replace(now.prompt, ">>> ", fmt.Sprintf("(%d unread) >>> ", n), 1)
	}
	if s.o.Turns && s.target != 0 && !s.myTurn[s.target] {
		now.open, now.why = false, peersTurn
	}
	for _, p := range slices.Backward(s.partials) {
		if s.full {
			break // it is in the view
		}
		if !s.quiet || p.number == s.target {
			now.partial = s.partialLine(p)
			break
		}
	}
	return now
}

const peersTurn = "it is the peer's turn"

// alone reports whether n is the only live conversation, the one that is answered, and has no name: then it needs no number.
// In a hall it always has one. s.mu is held.
func (s *Session) alone(n uint64) bool {
	if s.hall.there {
		return false
	}
	if p := s.live[n]; p != nil && p.name != "" {
		return !s.o.Server
	}
	return !s.o.Server || len(s.live) <= 1 && s.target == n
}

// setPartial keeps what a peer has begun to say. Where several have, the last is shown, and the one before
// when that one is finished.
func (s *Session) setPartial(e desk.Event) {
	p := partial{number: e.Number, text: e.Text}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hex {
		p.text = e.Body
	}
	if n := len(p.text) - partialSize; n > 0 && !s.hex {
		for n < len(p.text) && !utf8.RuneStart(p.text[n]) {
			n++
		}
		p.text, p.cut = slices.Clone(p.text[n:]), true
	}
	s.remove(e.Number)
	s.partials = append(s.partials, p)
}

// dropPartial forgets what conversation n had begun to say: it is said in full, or n has left.
func (s *Session) dropPartial(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(n)
}

// remove is dropPartial with s.mu held.
func (s *Session) remove(n uint64) {
	s.partials = slices.DeleteFunc(s.partials, func(p partial) bool { return p.number == n })
}

func (s *Session) chosen() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.target
}

// addressee is who gets what was typed at the prompt. Where that is nobody, or may not be who was meant, it says why not.
func (s *Session) addressee() (n uint64, why string) {
	if n, why = s.listener(); n == 0 && why == "" {
		why = s.nobody()
	}
	return n, why
}

// listener is addressee where it may be the room, too: 0 without a why.
func (s *Session) listener() (n uint64, why string) {
	s.mu.Lock()
	n, former, room := s.target, s.former, s.hall.room
	guarded := s.o.Server && !s.o.HoldInput && !s.switched.IsZero() && time.Since(s.switched) < switchGuard
	s.switched = time.Time{}
	s.mu.Unlock()
	switch {
	case n == 0 && !s.hall.there:
		return 0, s.nobody()
	case n == 0 && former != 0 && s.o.HoldInput: // what a script says to one is not for all
		return 0, fmt.Sprintf("client %d has left; /room speaks to the room %s", former, safe(room))
	case n == 0 && guarded:
		return 0, fmt.Sprintf("client %d has left; Enter again says it to the room %s", former, safe(room))
	case guarded:
		return 0, fmt.Sprintf("client %d has left; Enter again says it to client %s", former, s.who(n))
	}
	return n, ""
}

// nobody says why there is nobody to talk to.
func (s *Session) nobody() string {
	s.mu.Lock()
	n, room := len(s.live), s.hall.room
	s.mu.Unlock()
	switch {
	case n > 0 && s.hall.there:
		return "this wants one client, and what is typed goes to the room " + safe(room) + ": /use N chooses (" + s.numbers() + ")"
	case n > 0:
		return "nobody is being answered: /use N chooses (" + s.numbers() + ")"
	case s.o.Server:
		return "nobody is connected yet"
	}
	return "not connected"
}
