package console_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/console"
	"duet.example/duet/framing"
)

func TestTurns(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Server: true, Turns: true})
		p := b.connect()
		isOpen := func(want bool) {
			t.Helper()
			b.face.mu.Lock()
			defer b.face.mu.Unlock()
			if b.face.open != want || (b.face.why == "") != want {
				t.Errorf("open %v (%q), want %v", b.face.open, b.face.why, want)
			}
		}
		isOpen(false)
		b.face.take()
		b.types("too early", "/to 1 too early", "/hex 41", "/all too early") // the editor keeps the first back by itself
		b.shows("not sent: it is the peer's turn", "not sent: it is the peer's turn", "not sent: it is the peer's turn",
			"not sent to 1: it is the peer's turn", "said to 0 clients")
		heard(t, p)
		b.says(p, "you")
		isOpen(true)
		b.types("x\r") // refused for another reason: the turn is still ours
		isOpen(true)
		b.types("me", "me again")
		heard(t, p, "me")
		isOpen(false)
		b.says(p, "you")
		isOpen(true)
		b.types("/who", "a\nb") // commands take no turn; several lines are one
		heard(t, p, "a", "b")
		isOpen(false)
	})
}

// The peer's answer may come before Say has returned: the turn must not be lost.
func TestTurnGivenBackAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{HoldInput: true, Turns: true})
		peer := b.connect()
		for i := range 200 {
			b.says(peer, fmt.Sprint(i))
			b.types(fmt.Sprint(i))
			heard(t, peer, fmt.Sprint(i))
		}
	})
}

func TestOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Once: 2})
		p := b.connect()
		for _, x := range []string{"one", "two", "three"} {
			if err := p.Post([]byte(x)); err != nil {
				t.Fatal(err)
			}
		}
		if out := b.outcome(); out != console.Enough {
			t.Errorf("outcome %d", out)
		}
		b.Session.Close()
		b.shows("【Server】 one", "【Server】 two")
	})
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{})
		p := b.connect()
		b.says(p, "one")
		b.goesOn() // zero is never
	})
}

func TestScriptLinesWait(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Server: true, HoldInput: true})
		go func() {
			for _, l := range []string{"/hex off", "/framing nul", "one\ntwo", "/bye"} {
				b.face.inputs <- console.Input{Kind: console.Submit, Text: l}
			}
			b.face.inputs <- console.Input{Kind: console.EndOfInput}
		}()
		synctest.Wait()
		b.shows("hex off") // needs nobody
		p := b.connect(with(framing.NUL))
		heard(t, p, "one\ntwo", "bye")
		b.shown("framing nul", "has ended: farewell")
		b.types("for the next", "bye")
		q := b.connect()
		heard(t, q, "for the next", "bye")
		b.does(console.EndOfInput)
		b.goesOn()
		b.face.take()
		b.types("for nobody\x1b")
		b.stop()
		if out := b.outcome(); out != console.Stopped {
			t.Errorf("outcome %d", out)
		}
		b.shows(`not sent, since duet ends: for nobody\x1b`)
	})
}

func TestOutcomes(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(b *booth)
		want console.Outcome
	}{
		{"the context ends", func(b *booth) { b.stop() }, console.Stopped},
		{"Ctrl-C", func(b *booth) { b.does(console.Interrupt) }, console.Interrupted},
		{"/quit", func(b *booth) { b.types("/quit") }, console.Quit},
		{"Ctrl-D with nobody there", func(b *booth) { b.does(console.EndOfInput) }, console.Quit},
		{"the face is lost", func(b *booth) { close(b.face.inputs) }, console.FaceLost},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := open(t, console.Options{Server: true})
				tt.do(b)
				if out := b.outcome(); out != tt.want {
					t.Errorf("outcome %d, want %d", out, tt.want)
				}
			})
		})
	}
}

func TestSecondInterrupt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Server: true})
		b.does(console.Interrupt)
		b.outcome()
		again, ended := false, make(chan struct{})
		go func() {
			defer close(ended)
			b.AwaitInterrupt(func() { again = true })
		}()
		b.types("ignored")
		b.does(console.Interrupt)
		<-ended
		if !again {
			t.Error("the second Ctrl-C was not heard")
		}
		b.Session.Close()
		b.AwaitInterrupt(func() { t.Error("called after Close") })
	})
}

// A face that takes nothing holds the peers up, but keeps nobody from ending.
func TestStuckFace(t *testing.T) {
	for _, how := range []string{"context", "Ctrl-C"} {
		t.Run(how, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := open(t, console.Options{Server: true})
				p := b.connect(func(s *duet.Server) { s.SendTimeout = -1 })
				b.face.hold()
				for range 1000 {
					if err := p.Post([]byte("x")); err != nil {
						t.Fatal(err)
					}
				}
				go func() {
					b.face.inputs <- console.Input{Kind: console.Submit, Text: "/who"} // which prints, and so is stuck as well
					b.face.inputs <- console.Input{Kind: console.Submit, Text: "still sent"}
					if how == "Ctrl-C" {
						b.face.inputs <- console.Input{Kind: console.Interrupt}
					}
				}()
				synctest.Wait()
				if how == "context" {
					b.stop()
				}
				began := time.Now()
				select {
				case <-b.out:
				case <-time.After(time.Minute):
					t.Fatal("Run is stuck")
				}
				b.Session.Close()
				if d := time.Since(began); d > 5*time.Second {
					t.Errorf("it took %v", d)
				}
				if how == "Ctrl-C" {
					heard(t, p, "still sent")
				}
			})
		})
	}
}

// Close prints what has happened so far, and is not kept by what goes on happening.
func TestClosePrintsWhatIsThere(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{})
		p := b.connect()
		free := b.face.hold()
		for range 100 {
			if err := p.Post([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		b.does(console.Interrupt)
		b.outcome()
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			b.Session.Close()
		}()
		synctest.Wait()
		b.says(p, "too late")
		free()
		<-closed
		b.Session.Close()
		b.shows(slices.Repeat([]string{"【Server】 x"}, 100)...)
	})
}

func TestSave(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "talk.txt")
		b := open(t, console.Options{Server: true, HoldInput: true})
		p := b.connect(with(framing.Length))
		b.says(p, "before")
		b.types("me before", "/save "+path)
		b.says(p, "one\nt\x1bwo")
		b.types("me", "/save off", "/save off", "me after")
		b.shown("saving to "+path+" from now on", "save off", "/save wants a file")
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if mode := st.Mode().Perm(); runtime.GOOS != "windows" && mode != 0o600 {
			t.Errorf("mode %o", mode)
		}
		saved(t, path, "【Client 1】 one", `【Client 1】 t\x1bwo`, "me to 1 me")
		b.types("/save " + path)
		free := b.face.hold() // what was said before is in the file, however slow the screen is
		b.says(p, "slow")
		for _, l := range []string{"more", "/save off"} {
			b.face.inputs <- console.Input{Kind: console.Submit, Text: l}
		}
		synctest.Wait()
		free()
		synctest.Wait()
		saved(t, path, "【Client 1】 one", `【Client 1】 t\x1bwo`, "me to 1 me", "【Client 1】 slow", "me to 1 more")
		b.types("/save "+path, "last")
		b.leaves(p)
		b.end() // closes the file, with what was said up to here
		saved(t, path, "【Client 1】 one", `【Client 1】 t\x1bwo`, "me to 1 me", "【Client 1】 slow", "me to 1 more", "me to 1 last")
	})
}

func saved(t *testing.T, path string, want ...string) {
	t.Helper()
	all, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(all), "\n"), "\n")
	for i, l := range lines {
		stamp, words, _ := strings.Cut(l, " ")
		if _, err := time.Parse("2006-01-02T15:04:05.000Z07:00", stamp); err != nil {
			t.Errorf("%q: %v", l, err)
		}
		lines[i] = words
	}
	if !slices.Equal(lines, want) {
		t.Errorf("saved %q, want %q", lines, want)
	}
}

func TestSendLines(t *testing.T) {
	for _, tt := range []struct {
		framing framing.Framing
		file    string
		sent    []string
		shown   string
	}{
		{framing.LF, "one\r\ntwo\n\n三", []string{"one", "two", "", "三"}, ": 4 messages, 9 bytes"},
		{framing.LF, "", nil, ": 0 messages, 0 bytes"},
		{framing.Raw, "one\ntwo\n", []string{"one", "two"}, ": 2 messages, 6 bytes"},
		{framing.Length, "one\n\x00", []string{"one", "\x00"}, ": 2 messages, 4 bytes"},
		{framing.NUL, "a\nb\x00\nc", []string{"a"}, ": 1 message, 1 byte: the message holds what ends a message"},
		{framing.LF, "a\n" + strings.Repeat("x", 1<<20+1), []string{"a"}, ": 1 message, 1 byte: message too long"},
	} {
		t.Run(fmt.Sprint(tt.framing, len(tt.file)), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "a file")
				if err := os.WriteFile(path, []byte(tt.file), 0o600); err != nil {
					t.Fatal(err)
				}
				b := open(t, console.Options{})
				p := b.connect(with(tt.framing))
				b.types("/send --lines " + path)
				time.Sleep(time.Second)
				heard(t, p, tt.sent...)
				b.shown(path + tt.shown)
			})
		})
	}
}

func TestTalking(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Server: true})
		if b.Talking() {
			t.Error("with nobody")
		}
		p := b.connect()
		if !b.Talking() {
			t.Error("with nobody, though somebody is here")
		}
		b.leaves(p)
		b.shown("has ended: peer-closed")
		if b.Talking() {
			t.Error("with one who has left")
		}
	})
}
