package console

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"duet.example/duet"
	"duet.example/duet/internal/charset"
	"duet.example/duet/internal/screen"
)

// Run does what the operator asks until the operator has had enough, the face is gone, or ctx ends.
func (s *Session) Run(ctx context.Context) Outcome {
	for {
		select {
		case <-ctx.Done():
			return Stopped
		case <-s.enough:
			return Enough
		case in, ok := <-s.face.Inputs():
			if !ok {
				return FaceLost
			}
			if done, out := s.input(ctx, in); done {
				return out
			}
		}
	}
}

// AwaitInterrupt calls f at the next Ctrl-C, for when Run has returned and
// ending takes its time. It returns when the session is closed.
func (s *Session) AwaitInterrupt(f func()) {
	for {
		select {
		case in, ok := <-s.face.Inputs():
			if !ok {
				return
			}
			if in.Kind == Interrupt {
				f()
				return
			}
		case <-s.printed:
			return
		}
	}
}

// input does one thing that the operator asked for; true ends the session.
func (s *Session) input(ctx context.Context, in Input) (bool, Outcome) {
	switch in.Kind {
	case Interrupt:
		return true, Interrupted
	case EndOfInput:
		return s.endOfInput()
	case Submit:
		return s.submit(ctx, in.Text)
	}
	return false, Stopped
}

// endOfInput: Ctrl-D at the prompt is /bye in a client and /quit in a server, asked
// once while conversations go on. Where input is a script, its end ends nothing.
func (s *Session) endOfInput() (bool, Outcome) {
	if s.o.HoldInput {
		return false, Stopped
	}
	if !s.o.Server {
		if s.chosen() == 0 {
			return true, Quit
		}
		s.bye(s.chosen())
		return false, Stopped
	}
	s.mu.Lock()
	n, asked := len(s.live), s.asked
	s.asked = true
	s.mu.Unlock()
	if n == 0 || asked {
		return true, Quit
	}
	s.Notice(fmt.Sprintf("%s going on; Ctrl-D again ends %s", count(n, "conversation is", "conversations are"), map[bool]string{true: "it", false: "them"}[n == 1]))
	return false, Stopped
}

// submit takes what was typed: a command, the farewell, or a message.
func (s *Session) submit(ctx context.Context, text string) (bool, Outcome) {
	s.mu.Lock()
	s.asked = false
	s.mu.Unlock()
	if strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") {
		return s.command(ctx, text)
	}
	if err := s.awaitTurn(ctx); err != nil {
		return true, s.whyEnded()
	}
	n := s.chosen()
	if n == 0 {
		s.refuse(text, s.nobody())
		return false, Stopped
	}
	if duet.IsFarewell([]byte(text), s.o.Farewell) {
		s.bye(n)
		return false, Stopped
	}
	s.say(n, unslash(text, s.o.Farewell))
	return false, Stopped
}

// unslash turns what stands for a text that begins with a slash, or for the word of farewell, into that text.
func unslash(text, farewell string) string {
	rest, ok := strings.CutPrefix(text, "//")
	switch {
	case !ok:
		return text
	case duet.IsFarewell([]byte(rest), farewell):
		return rest
	}
	return "/" + rest
}

// awaitTurn lets a script's line wait until there is somebody to say it to and it
// is this side's turn. A person at a terminal is told instead, and the editor keeps the turn.
func (s *Session) awaitTurn(ctx context.Context) error {
	for s.o.HoldInput {
		s.mu.Lock()
		ready := len(s.live) > 0 && (!s.o.Turns || s.target == 0 || s.myTurn[s.target])
		changed := s.changed
		s.mu.Unlock()
		if ready {
			return nil
		}
		select {
		case <-changed:
		case <-s.enough:
			return errEnough
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

var errEnough = errors.New("enough")

func (s *Session) whyEnded() Outcome {
	select {
	case <-s.enough:
		return Enough
	default:
		return Stopped
	}
}

// say sends text to conversation n. Where the framing cannot carry line ends, its lines go as messages of their own.
func (s *Session) say(n uint64, text string) {
	err := s.desk.Say(n, text)
	if errors.Is(err, duet.ErrDelimiter) && strings.ContainsAny(text, "\r\n") {
		lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
		for i, l := range lines {
			if err = s.desk.Say(n, strings.TrimSuffix(l, "\r")); err != nil {
				s.refuse(strings.Join(lines[i:], "\n"), sayProblem(err))
				return
			}
		}
		s.tellf("sent as %d messages, one a line", len(lines))
	}
	if err != nil {
		s.refuse(text, sayProblem(err))
		return
	}
	s.spoken(n)
}

// spoken: it is the peer's turn now.
func (s *Session) spoken(n uint64) {
	s.mu.Lock()
	s.myTurn[n] = false
	s.mu.Unlock()
	s.refreshPrompt()
}

func (s *Session) bye(n uint64) {
	if err := s.desk.Bye(n); err != nil {
		s.Notice("not sent: " + sayProblem(err))
	}
}

// refuse says why text was not sent, and puts it back on the line.
func (s *Session) refuse(text, why string) {
	s.Notice("not sent: " + why)
	s.face.SetInput(text)
}

// nobody says why there is nobody to talk to.
func (s *Session) nobody() string {
	s.mu.Lock()
	n := len(s.live)
	s.mu.Unlock()
	switch {
	case n > 0:
		return "nobody is being answered: /use N chooses (" + s.numbers() + ")"
	case s.o.Server:
		return "nobody is connected yet"
	}
	return "not connected"
}

func (s *Session) chosen() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.target
}

// sayProblem words an error of sending for people.
func sayProblem(err error) string {
	var ue *charset.UnencodableError
	switch {
	case errors.As(err, &ue):
		return ue.Error()
	case errors.Is(err, duet.ErrDelimiter):
		return "the message holds what ends a message in this framing"
	case errors.Is(err, duet.ErrSlowPeer):
		return "the peer does not read; the conversation ends"
	case errors.Is(err, duet.ErrClosed):
		return "the farewell has been said"
	}
	return screen.Line(screen.Untrusted(rootCause(err)), screen.Style{})
}

// rootCause is the innermost error's text: what a person can use, without the path it came by.
func rootCause(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}
