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

// maxPending is how many inputs are read ahead, so that a Ctrl-C behind them is seen while one of them still waits.
const maxPending = 64

// Run does what the operator asks until the operator has had enough, the face is gone, or ctx ends. It is called once.
func (s *Session) Run(ctx context.Context) (out Outcome) {
	out = FaceLost // after a panic
	defer s.recovered()
	defer s.leave()
	defer s.stopFile()
	reading, stop := context.WithCancel(ctx)
	inputs, read := make(chan Input), make(chan struct{})
	go func() {
		defer close(read)
		defer s.recovered()
		s.readAhead(reading, inputs)
	}()
	defer func() { stop(); <-read }()
	for {
		select {
		case <-ctx.Done():
			return Stopped
		case <-s.enough:
			return s.awaitFiles(ctx, inputs, Enough)
		case in, ok := <-inputs:
			if !ok {
				return FaceLost
			}
			if done, out := s.input(ctx, in); done {
				return s.awaitFiles(ctx, inputs, out)
			}
		case <-s.failed:
			return s.failure()
		}
	}
}

// readAhead hands on what the face delivers, in order. At a Ctrl-C, or when ctx ends, a face that is stuck may be given up, so that
// Run comes to it. It closes inputs after the last one, when the face has ended.
func (s *Session) readAhead(ctx context.Context, inputs chan<- Input) {
	var pending []Input
	from := s.face.Inputs()
	for from != nil || len(pending) > 0 {
		var to chan<- Input
		var next Input
		if len(pending) > 0 {
			to, next = inputs, pending[0]
		}
		source := from
		if len(pending) >= maxPending {
			source = nil
		}
		select {
		case in, ok := <-source:
			if !ok {
				from = nil
				continue
			}
			if in.Kind == Interrupt {
				s.leave()
			}
			pending = append(pending, in)
		case to <- next:
			pending = pending[1:]
		case <-ctx.Done():
			s.leave()
			return
		}
	}
	close(inputs)
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
		case <-s.over:
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
		return s.endOfInput(ctx)
	case Submit:
		before := s.refusedInputs()
		done, out := s.submit(ctx, in.Text)
		s.hasSaid = s.hasSaid || s.refusedInputs() == before && says(in.Text)
		return done, out
	case Choose:
		s.chooseBy(in.Text)
	}
	return false, Stopped
}

// endOfInput: Ctrl-D at the prompt is /bye in a client and /quit in a server, asked
// once while conversations go on; at a desk elsewhere it only leaves. Where input is a script, its end ends nothing, unless
// answers are waited for and none of its lines could be sent.
func (s *Session) endOfInput(ctx context.Context) (bool, Outcome) {
	if s.o.HoldInput {
		return s.o.Once > 0 && !s.hasSaid && s.refusedInputs() > 0, Unsent
	}
	if s.o.Away {
		return true, Quit
	}
	if !s.o.Server {
		if s.chosen() == 0 {
			return true, Quit
		}
		s.bye(ctx, s.chosen(), "")
		return false, Stopped
	}
	s.mu.Lock()
	n, asked := len(s.live), s.asked
	s.asked = true
	s.mu.Unlock()
	if n == 0 || asked {
		return true, Quit
	}
	them := "them"
	if n == 1 {
		them = "it"
	}
	s.noticef("%s going on; Ctrl-D again ends %s", count(n, "conversation is", "conversations are"), them)
	return false, Stopped
}

// refusedInputs returns the number of inputs that were not sent.
func (s *Session) refusedInputs() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusals
}

// says reports whether what was typed may say something to a peer: a command that only changes or shows something does not.
func says(typed string) bool {
	rest, ok := strings.CutPrefix(typed, "/")
	if !ok {
		return true
	}
	name, rest, _ := strings.Cut(rest, " ")
	switch name {
	case "help", "who", "use", "room", "next", "name", "note", "ban", "reload", "quiet", "full", "framing", "encoding", "explain", "save":
		return false
	case "hex":
		_, shows := onOff(strings.TrimSpace(rest), false)
		return !shows
	}
	return true
}

// submit takes what was typed: a command, the farewell, or a message.
func (s *Session) submit(ctx context.Context, typed string) (bool, Outcome) {
	s.mu.Lock()
	s.asked = false
	s.mu.Unlock()
	if strings.HasPrefix(typed, "/") && !strings.HasPrefix(typed, "//") {
		return s.command(ctx, typed)
	}
	if !s.awaitTurn(ctx, typed) {
		return false, Stopped
	}
	n, why := s.listener()
	switch {
	case why != "":
		s.refuse(typed, why)
	case n == 0:
		s.speakInHall(ctx, s.forHall(typed), typed)
	default:
		s.speak(ctx, n, typed, typed)
	}
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

// slash is the other way round: what is to be typed to say text.
func slash(text, farewell string) string {
	switch {
	case duet.IsFarewell([]byte(text), farewell):
		return "//" + text
	case strings.HasPrefix(text, "/"):
		return "/" + text
	}
	return text
}

// awaitConversation lets a script's line wait until there is a conversation. A person at a terminal is told instead. False,
// and a word about it, where the session ends before.
func (s *Session) awaitConversation(ctx context.Context, line string) bool {
	return s.hold(ctx, line, func() bool { return len(s.live) > 0 })
}

// awaitTurn lets a script's line wait until there is a conversation and, with Turns, it is this side's turn.
func (s *Session) awaitTurn(ctx context.Context, line string) bool {
	return s.hold(ctx, line, func() bool {
		return len(s.live) > 0 && (!s.o.Turns || s.target == 0 || s.myTurn[s.target])
	})
}

func (s *Session) hold(ctx context.Context, line string, ok func() bool) bool {
	if !s.o.HoldInput || s.await(ctx, ok) {
		return true
	}
	if ctx.Err() != nil {
		s.noticef("not sent, since duet ends: %s", screen.Cut(safe(line[:min(len(line), 1000)]), 60))
	}
	return false
}

// speak says text to conversation n as if it had been typed at its prompt: the word of farewell ends it. Where it
// is refused, typed is put back on the line.
func (s *Session) speak(ctx context.Context, n uint64, text, typed string) {
	if duet.IsFarewell([]byte(text), s.o.Farewell) {
		s.bye(ctx, n, typed)
		return
	}
	s.say(ctx, n, unslash(text, s.o.Farewell), typed)
}

// say sends text to conversation n. Where the framing cannot carry line ends, its lines go as messages of their own.
func (s *Session) say(ctx context.Context, n uint64, text, typed string) bool {
	if !s.takeTurn(n) {
		s.refuse(typed, peersTurn)
		return false
	}
	err := s.desk.Say(ctx, n, text)
	if lines := textLines(text); len(lines) > 1 && errors.Is(err, duet.ErrDelimiter) {
		return s.sayLines(ctx, n, lines)
	}
	if err != nil {
		s.returnTurn(n)
		s.refuse(typed, sayProblem(err))
		return false
	}
	s.tellBehind(n)
	return true
}

// textLines cuts at line ends of any kind. One at the very end ends the last line.
func textLines(text string) []string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// sayLines sends each line as a message. One that is the farewell is the farewell: the peer would take it for it.
func (s *Session) sayLines(ctx context.Context, n uint64, lines []string) bool {
	for i, l := range lines {
		var err error
		if duet.IsFarewell([]byte(l), s.o.Farewell) {
			err = s.desk.Bye(ctx, n)
		} else {
			err = s.desk.Say(ctx, n, l)
		}
		if err != nil {
			why := sayProblem(err)
			if i > 0 {
				why = fmt.Sprintf("%s; the lines before it were sent as %s", why, count(i, "message", "messages"))
			} else {
				s.returnTurn(n)
			}
			s.refuse(slash(strings.Join(lines[i:], "\n"), s.o.Farewell), why)
			return false
		}
	}
	s.tellf("sent as %d messages, one a line", len(lines))
	return true
}

// takeTurn takes the turn to speak to n; false where it is the peer's. It is taken before anything is sent:
// the peer may answer at once, which gives it back.
func (s *Session) takeTurn(n uint64) bool {
	if !s.o.Turns {
		return true
	}
	s.mu.Lock()
	mine := s.myTurn[n]
	s.myTurn[n] = false
	s.mu.Unlock()
	s.refresh()
	return mine
}

// returnTurn: nothing was sent after all.
func (s *Session) returnTurn(n uint64) {
	if !s.o.Turns {
		return
	}
	s.mu.Lock()
	if _, live := s.live[n]; live {
		s.myTurn[n] = true
		s.note()
	} else {
		delete(s.myTurn, n)
	}
	s.mu.Unlock()
	s.refresh()
}

// bye says the farewell to n, behind the files that are on their way there.
func (s *Session) bye(ctx context.Context, n uint64, typed string) {
	say := func() {
		if err := s.desk.Bye(ctx, n); err != nil {
			s.refuse(typed, sayProblem(err))
		}
	}
	s.mu.Lock()
	behind := s.files[n] != nil || s.transfers[n] != nil
	s.mu.Unlock()
	if behind {
		s.tellf("the farewell follows when the file is sent")
	}
	if !s.afterFiles(n, say) {
		say()
	}
}

// refuse says why something was not sent, and puts what was typed back on the line.
func (s *Session) refuse(typed, why string) {
	s.mu.Lock()
	s.refusals++
	s.mu.Unlock()
	s.Notice("not sent: " + why)
	if typed != "" {
		s.face.SetInput(typed)
	}
}

// sayProblem words an error of sending for people.
func sayProblem(err error) string {
	var ue *charset.UnencodableError
	switch {
	case errors.As(err, &ue):
		return ue.Error()
	case errors.Is(err, duet.ErrDelimiter):
		return "the message holds what ends a message in this framing"
	case errors.Is(err, duet.ErrQueueFull):
		return "too much waits already behind the file that is being sent"
	case errors.Is(err, duet.ErrCut):
		return "the conversation was cut"
	case errors.Is(err, duet.ErrRaw):
		return "a handler has taken over the bytes of this conversation"
	case errors.Is(err, duet.ErrSlowPeer):
		return "the peer does not read; the conversation ends"
	case errors.Is(err, duet.ErrClosed):
		return "the farewell has been said, or the conversation has ended"
	case errors.Is(err, context.Canceled):
		return "duet ends"
	}
	return safe(rootCause(err))
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
