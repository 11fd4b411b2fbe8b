package console

import (
	"context"
	"fmt"
	"slices"
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
	// hall: it makes sense only where there are rooms.
	hall bool
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
		{name: "who", args: "[all]", help: "show who is here, with framing, encoding and counts; all: also who has left", run: (*Session).cmdWho, complete: completeWords("all")},
		{name: "use", args: "N", help: "answer conversation N, a number or a name, from now on", server: true, when: inConversation, run: (*Session).cmdUse, complete: completePeers},
		{name: "room", help: "speak to the room again", server: true, hall: true, run: (*Session).cmdRoom},
		{name: "next", help: "answer the one that has waited longest, or the next after it", server: true, when: inConversation, run: (*Session).cmdNext},
		{name: "to", args: "N TEXT", help: "say TEXT to conversation N only", server: true, when: inConversation, run: (*Session).cmdTo, complete: completePeersThen},
		{name: "all", args: "TEXT", help: "say TEXT to everybody", server: true, when: inConversation, run: (*Session).cmdAll},
		{name: "name", args: "N [NAME]", help: "call conversation N by a name, or by none", server: true, when: inConversation, run: (*Session).cmdName, complete: completePeersThen},
		{name: "note", args: "N [TEXT]", help: "note something about conversation N, or nothing", server: true, when: inConversation, run: (*Session).cmdNote, complete: completePeersThen},
		{name: "bye", args: "[N]", help: "say the farewell, which ends the conversation", when: atTurn, run: (*Session).cmdBye, complete: completePeers},
		{name: "kick", args: "N [REASON]", help: "end conversation N at once", server: true, when: inConversation, run: (*Session).cmdKick, complete: completePeersThen},
		{name: "ban", args: "ADDRESS|N", help: "keep an address or a network, or where N comes from, out from now on", server: true, run: (*Session).cmdBan, complete: completeAddresses},
		{name: "reload", help: "read the lists of addresses again; who is here stays", server: true, run: (*Session).cmdReload},
		{name: "quiet", args: "[on|off]", help: "only count what others than the chosen one say", server: true, run: (*Session).cmdQuiet, complete: completeWords("on", "off")},
		{name: "full", help: "show everybody and the chosen conversation on the whole screen, or go back", server: true, run: (*Session).cmdFull},
		{name: "quit", help: "say goodbye to everybody and end duet", run: (*Session).cmdQuit},
		{name: "hex", args: "[on|off|BYTES]", help: `show messages as hex; send exactly these bytes: /hex 02 41 03, or /hex "text\x1e\u00e9"`, run: (*Session).cmdHex, complete: completeWords("on", "off")},
		{name: "framing", args: "[NAME]", help: "show or change how messages are cut", when: inConversation, run: (*Session).cmdFraming, complete: completeFramings},
		{name: "encoding", args: "[NAME]", help: "show or change what the peer's text is in", when: inConversation, run: (*Session).cmdEncoding, complete: completeWords("utf-8", "gb18030", "shift_jis", "latin1", "big5", "euc-kr", "windows-1252")},
		{name: "explain", args: "[on|off]", help: "narrate each step of the network", run: (*Session).cmdExplain, complete: completeWords("on", "off")},
		{name: "send", args: "[--lines] FILE", help: "send the bytes of a file as they are; --lines: each of its lines as a message", when: atTurn, run: (*Session).cmdSend, complete: completeSend},
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
		if h, ok := s.hallCommand(name); ok {
			if !h.takesName() || s.awaitConversation(ctx, line) {
				s.speakInHall(ctx, line, line)
			}
			return false, Stopped
		}
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

func (s *Session) has(c command) bool {
	return (s.o.Server || !c.server) && (s.hall.there || !c.hall)
}

func (s *Session) cmdHelp(context.Context, string) (bool, Outcome) {
	var b strings.Builder
	row := func(what, help string) { fmt.Fprintf(&b, "  %-22s %s\n", what, help) }
	for _, c := range commands() {
		if s.o.Away && c.name == "quit" {
			c.help = "leave this desk, which ends nothing there"
		}
		if s.hall.there && c.name == "use" {
			c.args, c.help = "[N]", "answer conversation N alone, a number or a name, from now on; without N, the room"
		}
		if s.has(c) {
			row(strings.TrimSpace("/"+c.name+" "+c.args), c.help)
		}
	}
	row("//TEXT", "say a text that begins with a slash")
	if w := s.o.Farewell; w != "" {
		row("//"+w, "say the word "+w+" without ending")
	}
	if len(s.hall.commands) > 0 {
		b.WriteString("in the rooms:\n")
	}
	for _, c := range s.hall.commands {
		row(c.usage, c.help)
	}
	s.Notice(b.String())
	return false, Stopped
}

func (s *Session) cmdQuit(context.Context, string) (bool, Outcome) { return true, Quit }
