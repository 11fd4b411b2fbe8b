package room_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/room"
)

func speak(t *testing.T, h *room.Hall, operator, line string) []string {
	t.Helper()
	answer, err := h.Speak(t.Context(), operator, line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return answer
}

func wantAnswer(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("answer %q, want %q", got, want)
	}
}

// A log collects what a Watch is told.
type log struct {
	mu    sync.Mutex
	lines []string
	last  string        // await waits for it
	found chan struct{} // closed when it is there; nil: nobody waits
}

func (l *log) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
	l.look()
}

// look tells await that its line is there. l.mu is held.
func (l *log) look() {
	if l.found != nil && slices.Contains(l.lines, l.last) {
		close(l.found)
		l.found = nil
	}
}

// await waits for a line: members may get what is said before the watch is told.
func (l *log) await(t *testing.T, line string) {
	t.Helper()
	l.mu.Lock()
	found := make(chan struct{})
	l.last, l.found = line, found
	l.look()
	l.mu.Unlock()
	select {
	case <-found:
	case <-time.After(10 * time.Second):
		t.Errorf("the watch was not told %q", line)
	}
}

func (l *log) watch() room.Watch {
	return room.Watch{
		Said:   func(_ *duet.Conn, room string, text []byte) { l.add("said in %s: %s", room, text) },
		Named:  func(_ *duet.Conn, name string) { l.add("named %s", name) },
		Notice: func(text string) { l.add("notice %s", text) },
		Spoke:  func(operator, room string, text []byte) { l.add("%s in %s: %s", operator, room, text) },
	}
}

func TestOperatorsSpeak(t *testing.T) {
	var l log
	h := &room.Hall{Watch: l.watch()}
	if got := h.Room("ops"); got != "lobby" {
		t.Errorf("room %q", got)
	}
	a := called(t, h, "anna")
	speak(t, h, "ops", "hello\nall \x1b[2J")
	a.expect("@ops: hello", `@ops: all \x1b[2J`)
	speak(t, h, "", "//help")
	a.expect("@operator: /help")
	speak(t, h, "ops", "/me waves")
	a.expect("* @ops waves")
	wantAnswer(t, speak(t, h, "ops", "/msg anna psst"), "you -> anna: psst")
	a.expect("@ops -> you: psst")
	a.say("/msg @ops and \x07you", "/msg @eve hello", "/who")
	a.expect(`you -> @ops: and \x07you`, "-- no operator is called @eve", "-- 3 are in lobby: @operator, @ops, anna")
	wantAnswer(t, speak(t, h, "ops", "/join dev"), "you are in dev: @ops")
	wantAnswer(t, speak(t, h, "ops", "/rooms"), "lobby 2, dev 1")
	speak(t, h, "ops", "nobody hears this")
	if got := h.Room("ops"); got != "dev" {
		t.Errorf("room %q", got)
	}
	wantAnswer(t, speak(t, h, "ops", "/part"), "you are in lobby: @operator, @ops, anna")
	wantAnswer(t, speak(t, h, "ops", "/rooms"), "lobby 3")
	a.say("I see", "/me nods")
	wantAnswer(t, speak(t, h, "ops", "/who"), "3 are in lobby: @operator, @ops, anna")
	b := join(t, h)
	a.expect("-- guest-1 has joined")
	l.await(t, "said in lobby: * anna nods")
	b.say("x")
	a.expect("guest-1: x")
	want := []string{
		"named anna",
		"ops in lobby: hello", "ops in lobby: all \x1b[2J", " in lobby: /help", "ops in lobby: * @ops waves",
		`notice anna -> @ops: and \x07you`,
		"ops in dev: nobody hears this",
		"said in lobby: I see", "said in lobby: * anna nods", "said in lobby: x",
	}
	l.await(t, "said in lobby: x")
	l.mu.Lock()
	defer l.mu.Unlock()
	if got := slices.DeleteFunc(l.lines, func(s string) bool { return s == "" }); !slices.Equal(got, want) {
		t.Errorf("the watch heard\n%q\nwant\n%q", got, want)
	}
}

func TestOperatorsAreRefused(t *testing.T) {
	h := new(room.Hall)
	for _, tt := range []struct {
		line string
		is   error
	}{
		{"/nick bob", room.ErrNoCommand},
		{"/quit", room.ErrNoCommand},
		{"/\x1b", room.ErrNoCommand},
		{"/kick", room.ErrNoCommand},
		{"/kick bob", room.ErrNobody},
		{"/mute bob", room.ErrNobody},
		{"/msg bob hello", room.ErrNobody},
		{"/join a b", nil},
	} {
		_, err := h.Speak(t.Context(), "ops", tt.line)
		if err == nil || tt.is != nil && !errors.Is(err, tt.is) || strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("%q: %v, want %v", tt.line, err, tt.is)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Speak(ctx, "ops", "hello"); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

func TestCommandsOfOperators(t *testing.T) {
	var usages []string
	for usage, help := range new(room.Hall).Commands() {
		if help == "" {
			t.Errorf("%s has no help", usage)
		}
		usages = append(usages, usage)
	}
	want := []string{
		"/help", "/who", "/me TEXT", "/msg NAME TEXT", "/join ROOM", "/part", "/rooms", "/topic [TEXT]",
		"/mute NAME", "/unmute NAME", "/kick NAME [WHY]",
	}
	if !slices.Equal(usages, want) {
		t.Errorf("%q, want %q", usages, want)
	}
	if answer := speak(t, new(room.Hall), "ops", "/help"); len(answer) != len(want) {
		t.Errorf("/help: %q", answer)
	}
}

func TestMute(t *testing.T) {
	h := new(room.Hall)
	a, b := called(t, h, "anna"), join(t, h)
	a.expect("-- guest-1 has joined")
	speak(t, h, "ops", "/mute GUEST-1")
	a.expect("-- guest-1 is muted")
	b.expect("-- guest-1 is muted")
	wantAnswer(t, speak(t, h, "ops", "/mute guest-1"), "guest-1 is muted")
	a.say("do you hear?")
	b.expect("anna: do you hear?")
	b.say("yes", "/me yes", "/msg anna yes", "/nick bob", "/join dev", "/who")
	b.expect("-- you are muted: nobody hears you", "-- you are muted: you may only listen", "-- you are muted: you may only listen",
		"-- you are muted: you may only listen", "-- you are muted: you may only listen", "-- 3 are in lobby: @ops, anna, guest-1")
	speak(t, h, "ops", "/unmute guest-1")
	a.expect("-- guest-1 may speak again")
	b.expect("-- guest-1 may speak again")
	b.say("yes")
	a.expect("guest-1: yes")
	speak(t, h, "ops", "/mute guest-1")
	a.expect("-- guest-1 is muted")
	b.expect("-- guest-1 is muted")
	b.say("/quit one more word")
	a.expect("-- guest-1 has left: farewell")
}

func TestKick(t *testing.T) {
	h := new(room.Hall)
	a, b := called(t, h, "anna"), join(t, h, farewell)
	a.expect("-- guest-1 has joined")
	wantAnswer(t, speak(t, h, "ops", "/kick guest-1 no \x1bmore"), "guest-1 is kicked")
	b.expect(`no \x1bmore`, "Bye")
	a.expect("-- guest-1 has left: kicked")
	if err := b.conn.Close(); err != nil {
		t.Error(err)
	}
	if r := b.gone(); r != duet.EndKicked {
		t.Errorf("ended as %v", r)
	}
	wantAnswer(t, speak(t, h, "ops", "/kick anna"), "anna is kicked")
	if r := a.gone(); r != duet.EndKicked {
		t.Errorf("ended as %v", r)
	}
}
