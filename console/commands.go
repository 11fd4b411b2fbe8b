package console

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"duet.example/duet"
	"duet.example/duet/internal/screen"
)

// A command is what a line that begins with a slash does. /help, completion and the
// dispatcher all come from this one table.
type command struct {
	name string
	args string // as /help shows them
	help string
	// server: the command makes sense only where there may be several peers.
	server bool
	// when is what a script's line waits for.
	when moment
	// run does it with what stands after the name and one blank. true ends the session.
	run func(s *Session, ctx context.Context, rest string) (bool, Outcome)
	// complete gives candidates for the arguments.
	complete func(s *Session, arg string) []string
}

// A moment is what a command waits for where lines wait.
type moment uint8

const (
	atOnce         moment = iota
	inConversation        // a conversation
	atTurn                // a conversation in which it is this side's turn
)

// commands is a func because /help reads the table that it is in.
func commands() []command {
	return []command{
		{name: "help", help: "show these commands", run: (*Session).cmdHelp},
		{name: "who", help: "show who is here, with framing, encoding and counts", run: (*Session).cmdWho},
		{name: "use", args: "N", help: "answer conversation N from now on", server: true, when: inConversation, run: (*Session).cmdUse, complete: completeNumbers},
		{name: "to", args: "N TEXT", help: "say TEXT to conversation N only", server: true, when: inConversation, run: (*Session).cmdTo, complete: completeNumbers},
		{name: "all", args: "TEXT", help: "say TEXT to everybody", server: true, when: inConversation, run: (*Session).cmdAll},
		{name: "bye", args: "[N]", help: "say the farewell, which ends the conversation", when: atTurn, run: (*Session).cmdBye, complete: completeNumbers},
		{name: "quit", help: "say goodbye to everybody and end duet", run: (*Session).cmdQuit},
		{name: "hex", args: "[on|off|BYTES]", help: `show messages as hex; send bytes: /hex 68 69 0d, or /hex "text\x1e\u00e9"`, run: (*Session).cmdHex, complete: completeWords("on", "off")},
		{name: "framing", args: "[NAME]", help: "show or change how messages are cut", when: inConversation, run: (*Session).cmdFraming, complete: completeFramings},
		{name: "encoding", args: "[NAME]", help: "show or change what the peer's text is in", when: inConversation, run: (*Session).cmdEncoding, complete: completeWords("utf-8", "gb18030", "shift_jis", "latin1", "big5", "euc-kr", "windows-1252")},
		{name: "explain", args: "[on|off]", help: "narrate each step of the network", run: (*Session).cmdExplain, complete: completeWords("on", "off")},
		{name: "send", args: "FILE", help: "send a file's bytes: its lines as messages, or all of it in raw and length", when: atTurn, run: (*Session).cmdSend, complete: completeFiles},
		{name: "save", args: "FILE|off", help: "write what is said from now on to a file as well", run: (*Session).cmdSave, complete: completeFiles},
	}
}

// command does what a line with a slash asks.
func (s *Session) command(ctx context.Context, line string) (bool, Outcome) {
	name, rest := line[1:], ""
	if i := strings.IndexAny(name, " \t\r\n"); i >= 0 {
		name, rest = name[:i], name[i+1:]
	}
	c, ok := s.lookup(name)
	if !ok {
		s.noticef("no command /%s: /help lists them, and // begins a text with a slash", screen.Cut(safe(name), 40))
		s.face.SetInput(line)
		return false, Stopped
	}
	switch c.when {
	case inConversation:
		ok = s.awaitConversation(ctx, line)
	case atTurn:
		ok = s.awaitTurn(ctx, line)
	}
	if !ok {
		return false, Stopped
	}
	return c.run(s, ctx, rest)
}

func (s *Session) lookup(name string) (command, bool) {
	all := commands()
	i := slices.IndexFunc(all, func(c command) bool { return c.name == name && s.has(c) })
	if i < 0 {
		return command{}, false
	}
	return all[i], true
}

func (s *Session) has(c command) bool { return s.o.Server || !c.server }

func (s *Session) cmdHelp(context.Context, string) (bool, Outcome) {
	var b strings.Builder
	row := func(what, help string) { fmt.Fprintf(&b, "  %-22s %s\n", what, help) }
	for _, c := range commands() {
		if s.has(c) {
			row(strings.TrimSpace("/"+c.name+" "+c.args), c.help)
		}
	}
	row("//TEXT", "say a text that begins with a slash")
	if w := s.o.Farewell; w != "" {
		row("//"+w, "say the word "+w+" without ending")
	}
	s.Notice(b.String())
	return false, Stopped
}

func (s *Session) cmdQuit(context.Context, string) (bool, Outcome) { return true, Quit }

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
		return s.cmdWho(ctx, "")
	}
	n, ok := s.number(rest)
	if !ok {
		return false, Stopped
	}
	s.mu.Lock()
	if _, live := s.live[n]; live { // still
		s.target, s.former, s.switched = n, 0, time.Time{}
	}
	s.note()
	s.mu.Unlock()
	s.refresh()
	return false, Stopped
}

func (s *Session) cmdTo(ctx context.Context, rest string) (bool, Outcome) {
	who, text, ok := strings.Cut(strings.TrimLeft(rest, " "), " ")
	if !ok {
		s.Notice("/to wants a number and a text: /to 2 hello")
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
			s.noticef("not sent to %d: %s", n, peersTurn)
			continue
		}
		if err := s.desk.Say(ctx, n, text); err != nil {
			s.returnTurn(n)
			s.noticef("not sent to %d: %s", n, sayProblem(err))
			continue
		}
		sent++
	}
	s.tellf("said to %s", count(sent, "client", "clients"))
	return false, Stopped
}

// number takes the number of a conversation that the operator was told of, or says what is wrong with it.
func (s *Session) number(text string) (uint64, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "#"), 10, 64)
	s.mu.Lock()
	_, live := s.live[n]
	s.mu.Unlock()
	if err != nil || !live {
		s.noticef("no conversation %s: %s", screen.Cut(safe(text), 40), s.numbers())
		return 0, false
	}
	return n, true
}

// present are the numbers of the live conversations that the operator was told of.
func (s *Session) present() []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.live))
}

// numbers lists them.
func (s *Session) numbers() string {
	all := s.present()
	if len(all) == 0 {
		return "there are none"
	}
	words := make([]string, len(all))
	for i, n := range all {
		words[i] = strconv.FormatUint(n, 10)
	}
	return strings.Join(words, ", ")
}
