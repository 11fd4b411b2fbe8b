package console

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	// run does it. true ends the session.
	run func(s *Session, ctx context.Context, rest string) (bool, Outcome)
	// complete gives candidates for the arguments.
	complete func(s *Session, arg string) []string
}

// commands is a func because /help reads the table that it is in.
func commands() []command {
	return []command{
		{name: "help", help: "show these commands", run: (*Session).cmdHelp},
		{name: "who", help: "show who is here, with framing, encoding and counts", run: (*Session).cmdWho},
		{name: "use", args: "N", help: "answer conversation N from now on", server: true, run: (*Session).cmdUse, complete: completeNumbers},
		{name: "to", args: "N TEXT", help: "say TEXT to conversation N only", server: true, run: (*Session).cmdTo, complete: completeNumbers},
		{name: "all", args: "TEXT", help: "say TEXT to everybody", server: true, run: (*Session).cmdAll},
		{name: "bye", args: "[N]", help: "say the farewell, which ends the conversation", run: (*Session).cmdBye, complete: completeNumbers},
		{name: "quit", help: "say goodbye to everybody and end duet", run: (*Session).cmdQuit},
		{name: "hex", args: "[on|off|BYTES]", help: `show messages as hex; send bytes: /hex 68 69 0d, or /hex "text\x1e\u00e9"`, run: (*Session).cmdHex, complete: completeWords("on", "off")},
		{name: "framing", args: "[NAME]", help: "show or change how messages are cut", run: (*Session).cmdFraming, complete: completeFramings},
		{name: "encoding", args: "[NAME]", help: "show or change what the peer's text is in", run: (*Session).cmdEncoding, complete: completeWords("utf-8", "gb18030", "shift_jis", "latin1", "big5", "euc-kr", "windows-1252")},
		{name: "explain", args: "[on|off]", help: "narrate each step of the network", run: (*Session).cmdExplain, complete: completeWords("on", "off")},
		{name: "send", args: "FILE", help: "send a file: its lines as messages, or all of it in raw and length", run: (*Session).cmdSend, complete: completeFiles},
		{name: "save", args: "FILE|off", help: "write what is said from now on to a file as well", run: (*Session).cmdSave, complete: completeFiles},
	}
}

// command does what a line with a slash asks.
func (s *Session) command(ctx context.Context, line string) (bool, Outcome) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(line, "/"), " ")
	c, ok := s.lookup(name)
	if !ok {
		s.Notice(fmt.Sprintf("no command /%s: /help lists them, and // begins a text with a slash", screen.Line(screen.Untrusted(name), screen.Style{})))
		return false, Stopped
	}
	return c.run(s, ctx, strings.TrimSpace(rest))
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
	var lines []string
	for _, c := range commands() {
		if s.has(c) {
			lines = append(lines, s.style.notice(fmt.Sprintf("  %-22s %s", strings.TrimSpace("/"+c.name+" "+c.args), c.help)))
		}
	}
	lines = append(lines, s.style.notice(fmt.Sprintf("  %-22s %s", "//TEXT", "say a text that begins with a slash")))
	if w := s.o.Farewell; w != "" {
		lines = append(lines, s.style.notice(fmt.Sprintf("  %-22s %s", "//"+w, "say the word "+w+" without ending")))
	}
	s.printLines(lines...)
	return false, Stopped
}

func (s *Session) cmdQuit(context.Context, string) (bool, Outcome) { return true, Quit }

func (s *Session) cmdBye(_ context.Context, rest string) (bool, Outcome) {
	n := s.chosen()
	if rest != "" {
		var ok bool
		if n, ok = s.number(rest); !ok {
			return false, Stopped
		}
	}
	if n == 0 {
		s.Notice(s.nobody())
		return false, Stopped
	}
	s.bye(n)
	return false, Stopped
}

func (s *Session) cmdUse(_ context.Context, rest string) (bool, Outcome) {
	if rest == "" {
		return s.cmdWho(nil, "")
	}
	n, ok := s.number(rest)
	if !ok {
		return false, Stopped
	}
	s.mu.Lock()
	s.target = n
	s.note()
	s.mu.Unlock()
	s.refreshPrompt()
	return false, Stopped
}

func (s *Session) cmdTo(_ context.Context, rest string) (bool, Outcome) {
	who, text, _ := strings.Cut(rest, " ")
	if text == "" {
		s.Notice("/to wants a number and a text: /to 2 hello")
		return false, Stopped
	}
	if n, ok := s.number(who); ok {
		s.say(n, text)
	}
	return false, Stopped
}

func (s *Session) cmdAll(_ context.Context, rest string) (bool, Outcome) {
	if rest == "" {
		s.Notice("/all wants a text: /all hello")
		return false, Stopped
	}
	numbers := s.desk.Numbers()
	sent := 0
	for _, n := range numbers {
		if err := s.desk.Say(n, rest); err != nil {
			s.Notice(fmt.Sprintf("not sent to %d: %s", n, sayProblem(err)))
			continue
		}
		sent++
		s.spoken(n)
	}
	s.tellf("said to %s", count(sent, "client", "clients"))
	return false, Stopped
}

// number takes the number of a live conversation, or says what is wrong with it.
func (s *Session) number(text string) (uint64, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "#"), 10, 64)
	s.mu.Lock()
	_, live := s.live[n]
	s.mu.Unlock()
	if err != nil || !live {
		s.Notice(fmt.Sprintf("no conversation %s: %s", screen.Line(screen.Untrusted(text), screen.Style{}), s.numbers()))
		return 0, false
	}
	return n, true
}

// numbers lists the live conversations.
func (s *Session) numbers() string {
	all := s.desk.Numbers()
	if len(all) == 0 {
		return "there are none"
	}
	words := make([]string, len(all))
	for i, n := range all {
		words[i] = strconv.FormatUint(n, 10)
	}
	return strings.Join(words, ", ")
}
