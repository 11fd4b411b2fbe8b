package room_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"duet.example/duet"
	"duet.example/duet/framing"
	"duet.example/duet/room"
)

// forgeries are what somebody may say to have others believe that somebody else did.
var forgeries = []string{
	"x\nbob: yes", "x\r\nbob: yes", "x\rbob: yes", "x\vbob: yes", "x\fbob: yes", "x\u0085bob: yes", "x\u2028bob: yes", "x\u2029bob: yes",
	"x\x1cbob: yes", "x\x1dbob: yes", "x\x1ebob: yes", "x\x00bob: yes", "x;;bob: yes",
	"\x1b[1A\x1b[2Kbob: yes", "\x1b]0;bob\x07", "\x9b2Kbob: yes", "\u009b2Kbob: yes", "\b\b\b\b\b\bbob: yes", "\x7f\x7f\x7f",
	"\u202eey :bob", "\u2066bob: yes\u2069", "\u200fbob", "\u200b", "\ufeffbob: yes", "\u2060", "\U000e0062", "\u00ad", "\u180e", "\u3164",
	"-- bob has left: kicked", "-- bob is muted", "… 7 messages missed", "[12:00:00] bob: yes", "* bob waves", "@ops: send me the keys", "bob -> you: psst",
	"\xff\xfe\nbob: yes", "\xc2", "\xe2\x80", "z\u0301\u0301\u0301\u0301\u0301\u0301\u0301",
	strings.Repeat("\n", 300), strings.Repeat("y", 70<<10) + "bob: yes",
}

// labelled reports what is wrong with a line that name brought about.
func labelled(line, label string) error {
	rest, ok := strings.CutPrefix(line, label)
	switch {
	case !ok:
		return fmt.Errorf("%.80q does not begin with %q", line, label)
	case !utf8.ValidString(rest):
		return fmt.Errorf("%.80q is not UTF-8", line)
	}
	for _, r := range rest {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Cs, unicode.Co) {
			return fmt.Errorf("%.80q holds %U", line, r)
		}
	}
	return nil
}

func TestForgeries(t *testing.T) {
	all := []framing.Framing{framing.LF, framing.CRLF, framing.CR, framing.NUL, framing.Length, framing.Auto}
	for _, f := range all {
		t.Run(f.String(), func(t *testing.T) {
			h := new(room.Hall)
			a := called(t, h, "anna", func(s *duet.Server) { s.Framing = framing.Length })
			b := called(t, h, "bob", func(s *duet.Server) {
				s.Framing = f
				s.MaxMessage = 4 << 20
			})
			if f != framing.Auto { // it would learn from what it says itself
				b.say("ready")
				a.skip("bob: ready")
			}
			for _, forged := range forgeries {
				for _, command := range []string{"", "/me ", "/msg bob "} {
					label := map[string]string{"": "anna: ", "/me ": "* anna ", "/msg bob ": "anna -> you: "}[command]
					a.say(command+forged, "end")
					for {
						line := b.next()
						if line == "anna: end" {
							break
						}
						err := labelled(line, label)
						if err != nil && labelled(line, "anna: ") != nil { // the lines after a command are words
							t.Errorf("%.80q: %v", command+forged, err)
						}
					}
				}
			}
		})
	}
}

// Names that look like others', or like something else, are refused, and what is said about them is safe.
func TestForgedNames(t *testing.T) {
	h := new(room.Hall)
	a := called(t, h, "anna")
	eve := called(t, h, "eve", func(s *duet.Server) { s.Framing = framing.Length })
	a.expectEnd("has joined")
	a.expectEnd("from now on")
	for _, name := range []string{
		"anna", "ANNA", "Аnna", "аnnа", "anna\u200b", "an\u00adna", "anna\ufe0f", "\u202eanna", "ａｎｎａ", "anna:", "anna ", " anna", "-anna", "anna-",
		"--", "@ops", "*", "…", "[12:00:00]", "->", "1", "guest-1", "GUEST-99", "guеst-4", "you", "server", "operator", "anna\x1b[0m", "anna\nbob", "\xff", "",
	} {
		eve.say("/nick " + name)
		if name == "anna\nbob" {
			// Its second line is said.
			if err := labelled(a.next(), "eve: "); err != nil {
				t.Error(err)
			}
		}
		line := eve.next()
		if err := labelled(line, "-- "); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if strings.HasSuffix(line, " from now on") {
			t.Errorf("%q was let in: %s", name, line)
		}
	}
}

// What cannot be said in the hall's encoding is spelled out.
func TestEncoding(t *testing.T) {
	e, err := latin1()
	if err != nil {
		t.Fatal(err)
	}
	h := &room.Hall{Encoding: e, History: 5}
	a, b := join(t, h), join(t, h)
	a.expect("-- guest-2 has joined")
	a.say("/nick Ren\xe9")
	a.expect("-- guest-1 is Ren\xe9 from now on")
	b.expect("-- guest-1 is Ren\xe9 from now on")
	a.say("caf\xe9 \x85x")
	b.expect("Ren\xe9: caf\xe9 ", "Ren\xe9: x")
	speak(t, h, "王芳", "caf\u00e9 你")
	b.expect(`@\u{738b}\u{82b3}: caf` + "\xe9" + ` \u{4f60}`)
	c := join(t, h)
	c.expectEnd("Ren\xe9: caf\xe9 ")
}

func FuzzSaid(f *testing.F) {
	for _, s := range forgeries {
		if len(s) < 1000 {
			f.Add([]byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		for _, line := range room.Lines(said, "anna: ") {
			if err := labelled(string(line), "anna: "); err != nil {
				t.Error(err)
			}
			if len(line) > framing.DefaultMaxMessage {
				t.Errorf("a line of %d bytes", len(line))
			}
		}
		if len(room.Lines(said, "anna: ")) == 0 {
			t.Error("nothing was said")
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"/who", "//who", "/", "/msg bob hi", "/\x00", "text", "/me", "/ nick"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		word, args, said, command := room.Parse(line)
		if command == (strings.HasPrefix(line, "//") || !strings.HasPrefix(line, "/")) {
			t.Errorf("%q: command %v", line, command)
		}
		if !command && said != line && "/"+said != line || strings.ContainsAny(word, " \t") || len(word)+len(args) >= len(line)+1 {
			t.Errorf("%q: %q %q %q", line, word, args, said)
		}
	})
}
