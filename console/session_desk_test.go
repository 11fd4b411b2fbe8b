package console_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet/console"
	"duet.example/duet/desk"
)

// A fakeGate remembers what is banned, and how often it was reloaded.
type fakeGate struct {
	banned  []string
	reloads int
}

func (g *fakeGate) Ban(rule string) error { g.banned = append(g.banned, rule); return nil }

func (g *fakeGate) Reload() error {
	if g.reloads++; g.reloads > 1 {
		return fmt.Errorf("deny list x\x1b: line 2: no address: %q", "y")
	}
	return nil
}

// A distantTable is a desk whose conversations come from addresses of the network.
type distantTable struct {
	*desk.Operator
	peers map[uint64]string
}

func (d distantTable) Roster() []desk.Entry { return d.move(d.Operator.Roster()) }
func (d distantTable) Left() []desk.Entry   { return d.move(d.Operator.Left()) }

func (d distantTable) move(all []desk.Entry) []desk.Entry {
	for i, e := range all {
		if p := d.peers[e.Number]; p != "" {
			all[i].Peer = p
		}
	}
	return all
}

func TestNames(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Server: true})
		one := b.connect()
		b.face.take()
		b.types("/name 1 王芳")
		b.shows("client 1 is 王芳 from now on")
		b.prompts("1 王芳 >>> ")
		b.says(one, "你好")
		b.shows("【Client 1 王芳】 你好")
		two := b.connect()
		b.shown("(client 2)")
		b.types("/name 2 anna")
		b.types("/use ANNA")
		b.prompts("2 anna >>> ")
		b.says(two, "a")
		b.shown("【Client 2 anna】 a")
		b.types("/to 王芳 早", "hi", "/bye 王芳")
		heard(t, one, "早", "bye")
		heard(t, two, "hi")
		b.shown("The conversation with client 1 王芳 (", "has ended: farewell")
		for _, tt := range []struct{ typed, want string }{
			{"/name", "/name wants a number or a name"},
			{"/name 9 x", "no conversation 9; there is 2 anna"},
			{"/name 2 a b", "not named: not a name: ' ' "},
			{"/name 2 77", "not named: not a name: a number is no name"},
			{"/name 2 x\u202ey", "not named: not a name: "},
			{"/note 2 likes  tea", "noted about client 2 anna: likes  tea"},
			{"/who", "→ 2 anna  "},
			{"/who", "note: likes  tea"},
			{"/note 2 x\x1b", `noted about client 2 anna: x\x1b`},
			{"/note 2", "nothing is noted about client 2 anna any more"},
			{"/who all", "1 王芳  "},
			{"/who all", "has ended 0s ago, after 0s: farewell"},
			{"/who else", "/who, or /who all"},
			{"/name anna", "client 2 has no name any more"},
			{"/reload", "not reloaded: nobody is kept out here"},
			{"/ban 192.0.2.1", "not banned: nobody is kept out here"},
		} {
			b.types(tt.typed)
			b.shown(tt.want)
		}
		b.prompts(">>> ")
		b.goesOn()
	})
}

func TestKick(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Server: true})
		one, two := b.connect(), b.connect()
		b.types("/name 2 eve")
		b.face.take()
		b.types("/kick", "/kick 3", "/kick mallory")
		b.shown("/kick wants a number or a name", "no conversation 3; there are 1, 2 eve", "no conversation mallory; there are 1, 2 eve")
		b.types("/kick eve too loud")
		b.shown("The conversation with client 2 eve (", ") has ended: kicked")
		b.says(one, "still here")
		b.shown("still here")
		if reason, _ := two.Result(); reason == 0 {
			t.Error("the peer goes on")
		}
	})
}

func TestBanAndReload(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		gate := &fakeGate{}
		d := &desk.Desk{Gate: gate}
		b := openAt(t, d, console.Options{Server: true, Table: distantTable{d.Operator("console"), map[uint64]string{
			1: "192.0.2.7:4242", 2: "[::ffff:192.0.2.8]:1", 3: "[fe80::1%eth0]:1",
		}}})
		b.connect()
		b.connect()
		b.connect()
		b.connect()
		b.types("/name 2 eve", "/kick eve")
		b.face.take()
		b.types("/ban 10.0.0.0/8", "/ban 1", "/ban eve", "/ban #3", "/ban 2001:db8::1")
		if want := []string{"10.0.0.0/8", "192.0.2.7", "192.0.2.8", "fe80::1", "2001:db8::1"}; !slices.Equal(gate.banned, want) {
			t.Errorf("banned %q, want %q", gate.banned, want)
		}
		b.shown("10.0.0.0/8 is kept out from now on", "192.0.2.8 is kept out from now on")
		b.types("/ban", "/ban 4", "/ban 9", "/ban 10.0.0.0/99")
		b.shown("/ban wants an address", "has no address of the network", "9 is no address, and no conversation; there are 1, 3, 4",
			"10.0.0.0/99 is no address")
		b.types("/reload")
		b.shows("the lists of addresses were read again")
		b.types("/reload")
		b.shows(`not reloaded: deny list x\x1b: line 2: no address: "y"`)
		if len(gate.banned) != 5 || gate.reloads != 2 {
			t.Errorf("banned %q, %d reloads", gate.banned, gate.reloads)
		}
	})
}

func TestNext(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Server: true})
		one, two, three := b.connect(), b.connect(), b.connect()
		b.face.take()
		b.types("/next")
		b.shows("nobody waits for an answer")
		for _, p := range []*fakePeer{two, three, one} {
			b.says(p, "?")
			time.Sleep(time.Minute)
		}
		b.types("/name 3 anna")
		b.face.take()
		b.types("/next") // 1, which is chosen, waits as well: the one after it is the first
		b.shows("2 has waited 3m0s for an answer; 2 others wait")
		b.prompts("2 >>> ")
		b.types("/next")
		b.shows("3 anna has waited 2m0s for an answer; 2 others wait")
		b.types("done")
		b.types("/next")
		b.shown("2 has waited 3m0s for an answer; 1 other waits")
		b.types("done", "/next", "done", "/next")
		b.shown("1 has waited 1m0s for an answer; nobody else waits", "nobody waits for an answer")
		heard(t, one, "done")
		heard(t, two, "done")
		heard(t, three, "done")
	})
}

func TestQuietMode(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Server: true})
		one, two, three := b.connect(), b.connect(), b.connect()
		b.types("/name 2 安娜")
		b.face.take()
		b.types("/quiet")
		b.shows("quiet on")
		b.says(one, "a")
		b.says(two, "b")
		b.says(two, "b\x1b2")
		b.says(three, "c")
		b.shows("【Client 1】 a")
		b.prompts("1 (3 unread) >>> ")
		b.types("/to 2 answer", "/use 2")
		b.shows("【Client 2 安娜】 b", `【Client 2 安娜】 b\x1b2`)
		b.prompts("2 安娜 (1 unread) >>> ")
		b.says(two, "d")
		b.shows("【Client 2 安娜】 d")
		for i := range 30 {
			b.says(three, fmt.Sprint(i))
		}
		b.prompts("2 安娜 (31 unread) >>> ")
		b.leaves(three)
		lines := b.face.take()
		if len(lines) != 22 || lines[0] != "client 3 has said 11 lines before this" || lines[1] != "【Client 3】 10" || lines[20] != "【Client 3】 29" {
			t.Errorf("shown at the end: %q", lines)
		}
		b.prompts("2 安娜 >>> ")
		for range 1100 {
			b.says(one, "x")
		}
		b.prompts("2 安娜 (1100 unread) >>> ")
		b.types("/quiet maybe")
		b.shows("/quiet on, or /quiet off")
		b.types("/quiet off")
		if lines := b.face.take(); len(lines) != 1002 || lines[0] != "client 1 has said more before this" || lines[1001] != "quiet off" {
			t.Errorf("%d lines: %q …", len(lines), lines[:min(3, len(lines))])
		}
		b.prompts("2 安娜 >>> ")
		b.says(one, "y")
		b.shows("【Client 1】 y")
	})
}

func TestQuietPartials(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Server: true})
		one, two := b.connectBytes(), b.connectBytes()
		b.types("/quiet on")
		for _, nc := range []net.Conn{one, two} {
			_, _ = nc.Write([]byte("x\n"))
			time.Sleep(50 * time.Millisecond)
			_, _ = nc.Write([]byte("login: "))
			time.Sleep(50 * time.Millisecond)
			synctest.Wait()
		}
		b.partial("【Client 1】 login: ")
		b.types("/use 2")
		b.partial("【Client 2】 login: ")
	})
}

// What other operators say and do is shown with their names, what this one does once.
func TestOtherOperators(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Server: true})
		one, two := b.connect(), b.connect()
		b.types("/name 1 王芳")
		b.face.take()
		ctx := context.Background()
		other := b.desk.Operator("bob】 \x1b→")
		say := func(n uint64, text string) {
			t.Helper()
			if err := other.Say(ctx, n, text); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		say(1, "hello there\x1b")
		b.shows(`【bob? \x1b? → 1 王芳】 hello there\x1b`)
		say(2, "you, too")
		if err := other.Name(ctx, 2, "eve"); err != nil {
			t.Fatal(err)
		}
		if err := other.Note(ctx, 2, "rude"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.shows(`【bob? \x1b? → 2】 you, too`,
			`client 2 is eve from now on (by bob? \x1b?)`, `noted about client 2 eve: rude (by bob? \x1b?)`)
		b.types("mine")
		b.shows()
		heard(t, one, "hello there\x1b", "mine")
		heard(t, two, "you, too")
		b.types("/quiet")
		b.face.take()
		say(2, "quietly")
		say(1, "to the chosen one")
		b.shows(`【bob? \x1b? → 1 王芳】 to the chosen one`)
		b.prompts("1 王芳 >>> ")
		if err := other.Bye(ctx, 1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.shown(`【bob? \x1b? → 1 王芳】 bye`, "has ended: farewell")
		d := b.desk
		if err := d.Say(ctx, 2, "from the program"); err != nil {
			t.Fatal(err)
		}
		b.types("/use 2", "/quiet off")
		if err := d.Say(ctx, 2, "from the program"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.shown("【handler → 2 eve】 from the program")
	})
}

// A flood of peers that are refused is a line a second.
func TestRefusals(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Server: true})
		refuse := func(n int) {
			for i := range n {
				b.desk.Trace().Refused(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: i + 1}, fmt.Errorf("accept: %w", errBroken))
			}
			synctest.Wait()
		}
		refuse(1)
		b.shows(`refused 192.0.2.1: 1: broken\x1b[2J`)
		for range 10 {
			refuse(100)
			time.Sleep(99 * time.Millisecond)
		}
		synctest.Wait()
		b.shows()
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		b.shows(`refused 1000 more peers, the last of them 192.0.2.1: 100: broken\x1b[2J`)
		refuse(1)
		b.connect()
		b.shown("has received a connection")
		b.Session.Close()
		b.shown("refused 192.0.2.1: 1")
	})
}

// A tellingTable is a desk of which a test tells what happens.
type tellingTable struct {
	*desk.Operator
	events chan desk.Event
	told   func() uint64
}

func (t tellingTable) Watch() desk.Watcher { return t }
func (t tellingTable) Told() uint64        { return t.told() }
func (t tellingTable) Stop()               {}

func (t tellingTable) Next(ctx context.Context) (desk.Event, error) {
	select {
	case e := <-t.events:
		return e, nil
	case <-ctx.Done():
		return desk.Event{}, ctx.Err()
	}
}

func TestMissed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := &desk.Desk{}
		events := make(chan desk.Event)
		b := openAt(t, d, console.Options{Server: true, Table: tellingTable{d.Operator("console"), events, func() uint64 { return 0 }}})
		for _, e := range []desk.Event{
			{Kind: desk.Missed, Note: "1"},
			{Kind: desk.Missed, Note: "12"},
			{Kind: desk.Missed, Note: "3 events were left out\x1b"},
			{Kind: desk.Refused, Peer: "x\x1b", Err: errors.New("y\x1b")},
			{Kind: desk.Arrived, Number: 7, Peer: "192.0.2.1:5", Name: "ev\x1bil" + strings.Repeat("x", 40)},
			{Kind: desk.Said, Number: 7, Body: []byte("x"), Text: []byte("x")},
			{Kind: desk.Noted, Number: 7, Note: "x\x1b", Operator: "o\x1b"},
			{Kind: desk.Named, Number: 7, Name: "z\x1b", Operator: "o\x1b"},
		} {
			events <- e
			synctest.Wait()
		}
		b.shows("1 event was left out", "12 events were left out", `3 events were left out\x1b`, `refused x\x1b: y\x1b`,
			`The Server has received a connection from 192.0.2.1: 5 (client 7 ev\x1bilxxxxxxx…)`,
			`【Client 7 ev\x1bilxxxxxxx…】 x`,
			`noted about client 7 ev\x1bilxxxxxxx…: x\x1b (by o\x1b)`,
			`client 7 is z\x1b from now on (by o\x1b)`)
		b.prompts(`7 z\x1b >>> `)
	})
}

// Of two who come at once the second may be told of first, and is then the one being answered: its line says so.
func TestArrivalsOutOfTurn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := &desk.Desk{}
		events := make(chan desk.Event)
		b := openAt(t, d, console.Options{Server: true, Table: tellingTable{d.Operator("console"), events, func() uint64 { return 0 }}})
		for _, e := range []desk.Event{
			{Kind: desk.Arrived, Number: 2, Peer: "192.0.2.1:6"},
			{Kind: desk.Arrived, Number: 1, Peer: "192.0.2.1:5"},
			{Kind: desk.Left, Number: 1, Peer: "192.0.2.1:5"},
			{Kind: desk.Left, Number: 2, Peer: "192.0.2.1:6"},
			{Kind: desk.Arrived, Number: 3, Peer: "192.0.2.1:7"},
		} {
			events <- e
			synctest.Wait()
		}
		lines := b.face.take()
		for i, want := range map[int]string{
			0: "The Server has received a connection from 192.0.2.1: 6 (client 2)",
			1: "The Server has received a connection from 192.0.2.1: 5 (client 1)",
			5: "The Server has received a connection from 192.0.2.1: 7",
		} {
			if i >= len(lines) || lines[i] != want {
				t.Errorf("line %d of %q, want %q", i, lines, want)
			}
		}
	})
}
