package console_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet/console"
	"duet.example/duet/desk"
	"duet.example/duet/duettest"
)

// In a room with two members what is typed is said there, and what is said is shown once.
func TestTalkInARoom(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, _ := openHall(t, console.Options{})
		b.prompts("lobby >>> ")
		one, two := b.joins(), b.joins()
		b.shows(
			"The Server has received a connection from "+console.AddressWords(one.LocalAddr().String())+" (client 1)",
			"The Server has received a connection from "+console.AddressWords(two.LocalAddr().String())+" (client 2)")
		b.says(one, "hello?\x1b")
		b.shows(`【Client 1】 hello?\x1b`)
		b.says(one, "/nick 王芳")
		b.shows("client 1 is 王芳 from now on")
		b.says(one, "你好")
		b.shows("【Client 1 王芳】 你好")
		heard(t, two, "guest-1: hello?\x1b", "王芳: 你好")
		b.types("大家好", "//usr", "//bye", "a\nb")
		b.shows()
		heard(t, one, "@console: 大家好", "@console: /usr", "@console: bye")
		heard(t, two, "@console: 大家好", "@console: /usr", "@console: bye")
		b.types("bye") // ends nobody
		heard(t, two, "@console: bye")
		b.prompts("lobby >>> ")
		b.types("fail")
		b.shows(`not sent: the room is closed: broken\x1b[2J`)
		if got := b.face.get(&b.face.text); got != "fail" {
			t.Errorf("put back %q", got)
		}

		b.types("/use 2")
		b.prompts("2 >>> ")
		b.types("you alone")
		heard(t, two, "you alone")
		b.says(one, "to all")
		b.shows("【Client 1 王芳】 to all")
		b.types("/room")
		b.prompts("lobby >>> ")
		b.types("/use 王芳", "/use")
		b.prompts("lobby >>> ")
		b.types("/name 2 taken")
		b.shows("not named: not a name: taken is taken")
		b.types("/name 2 anna")
		b.shows("client 2 is anna from now on")
		b.goesOn()
	})
}

// One who was answered alone leaves: what was meant for it is not said to all.
func TestFromOneBackToTheRoom(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, _ := openHall(t, console.Options{})
		one, two := b.joins(), b.joins()
		b.types("/use 2")
		b.face.take()
		b.leaves(two)
		b.shown("The conversation with client 2 (", "what is typed is said to the room again")
		b.prompts("lobby >>> ")
		b.types("a secret")
		b.shows("not sent: client 2 has left; Enter again says it to the room lobby")
		if got := b.face.get(&b.face.text); got != "a secret" {
			t.Errorf("put back %q", got)
		}
		heard(t, one)
		time.Sleep(time.Second)
		b.types("for all")
		heard(t, one, "@console: for all")
		three := b.joins()
		b.types("/use 3")
		b.leaves(three)
		time.Sleep(time.Second)
		b.types("later")
		heard(t, one, "@console: later")
		b.shown("(client 3)")
	})
	inBubble(t, func(t *testing.T) {
		b, _ := openHall(t, console.Options{HoldInput: true})
		one, two := b.joins(), b.joins()
		b.types("/use 2", "hi")
		heard(t, two, "hi")
		b.leaves(two)
		time.Sleep(time.Hour)
		b.face.take()
		b.types("a secret", "/bye")
		b.shows("not sent: client 2 has left; /room speaks to the room lobby", "not sent: client 2 has left; /room speaks to the room lobby")
		b.types("/room", "for all")
		heard(t, one, "@console: for all")
	})
}

func TestRooms(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, h := openHall(t, console.Options{})
		one, two := b.joins(), b.joins()
		b.says(one, "/nick anna")
		b.says(two, "/join 技术")
		b.face.take()
		b.says(two, "in tech")
		b.says(one, "in the lobby")
		b.shows("【Client 2, 技术】 in tech", "【Client 1 anna】 in the lobby")
		bob := b.desk.Operator("bob】→")
		speak := func(line string) {
			t.Helper()
			if _, err := bob.Speak(context.Background(), line); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		speak("hello\x1b")
		speak("/join 技术")
		speak("there")
		b.shows(`【bob?? → lobby】 hello\x1b`, "【bob?? → 技术】 there")
		if err := bob.Say(context.Background(), 1, "privately"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.shows("【bob?? → 1 anna】 privately")
		b.types("/join 技术")
		b.shows("you are in 技术: @console, guest-2")
		b.prompts("技术 >>> ")
		b.says(two, "here")
		b.says(one, "there")
		b.shows("【Client 2】 here", "【Client 1 anna, lobby】 there")
		b.types("好")
		heard(t, two, "@bob】→: there", "@console: 好")
		b.types("/rooms")
		b.shows("lobby: 2", `tech: 1\x1b[2J`)
		b.types("/topic")
		b.shows(`the topic is tea\x1b`)
		b.types("/topic 喝茶")
		b.shows("the topic of 技术 is 喝茶")
		b.types("/mute anna")
		b.shows("not done: no member is called anna")
		if got := b.face.get(&b.face.text); got != "/mute anna" {
			t.Errorf("put back %q", got)
		}
		b.types("/dance")
		b.shows("no command /dance: /help lists them, and // begins a text with a slash")
		b.types("/who")
		b.shown("→ room 技术", "  1 anna  pipe-", "  2  pipe-")
		b.types("/use 1", "/who")
		b.shown("  room 技术", "→ 1 anna  ")
		b.types("/room", "/msg anna x")
		if lines := b.face.take(); len(lines) != 501 || lines[500] != "… 500 more lines" || len(lines[0]) > 2100 {
			t.Errorf("%d lines of an answer, the last %q", len(lines), lines[len(lines)-1])
		}
		b.types("/bye", "/hex 41", "/send notes.txt", "/framing", "/encoding")
		const want = "this wants one client, and what is typed goes to the room 技术: /use N chooses (1 anna, 2)"
		b.shows("not sent: "+want, "not sent: "+want, "not sent: "+want, want, want)
		b.types("/kick anna")
		b.shown("The conversation with client 1 anna (", "has ended: kicked")
		if want := []string{"/join 技术", "/join 技术", "/rooms", "/topic", "/topic 喝茶", "/mute anna", "/msg anna x"}; !slices.Equal(h.asked, want) {
			t.Errorf("the hall was asked %q, want %q", h.asked, want)
		}
	})
}

func TestHelpAndCompletionInAHall(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, _ := openHall(t, console.Options{})
		b.says(b.joins(), "/nick 王芳")
		b.joins()
		b.face.take()
		b.types("/help")
		help := strings.Join(b.face.take(), "\n")
		own, rooms, _ := strings.Cut(help, "\nin the rooms:\n")
		for _, want := range []string{"  /who [all] ", "  /use [N] ", "  /room ", "  /kick N "} {
			if !strings.Contains(own, want) {
				t.Errorf("the console's own help lacks %q:\n%s", want, help)
			}
		}
		if !strings.HasPrefix(rooms, "  /me TEXT ") || !strings.Contains(rooms, "  /mute NAME ") || strings.Contains(rooms, "/who") || strings.Contains(rooms, "/kick") {
			t.Errorf("the help of the rooms: %q", rooms)
		}
		for _, tt := range []struct {
			line string
			from int
			want []string
		}{
			{"/r", 0, []string{"/room", "/reload", "/rooms"}},
			{"/m", 0, []string{"/me ", "/msg ", "/mute "}},
			{"/msg ", 5, []string{"guest-2 ", "王芳 "}},
			{"/msg 王", 5, []string{"王芳 "}},
			{"/msg 王芳 g", 0, nil},
			{"/mute g", 6, []string{"guest-2"}},
			{"/kick 王", 6, []string{"王芳 "}},
			{"/topic g", 7, nil},
		} {
			from, got := b.Complete(tt.line, len(tt.line))
			if len(tt.want) > 0 && from != tt.from || !slices.Equal(got, tt.want) {
				t.Errorf("%q: %d %q, want %d %q", tt.line, from, got, tt.from, tt.want)
			}
		}
	})
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Server: true})
		b.types("/help")
		if help := strings.Join(b.face.take(), "\n"); strings.Contains(help, "room") {
			t.Errorf("help speaks of rooms where there are none:\n%s", help)
		}
		b.types("/room")
		b.shows("no command /room: /help lists them, and // begins a text with a slash")
	})
}

// Quiet counts what is said elsewhere: in other rooms, or in the room while one is answered alone.
func TestQuietInAHall(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, _ := openHall(t, console.Options{})
		one, two, three := b.joins(), b.joins(), b.joins()
		b.says(three, "/join tech")
		b.face.take()
		b.types("/quiet")
		b.shows("quiet on")
		b.says(one, "a")
		b.says(three, "in tech")
		b.shows("【Client 1】 a")
		b.prompts("lobby (1 unread) >>> ")
		b.types("/use 2")
		b.says(one, "b")
		b.says(two, "c")
		b.says(one, "d")
		bob := b.desk.Operator("bob")
		if _, err := bob.Speak(context.Background(), "e"); err != nil {
			t.Fatal(err)
		}
		b.types("mine")
		b.shows("【Client 2】 c")
		b.prompts("2 (3 unread) >>> ")
		b.types("/room")
		b.shows("【Client 1】 b", "【Client 2】 c", "【Client 1】 d", "【bob → lobby】 e")
		b.prompts("lobby (1 unread) >>> ")
		b.types("/use 2", "/room")
		b.shows()
		b.types("/quiet off")
		b.shows("【Client 3, tech】 in tech", "quiet off")
		b.prompts("lobby >>> ")
	})
}

func TestFullInAHall(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d, _ := newHall()
		face := &fakeFull{fakeFace: &fakeFace{inputs: make(chan console.Input)}}
		b := openAt(t, d, console.Options{Server: true, Full: true, Face: face})
		one, two := b.joins(), b.joins()
		b.says(one, "/nick 王芳")
		b.says(two, "/join tech")
		b.says(one, "你好")
		b.says(two, "elsewhere")
		b.face.take()
		b.types("mine")
		b.shows()
		v, _ := face.now(t)
		if v.Title != "room lobby" {
			t.Errorf("title %q", v.Title)
		}
		if strings.HasPrefix(v.Peers[2].Name, "pipe-") { // the number is another each time
			v.Peers[2].Name = "pipe"
		}
		for i, want := range []console.ViewPeer{
			{Name: "lobby", Chosen: true},
			{Number: 1, Name: "王芳"},
			{Number: 2, Name: "pipe", Unread: 1},
		} {
			if v.Peers[i] != want {
				t.Errorf("row %d is %+v, want %+v", i, v.Peers[i], want)
			}
		}
		if all := words(v); !slices.Contains(all, "【Client 1 王芳】 你好") || !slices.Contains(all, ">>> mine") || slices.Contains(all, "【Client 2, tech】 elsewhere") {
			t.Errorf("the room's words: %q", all)
		}
		rows := console.ViewRows(v, 60, 8, []string{"lobby >>> "}, 0)
		if !strings.HasPrefix(rows[0], "2 clients, 1 unread") || !strings.HasPrefix(rows[1], "→ lobby ") || !strings.HasPrefix(rows[2], "  1 王芳 ") {
			t.Errorf("rows %q", rows)
		}
		if rows = console.ViewRows(v, 40, 8, []string{"lobby >>> "}, 0); rows[0] != "→ lobby │ 2 pipe (1) │ 1 王芳" {
			t.Errorf("in one line %q", rows[0])
		}
		b.chooses("+")
		b.prompts("1 王芳 >>> ")
		if v, _ = face.now(t); !slices.Contains(words(v), "【Client 1 王芳】 你好") || slices.Contains(words(v), ">>> mine") {
			t.Errorf("the words of one: %q", words(v))
		}
		b.says(one, "again")
		b.chooses("-")
		b.prompts("lobby >>> ")
		b.chooses("-")
		b.prompts("2 >>> ")
		b.says(one, "unseen")
		if v, _ = face.now(t); v.Peers[1].Unread != 1 || v.Peers[2].Unread != 0 {
			t.Errorf("unread: %+v", v.Peers)
		}
		b.chooses("0")
		b.prompts("lobby >>> ")
		if v, _ = face.now(t); v.Peers[1].Unread != 0 || !slices.Contains(words(v), "【Client 1 王芳】 unseen") {
			t.Errorf("back in the room: %+v, %q", v.Peers, words(v))
		}
		b.types("/join tech")
		if v, _ = face.now(t); v.Title != "room tech" || v.Peers[0].Name != "tech" || !slices.Contains(words(v), "【Client 2, tech】 elsewhere") || slices.Contains(words(v), "【Client 1 王芳】 你好") {
			t.Errorf("in another room: %q %+v %q", v.Title, v.Peers, words(v))
		}
		b.types("/full")
		b.prompts("tech >>> ")
		b.chooses("1")
		b.leaves(one)
		b.types("/full")
		if v, _ = face.now(t); v.Title != "room tech" || !v.Peers[0].Chosen {
			t.Errorf("after one has left: %q %+v", v.Title, v.Peers)
		}
	})
}

// A name of which the event was left out is known from what is said next.
func TestNamesThatWereMissed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d, _ := newHall()
		events := make(chan desk.Event)
		b := openAt(t, d, console.Options{Server: true, Table: tellingTable{d.Operator("console"), events, func() uint64 { return 0 }}})
		for _, e := range []desk.Event{
			{Kind: desk.Arrived, Number: 7, Peer: "192.0.2.1:5"},
			{Kind: desk.Missed, Note: "2"},
			{Kind: desk.Said, Number: 7, Name: "anna", Room: "lobby", Text: []byte("x")},
			{Kind: desk.Said, Number: 7, Name: "anna", Room: "】→" + strings.Repeat("x", 40), Text: []byte("y")},
		} {
			events <- e
			synctest.Wait()
		}
		b.shows("The Server has received a connection from 192.0.2.1: 5 (client 7)", "2 events were left out",
			"【Client 7 anna】 x", "【Client 7 anna, ??xxxxxxxxxxxx…】 y")
	})
}

// Who has come or left unseen is found out when events were left out.
func TestComingsThatWereMissed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d, h := newHall()
		events := make(chan desk.Event)
		b := openAt(t, d, console.Options{Server: true, Table: tellingTable{d.Operator("console"), events, func() uint64 { return 0 }}})
		tell := func(e desk.Event) {
			events <- e
			synctest.Wait()
		}
		one := b.joins()
		tell(desk.Event{Kind: desk.Arrived, Number: 7, Peer: "192.0.2.1:5"})
		b.types("/use 7")
		b.prompts("7 >>> ")
		tell(desk.Event{Kind: desk.Missed, Note: "2"})
		b.prompts("lobby >>> ")
		b.face.take()
		b.types("for 7 alone")
		b.shows("not sent: client 7 has left; Enter again says it to the room lobby")
		b.types("/use 7")
		b.shows("no conversation 7; there is 1")
		tell(desk.Event{Kind: desk.Left, Number: 7, Peer: "192.0.2.1:5"})
		tell(desk.Event{Kind: desk.Left, Number: 8, Peer: "192.0.2.1:6"})
		b.shows()
		b.types("/use guest-1", "hi")
		heard(t, one, "hi")
		b.prompts("1 >>> ")
		if len(h.asked) != 0 {
			t.Errorf("the hall was asked %q", h.asked)
		}
	})
}

// Who sits at the desk from afar speaks in the rooms as one who is there; lines in and lines out do as well.
func TestHallFromAfar(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d, _ := newHall()
		l := duettest.NewListener()
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- (&desk.Control{Desk: d}).Serve(ctx, l) }()
		far, err := desk.Attach(ctx, l.Dial, "far")
		if err != nil {
			t.Fatal(err)
		}
		b := openAt(t, d, console.Options{Server: true})
		in, out := io.Pipe()
		script := &lockedBuffer{}
		plain := console.NewPlain(in, script)
		away := console.NewSession(console.Options{Table: far, Face: plain, Operator: "far", Server: true, Away: true, HoldInput: true, Farewell: "bye"})
		ended := make(chan console.Outcome, 1)
		go func() { ended <- away.Run(ctx) }()
		one := b.joins()
		b.says(one, "/nick 王芳")
		b.says(one, "你好")
		_, _ = io.WriteString(out, "大家好\n/join tech\n/rooms\n/mute x\nin tech\n/use 1\nyou alone\n/room\nstill tech\n")
		synctest.Wait()
		heard(t, one, "@far: 大家好", "you alone")
		b.shown("【far → lobby】 大家好", "【far → tech】 in tech", "【far → 1 王芳】 you alone", "【far → tech】 still tech")
		b.says(one, "back")
		lines := strings.Split(strings.TrimSpace(script.take()), "\n")
		if want := []string{
			"client 1 is 王芳 from now on", "【Client 1 王芳】 你好", "you are in tech: @far", "lobby: 2", `tech: 1\x1b[2J`, "not done: no member is called x", "【Client 1 王芳, lobby】 back",
		}; len(lines) == 0 || !slices.Equal(lines[1:], want) {
			t.Errorf("shown to the script: %q, want %q after the arrival", lines, want)
		}
		again, err := desk.Attach(ctx, l.Dial, "far")
		if err != nil {
			t.Fatal(err)
		}
		back := openAt(t, d, console.Options{Server: true, Away: true, Table: again})
		back.prompts("tech >>> ")
		back.types("/quit")
		if out := back.outcome(); out != console.Quit {
			t.Errorf("left as %d", out)
		}
		back.Session.Close()
		_ = out.Close()
		cancel()
		<-ended
		away.Close()
		_ = plain.Close()
		_, _ = far.Close(), again.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}
