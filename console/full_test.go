package console_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet/console"
	"duet.example/duet/desk"
	"duet.example/duet/framing"
)

// A fakeFull is a fakeFace with a full view.
type fakeFull struct {
	*fakeFace
	mu      sync.Mutex
	view    func() console.View
	redraws int
}

func (f *fakeFull) SetFull(view func() console.View) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.view = view
}

func (f *fakeFull) Redraw() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.redraws++
}

// now is what the view shows, and whether it is to be drawn since the last look.
func (f *fakeFull) now(t *testing.T) (v console.View, redraw bool) {
	t.Helper()
	f.mu.Lock()
	view, n := f.view, f.redraws
	f.redraws = 0
	f.mu.Unlock()
	if view == nil {
		t.Fatal("the full view is not open")
	}
	return view(), n > 0
}

// words are the lines of a view.
func words(v console.View) []string {
	var all []string
	for _, l := range v.Lines {
		all = append(all, l.Text)
	}
	return all
}

func openFull(t *testing.T, o console.Options) (*booth, *fakeFull) {
	t.Helper()
	face := &fakeFull{fakeFace: &fakeFace{inputs: make(chan console.Input)}}
	o.Face = face
	return openAt(t, &desk.Desk{}, o), face
}

func TestFull(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, face := openFull(t, console.Options{Server: true, Full: true})
		if v, _ := face.now(t); v.Title != "nobody is being answered" || len(v.Peers) != 0 {
			t.Errorf("at first: %+v", v)
		}
		one, two := b.connect(), b.connect()
		three := b.connectBytes()
		b.types("/name 2 安娜", "/note 2 vip\x1b")
		b.says(one, "a\x1b")
		b.says(two, "b")
		b.says(two, "b2")
		_, _ = three.Write([]byte("x\n"))
		time.Sleep(50 * time.Millisecond)
		_, _ = three.Write([]byte("login: "))
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		v, redraw := face.now(t)
		if !redraw {
			t.Error("nothing draws it again")
		}
		for i, want := range []console.ViewPeer{
			{Number: 1, Name: "pipe", Chosen: true, Waits: true},
			{Number: 2, Name: "安娜", Unread: 2, Waits: true},
			{Number: 3, Name: "pipe", Unread: 1, Waits: true, Typing: true},
		} {
			got := v.Peers[i]
			if strings.HasPrefix(got.Name, "pipe-") {
				got.Name = "pipe"
			}
			if got != want {
				t.Errorf("peer %+v, want %+v", got, want)
			}
		}
		b.prompts("1 >>> ")
		b.types("/to 1 mine", "/use 2")
		v, _ = face.now(t)
		if !strings.HasPrefix(v.Title, "client 2 安娜, pipe-") || !strings.HasSuffix(v.Title, `: vip\x1b`) {
			t.Errorf("title %q", v.Title)
		}
		if v.Peers[1].Unread != 0 || v.Peers[0].Waits {
			t.Errorf("peers %+v", v.Peers)
		}
		all := words(v)
		if i := slices.Index(all, "【Client 2 安娜】 b"); i < 0 || all[i+1] != "【Client 2 安娜】 b2" || slices.Contains(all, ">>> mine") || slices.Contains(all, `【Client 1】 a\x1b`) {
			t.Errorf("words %q", all)
		}
		b.partial("")
		b.chooses("+")
		if v, _ = face.now(t); v.Partial != "【Client 3】 login: " {
			t.Errorf("unfinished %q", v.Partial)
		}
		b.chooses("+")
		v, _ = face.now(t)
		if all = words(v); !slices.Contains(all, ">>> mine") || !slices.Contains(all, `【Client 1】 a\x1b`) || v.Partial != "" {
			t.Errorf("words %q, then %q", all, v.Partial)
		}
		b.chooses("-")
		b.prompts("3 >>> ")
		b.chooses("1")
		b.prompts("1 >>> ")
		b.chooses("7")
		b.prompts("1 >>> ")
		b.shown("no conversation 7; there are 1, 2 安娜, 3", "【Client 2 安娜】 b2", `【Client 1】 a\x1b`)

		b.leaves(one)
		v, _ = face.now(t)
		if all = words(v); v.Title != "client 1 has left; nobody is being answered" || !slices.Contains(all, ">>> mine") {
			t.Errorf("%q: %q", v.Title, all)
		}
		b.says(two, "c")
		b.types("/full")
		b.prompts("? >>> ") // what was said has been printed
		if face.view != nil {
			t.Error("the full view is still open")
		}
		b.types("/full", "/use 2")
		v, _ = face.now(t)
		if all = words(v); slices.Contains(all, ">>> mine") || !slices.Contains(all, "【Client 2 安娜】 c") {
			t.Errorf("words %q", all)
		}
		b.Session.Close()
		if face.view != nil {
			t.Error("the full view outlives the session")
		}
	})
}

// Who sits down later learns who waits, and what is noted.
func TestFullLater(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		first := open(t, console.Options{Server: true})
		one, two := first.connect(), first.connect()
		first.says(one, "x")
		first.says(two, "x")
		first.types("answered", "/name 2 eve", "/note 2 rude")
		face := &fakeFull{fakeFace: &fakeFace{inputs: make(chan console.Input)}}
		b := openAt(t, first.desk, console.Options{Server: true, Full: true, Face: face})
		b.types("/use eve")
		v, _ := face.now(t)
		if len(v.Peers) != 2 || v.Peers[0].Waits || !v.Peers[1].Waits || v.Peers[1].Name != "eve" || !strings.HasSuffix(v.Title, ": rude") {
			t.Errorf("%q %+v", v.Title, v.Peers)
		}
	})
}

// In quiet mode the full view counts, too, and what was counted is printed when it has been chosen.
func TestFullAndQuiet(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, face := openFull(t, console.Options{Server: true})
		b.connect()
		two := b.connect()
		b.types("/quiet", "/full")
		b.face.take()
		b.says(two, "x")
		b.shows()
		if v, _ := face.now(t); v.Peers[1].Unread != 1 {
			t.Errorf("peers %+v", v.Peers)
		}
		b.types("/full")
		b.prompts("1 (1 unread) >>> ")
		b.types("/use 2")
		b.shows("【Client 2】 x")
		b.prompts("2 >>> ")
	})
}

func TestFullNowhere(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Server: true, Full: true})
		b.types("/full")
		b.shows("the full view wants a terminal")
		client, _ := openFull(t, console.Options{Full: true})
		client.connect()
		client.types("/full")
		client.shown("no command /full")
		client.chooses("1")
		client.chooses("+")
		client.goesOn()
	})
}

// What is kept of a conversation is bounded, however much is said.
func TestKeptWords(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, face := openFull(t, console.Options{Server: true, Full: true})
		one, two := b.connect(), b.connect()
		b.says(two, "kept")
		for range 3 {
			b.says(one, strings.Repeat("long ", 1<<16))
		}
		for i := range 1500 {
			b.says(one, fmt.Sprint("line ", i))
		}
		v, _ := face.now(t)
		said := slices.DeleteFunc(words(v), func(l string) bool { return !strings.HasPrefix(l, "【Client 1】 ") })
		if len(said) != 1000 || said[0] != "【Client 1】 line 500" || said[999] != "【Client 1】 line 1499" {
			t.Errorf("%d lines, %.40q …", len(said), said[0])
		}
		for i := range 300 {
			b.says(one, fmt.Sprint(i, strings.Repeat(" long", 2000)))
		}
		v, _ = face.now(t)
		size := 0
		for _, l := range v.Lines {
			size += len(l.Text)
		}
		if size > 300<<10 {
			t.Errorf("%d bytes are kept", size)
		}
		b.types("/use 2")
		if v, _ = face.now(t); !slices.Contains(words(v), "【Client 2】 kept") {
			t.Errorf("%q", words(v))
		}
	})
}

// A session whose desk tells nothing any more ends, and says why.
func TestDeskLost(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := &desk.Desk{}
		b := openAt(t, d, console.Options{Server: true, Table: lostTable{d.Operator("console")}})
		if out := b.outcome(); out != console.DeskLost {
			t.Errorf("outcome %d", out)
		}
		if err := b.Session.Err(); err == nil || !strings.Contains(err.Error(), "the desk has gone") {
			t.Errorf("error %v", err)
		}
	})
}

// A lostTable is a desk elsewhere whose line has been cut.
type lostTable struct{ *desk.Operator }

func (l lostTable) Watch() desk.Watcher { return lostWatch{} }

type lostWatch struct{}

func (lostWatch) Next(context.Context) (desk.Event, error) { return desk.Event{}, net.ErrClosed }
func (lostWatch) Told() uint64                             { return 0 }
func (lostWatch) Stop()                                    {}

// chooses has the operator press a key that chooses a conversation.
func (b *booth) chooses(key string) {
	b.face.inputs <- console.Input{Kind: console.Choose, Text: key}
	synctest.Wait()
}

// Many conversations share what is kept in all; none loses everything to the others.
func TestKeptWordsOfMany(t *testing.T) {
	size, first, last := console.KeptBytes(200, 500, strings.Repeat("x", 500))
	if size > 16<<20 || size < 4<<20 || first == 0 || last == 0 {
		t.Errorf("%d bytes are kept, %d and %d lines", size, first, last)
	}
}

func TestHeldLines(t *testing.T) {
	var lines []string
	for i := range 1003 {
		lines = append(lines, fmt.Sprint(i))
	}
	if got := console.Held(lines[:5]); !slices.Equal(got, lines[:5]) {
		t.Errorf("%q", got)
	}
	if got := console.Held(lines); len(got) != 1001 || got[0] != "… 3 lines before these" || got[1] != "3" {
		t.Errorf("%d lines: %q …", len(got), got[:2])
	}
	if got := console.Held(slices.Repeat([]string{strings.Repeat("x", 1<<19)}, 4)); len(got) != 3 || got[0] != "… 2 lines before these" {
		t.Errorf("%d lines: %.30q …", len(got), got[0])
	}
}

// A long message that was only counted is shown with its end.
func TestQuietLongMessage(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Server: true})
		b.connect()
		two := b.connect(with(framing.Length))
		b.types("/quiet")
		b.face.take()
		b.says(two, strings.Repeat("line\n", 1500)+"last")
		b.prompts("1 (1 unread) >>> ")
		b.types("/use 2")
		lines := b.face.take()
		if len(lines) != 1001 || lines[0] != "client 2 has said more before this" || lines[1000] != "【Client 2】 last" {
			t.Errorf("%d lines: %q …", len(lines), lines[:min(2, len(lines))])
		}
	})
}
