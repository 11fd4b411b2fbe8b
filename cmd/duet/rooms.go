package main

import (
	"strings"

	"github.com/spf13/pflag"

	"duet.example/duet/desk"
	"duet.example/duet/internal/nickname"
	"duet.example/duet/room"
)

// rooming holds the flags of rooms.
type rooming struct {
	room              string
	relay, noCommands bool
	history           int
	slow              string

	// What the flags come to; set by resolveRoom.
	slowPolicy room.Policy
}

func (r *rooming) registerRoom(f *pflag.FlagSet) {
	f.StringVar(&r.room, "room", "", "clients hear each other, in a room called `NAME` (lobby if not given)")
	f.Lookup("room").NoOptDefVal = room.DefaultName
	f.BoolVar(&r.relay, "relay", false, "a room of bare bytes: each client gets exactly what the others send")
	f.BoolVar(&r.noCommands, "no-commands", false, "in rooms: a line that begins with a slash is text")
	f.IntVar(&r.history, "history", 0, "in rooms: show the last `N` messages to one who joins")
	f.StringVar(&r.slow, "slow", "", "in rooms: skip what a client is too slow for, or end it (`HOW`: skip, end; a relay ends it)")
}

// rooms reports whether clients hear each other.
func (r *rooming) rooms() bool { return r.room != "" || r.relay }

// resolveRoom checks the flags of rooms.
func (l *listen) resolveRoom() error {
	if !l.rooms() {
		for _, flag := range []string{"no-commands", "history", "slow"} {
			if l.given(flag) {
				return usagef("--%s wants --room", flag)
			}
		}
		if l.given("room") {
			return usagef("--room wants a name that is not empty")
		}
		return nil
	}
	if l.room != "" {
		if err := nickname.Check(l.room); err != nil {
			return usagef("--room %q: %w", l.room, err)
		}
	}
	switch {
	case l.turns:
		return usagef("--turns takes turns with one client: it excludes --room")
	case l.history < 0:
		return usagef("--history wants a number that is not below zero")
	case l.relay && l.history > 0:
		return usagef("--relay has no messages to keep: it excludes --history")
	case l.relay && l.slow == "skip":
		return usagef("--relay cannot tell what was skipped: it excludes --slow skip")
	}
	switch l.slow {
	case "", "skip": // a relay ends it by itself
	case "end":
		l.slowPolicy = room.End
	default:
		return usagef("--slow is skip or end")
	}
	return nil
}

// hall is the rooms.
func (l *listen) hall() *room.Hall {
	return &room.Hall{
		Name: l.room, Relay: l.relay, NoCommands: l.noCommands, History: l.history, Slow: l.slowPolicy, Encoding: l.enc,
	}
}

// operator is the name of the operator here.
func (l *listen) operator() string {
	if l.rooms() {
		return speaker
	}
	return operatorHere
}

// watchHall has the desk told what happens in the rooms.
func watchHall(h *room.Hall, d *desk.Desk) {
	h.Watch = room.Watch{Said: d.Heard, Named: d.NameConn, Spoke: d.Spoke, Notice: d.Notice}
}

// joinRoomName makes one word of --room and the name after it, which the flag library takes for an address: a word that is
// none because it has neither a colon, a dot nor a slash, and is no port.
func joinRoomName(args []string) []string {
	out := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		word := args[i]
		if word == "--" {
			return append(out, args[i:]...)
		}
		if word == "--room" && i+1 < len(args) && isRoomName(args[i+1]) {
			i++
			word += "=" + args[i]
		}
		out = append(out, word)
	}
	return out
}

func isRoomName(word string) bool {
	return !strings.HasPrefix(word, "-") && !strings.ContainsAny(word, ":./") && word != "localhost" && nickname.Check(word) == nil
}
