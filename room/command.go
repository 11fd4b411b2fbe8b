package room

import (
	"iter"
	"strings"
	"unicode/utf8"
)

// A verb is what a command does.
type verb uint8

const (
	noVerb verb = iota
	verbHelp
	verbWho
	verbNick
	verbMe
	verbMsg
	verbJoin
	verbPart
	verbRooms
	verbTopic
	verbMute
	verbUnmute
	verbKick
	verbQuit
)

// An audience says who may use a command.
type audience uint8

const (
	members audience = 1 << iota
	muted            // members who are muted, too
	operators
)

// A command is a line that begins with a slash and is not said.
type command struct {
	word string
	verb verb
	args string // as help shows them; those in brackets may be left out
	help string
	who  audience
}

// commands are all there are, in the order of help.
var commands = [...]command{
	{"help", verbHelp, "", "shows the commands", members | muted | operators},
	{"who", verbWho, "", "shows who is here", members | muted | operators},
	{"nick", verbNick, "NAME", "changes your name", members},
	{"me", verbMe, "TEXT", "says what you do", members | operators},
	{"msg", verbMsg, "NAME TEXT", "says something to one member only", members | operators},
	{"join", verbJoin, "ROOM", "goes to another room, a new one if need be", members | operators},
	{"part", verbPart, "", "goes back to the first room", members | operators},
	{"rooms", verbRooms, "", "shows the rooms", members | operators},
	{"topic", verbTopic, "", "shows what the room is about", members},
	{"topic", verbTopic, "[TEXT]", "shows or says what the room is about", operators},
	{"mute", verbMute, "NAME", "lets a member listen only", operators},
	{"unmute", verbUnmute, "NAME", "lets a member speak again", operators},
	{"kick", verbKick, "NAME [WHY]", "ends a member's conversation", operators},
	{"quit", verbQuit, "[WORDS]", "says the words and leaves", members | muted},
}

func (c command) usage() string {
	if c.args == "" {
		return "/" + c.word
	}
	return "/" + c.word + " " + c.args
}

// wants is how many words of its arguments the command cannot do without.
func (c command) wants() int {
	must, _, _ := strings.Cut(c.args, "[")
	return len(strings.Fields(must))
}

// find finds the command of that word that who may use.
func find(word string, who audience) (command, bool) {
	for _, c := range commands {
		if c.who&who != 0 && strings.EqualFold(c.word, word) {
			return c, true
		}
	}
	return command{}, false
}

// usages gives usage and help of the commands that who may use.
func usages(who audience) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, c := range commands {
			if c.who&who != 0 && !yield(c.usage(), c.help) {
				return
			}
		}
	}
}

// parse tells a command from what is said: `//text` says /text.
func parse(line string) (word, args, said string, isCommand bool) {
	rest, slash := strings.CutPrefix(line, "/")
	switch {
	case !slash:
		return "", "", line, false
	case strings.HasPrefix(rest, "/"):
		return "", "", rest, false
	}
	word, args = cutWord(rest)
	return word, args, "", true
}

// cutWord cuts the first word off, and the blanks around what follows.
func cutWord(s string) (word, rest string) {
	s = strings.Trim(s, " \t")
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], strings.Trim(s[i:], " \t")
	}
	return s, ""
}

// enough reports whether args has the words that c wants.
func (c command) enough(args string) bool {
	for range c.wants() {
		var word string
		if word, args = cutWord(args); word == "" {
			return false
		}
	}
	return true
}

// shownWord is how much of a word that is no name or command is shown to the one who typed it.
const shownWord = 40

// short is the safe form of such a word.
func short(word string) string {
	s := safe([]byte(word))
	if len(s) <= shownWord {
		return s
	}
	at := shownWord
	for !utf8.RuneStart(s[at]) {
		at--
	}
	return s[:at] + "…"
}
