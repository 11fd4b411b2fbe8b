package room_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"duet.example/duet"
	"duet.example/duet/duettest"
	"duet.example/duet/framing"
	"duet.example/duet/room"
)

// farewell has bye end the conversation, and shows it to the peer and the hall.
func farewell(s *duet.Server) { s.Farewell, s.ShowFarewell = "bye", true }

func TestTwoHearEachOther(t *testing.T) {
	h := new(room.Hall)
	a := enter(t, h)
	a.expect("-- you are guest-1 in lobby; nobody else is here; /help shows the commands")
	b := enter(t, h)
	b.expect("-- you are guest-2 in lobby; 1 other is here: guest-1; /help shows the commands")
	a.expect("-- guest-2 has joined")
	a.say("hello", "", "two\vlines\r\f\u0085")
	b.expect("guest-1: hello", "guest-1: ", "guest-1: two", "guest-1: lines")
	b.say("and you")
	a.expect("guest-2: and you") // not its own words
	c := enter(t, h)
	c.expect("-- you are guest-3 in lobby; 2 others are here: guest-1, guest-2; /help shows the commands")
	if err := b.conn.CloseWrite(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.expect("-- guest-3 has joined", "-- guest-2 has left: peer-closed")
	c.expect("-- guest-2 has left: peer-closed")
}

func TestNick(t *testing.T) {
	h := new(room.Hall)
	var named []string
	h.Watch.Named = func(_ *duet.Conn, name string) { named = append(named, name) }
	a := join(t, h)
	b := join(t, h)
	a.expect("-- guest-2 has joined")
	a.say("/nick anna")
	a.expect("-- guest-1 is anna from now on")
	b.expect("-- guest-1 is anna from now on")
	a.say("hello")
	b.expect("anna: hello")
	for _, tt := range []struct{ name, why string }{
		{"Anna", "looks like"},
		{"аnna", "looks like"}, // a Cyrillic а, or refused as a mixture
		{"an\u200bna", "cannot stand in a name"},
		{"guest-7", "reserved"},
		{"you", "reserved"},
		{"42", "a number is no name"},
		{"two words", "cannot stand in a name"},
		{"-- anna", "begins with a letter or a digit"},
		{"@ops", "cannot stand in a name"},
		{strings.Repeat("n", 65), "at most 32 characters"},
	} {
		b.say("/nick " + tt.name)
		got := b.next()
		if !strings.HasPrefix(got, "-- ") || strings.Contains(got, "from now on") {
			t.Errorf("/nick %q: %q, want … %s", tt.name, got, tt.why)
		}
	}
	b.say("/nick")
	b.expect("-- it is /nick NAME: changes your name")
	b.say("/nick 王芳")
	b.expect("-- guest-2 is 王芳 from now on")
	a.expect("-- guest-2 is 王芳 from now on")
	if err := a.conn.Close(); err != nil {
		t.Fatal(err)
	}
	b.expect("-- anna has left: peer-closed")
	a.gone()
	b.say("/nick anna") // it is free again
	b.expect("-- 王芳 is anna from now on")
	if want := []string{"anna", "王芳", "anna"}; !slices.Equal(named, want) {
		t.Errorf("named %q, want %q", named, want)
	}
}

// A framing that panics ends its own conversation, and takes no name with it.
func TestPanicWhileJoining(t *testing.T) {
	h := new(room.Hall)
	_, server := duettest.ConnPair(t, func(s *duet.Server) { s.Framing = broken{framing.LF, breakDown} })
	var pe *duet.PanicError
	if err := duet.Serve(t.Context(), server, h); !errors.As(err, &pe) || pe.Value != "broken" {
		t.Fatalf("%v, want a panic", err)
	}
	a := enter(t, h)
	a.expect("-- you are guest-1 in lobby; nobody else is here; /help shows the commands")
}

// So does one in what a message brings about; the others hear of it.
func TestPanicWhileSpeaking(t *testing.T) {
	h := &room.Hall{Watch: room.Watch{Said: func(*duet.Conn, string, []byte) { breakDown() }}}
	a, b := join(t, h), join(t, h)
	a.expect("-- guest-2 has joined")
	b.say("hello")
	a.expect("guest-2: hello")
	a.expect("-- guest-2 has left: handler-failed")
	var pe *duet.PanicError
	if err := <-b.served; !errors.As(err, &pe) || pe.Value != "broken" || !strings.Contains(string(pe.Stack), "breakDown") {
		t.Fatalf("%v, want a panic and where it was", err)
	}
}

// A member whose goroutine ends on the way, while it joins or while it speaks, leaves the hall, and frees its name.
func TestGoexit(t *testing.T) {
	t.Run("while joining", func(t *testing.T) {
		h := new(room.Hall)
		client, server := duettest.ConnPair(t, func(s *duet.Server) { s.Framing = broken{framing.LF, runtime.Goexit} })
		converseUntilGoexit(t, h, server)
		if _, err := client.Receive(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("the peer has received %v, want the end", err)
		}
		enter(t, h).expect("-- you are guest-1 in lobby; nobody else is here; /help shows the commands")
	})
	t.Run("while speaking", func(t *testing.T) {
		h := &room.Hall{Watch: room.Watch{Said: func(*duet.Conn, string, []byte) { runtime.Goexit() }}}
		a := join(t, h)
		client, server := duettest.ConnPair(t)
		if err := client.Send(t.Context(), []byte("hello")); err != nil {
			t.Fatal(err)
		}
		converseUntilGoexit(t, h, server)
		a.expect("-- guest-2 has joined", "guest-2: hello", "-- guest-2 has left: handler-failed")
	})
}

// converseUntilGoexit has h answer c in a goroutine that runtime.Goexit ends, and waits for its end.
func converseUntilGoexit(t *testing.T, h *room.Hall, c *duet.Conn) {
	t.Helper()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		err := duet.Serve(context.Background(), c, h)
		t.Errorf("Serve has returned %v after Goexit", err)
	}()
	<-gone
	if reason, err := c.Result(); reason != duet.EndHandlerFailed {
		t.Errorf("ended as %v (%v)", reason, err)
	}
}

func breakDown() { panic("broken") }

// broken is a framing whose encoders call fail instead of sending.
type broken struct {
	framing.Framing
	fail func()
}

func (b broken) New(max int) (framing.Decoder, framing.Encoder) {
	decoder, encoder := b.Framing.New(max)
	return decoder, brokenEncoder{encoder, b.fail}
}

type brokenEncoder struct {
	framing.Encoder
	fail func()
}

func (e brokenEncoder) WireEncoding(bool) framing.WireEncoding {
	e.fail()
	return nil
}

func TestRename(t *testing.T) {
	h := new(room.Hall)
	a := join(t, h)
	if err := h.Rename(a.server, "bob"); err != nil {
		t.Fatal(err)
	}
	a.expect("-- guest-1 is bob from now on")
	if err := h.Rename(a.server, "you"); err == nil {
		t.Error("a reserved name was given")
	}
	if err := h.Rename(a.server, ""); err != nil {
		t.Fatal(err)
	}
	a.expect("-- bob is guest-1 from now on")
	if err := h.Rename(a.conn, "eve"); !errors.Is(err, room.ErrNobody) {
		t.Errorf("renaming a stranger: %v", err)
	}
	if err := (&room.Hall{Relay: true}).Rename(a.conn, "eve"); !errors.Is(err, room.ErrRelay) {
		t.Errorf("in a relay: %v", err)
	}
}

func TestWhoMeMsg(t *testing.T) {
	h := new(room.Hall)
	a := called(t, h, "anna")
	b := called(t, h, "bob")
	a.expect("-- guest-1 has joined", "-- guest-1 is bob from now on")
	c := called(t, h, "carl")
	a.expect("-- guest-1 has joined", "-- guest-1 is carl from now on")
	b.expect("-- guest-1 has joined", "-- guest-1 is carl from now on")
	a.say("/who")
	a.expect("-- 3 are in lobby: anna, bob, carl")
	a.say("/me waves\x1b[2J")
	b.expect(`* anna waves\x1b[2J`)
	c.expect(`* anna waves\x1b[2J`)
	a.say("/msg BOB only you")
	a.expect("you -> bob: only you")
	b.expect("anna -> you: only you")
	a.say("/msg eve hello", "/msg bob", "/nonsense\x07 x", "//who", "///", "/", " /who")
	a.expect("-- nobody is called eve", "-- it is /msg NAME TEXT: says something to one member only",
		`-- no command /nonsense\x07; /help shows them`, "-- no command /; /help shows them")
	b.expect("anna: /who", "anna: //", "anna:  /who")
	c.expect("anna: /who", "anna: //", "anna:  /who")
	a.say("/help")
	a.expect("-- /help shows the commands", "-- /who shows who is here", "-- /nick NAME changes your name")
}

func TestNoCommands(t *testing.T) {
	h := &room.Hall{NoCommands: true, Name: "plain"}
	a := enter(t, h)
	a.expect("-- you are guest-1 in plain; nobody else is here")
	b := join(t, h)
	a.say("/nick anna", "//x")
	b.expect("guest-1: /nick anna", "guest-1: //x")
}

func TestRooms(t *testing.T) {
	h := &room.Hall{MaxRooms: 2}
	a := called(t, h, "anna")
	b := called(t, h, "bob")
	a.expect("-- guest-1 has joined", "-- guest-1 is bob from now on")
	a.say("/join dev")
	a.expect("-- you are anna in dev; nobody else is here")
	b.expect("-- anna has gone to dev")
	a.say("alone", "/rooms")
	a.expect("-- lobby 1, dev 1")
	b.say("not heard in dev")
	b.say("/join other")
	b.expect("-- too many rooms: there are 2")
	b.say("/join DEV", "hello")
	b.expect("-- you are bob in dev; 1 other is here: anna")
	a.expect("-- bob has joined", "bob: hello")
	a.say("/part", "/part")
	a.expect("-- you are anna in lobby; nobody else is here", "-- you are in lobby")
	b.expect("-- anna has gone to lobby")
	b.say("/part")
	b.expect("-- you are bob in lobby; 1 other is here: anna")
	a.expect("-- bob has joined")
	a.say("/join new room", "/join new", "/rooms")
	if got := a.next(); !strings.Contains(got, "cannot stand in a name") {
		t.Errorf("a blank in the name: %q", got)
	}
	a.expect("-- you are anna in new; nobody else is here", "-- lobby 1, new 1")
}

func TestQuit(t *testing.T) {
	for _, opts := range [][]func(*duet.Server){{farewell}, nil} {
		h := new(room.Hall)
		a, b := join(t, h, opts...), join(t, h, opts...)
		a.expect("-- guest-2 has joined")
		b.say("/quit kicked")
		a.expect("guest-2: kicked", "-- guest-2 has left: farewell")
		if len(opts) > 0 {
			b.expect("bye")
		}
		if err := b.conn.Close(); err != nil {
			t.Error(err)
		}
		if r := b.gone(); r != duet.EndFarewell {
			t.Errorf("ended as %v", r)
		}
	}
}

func TestFarewell(t *testing.T) {
	h := new(room.Hall)
	a, b := join(t, h, farewell), join(t, h, farewell)
	a.expect("-- guest-2 has joined")
	b.say("last words", "bye")
	a.expect("guest-2: last words", "-- guest-2 has left: farewell")
	b.expect("Bye")
	if r := b.gone(); r != duet.EndFarewell {
		t.Errorf("ended as %v", r)
	}
}

func TestTopicIsForOperators(t *testing.T) {
	h := new(room.Hall)
	a := join(t, h)
	a.say("/topic", "/topic mine", "/kick guest-1", "/mute guest-1")
	a.expect("-- lobby has no topic", "-- only operators say what a room is about",
		"-- no command /kick; /help shows them", "-- no command /mute; /help shows them")
	if _, err := h.Speak(t.Context(), "ops", "/topic the \x1bplan"); err != nil {
		t.Fatal(err)
	}
	a.expect(`-- @ops says what this is about: the \x1bplan`)
	a.say("/topic")
	a.expect(`-- the topic is the \x1bplan`)
	b := join(t, h)
	b.expect(`-- the topic is the \x1bplan`)
}
