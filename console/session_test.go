package console_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet/console"
	"duet.example/duet/desk"
	"duet.example/duet/framing"
	"duet.example/duet/internal/charset"
)

func TestTyped(t *testing.T) {
	latin, err := charset.Lookup("latin1")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		framing framing.Framing
		enc     *charset.Encoding
		typed   string
		sent    []string
		shown   string // in what is shown; empty: nothing is
		back    string // put back on the line
	}{
		{"text", framing.LF, nil, "你好", []string{"你好"}, "", ""},
		{"empty line", framing.LF, nil, "", []string{""}, "", ""},
		{"farewell", framing.LF, nil, " BYE ", []string{"bye"}, "has ended: farewell", ""},
		{"the word itself", framing.LF, nil, "//bye", []string{"bye"}, "has ended: farewell", ""}, // the peer takes it for a farewell
		{"a slash", framing.LF, nil, "//usr/bin", []string{"/usr/bin"}, "", ""},
		{"two slashes", framing.LF, nil, "///x", []string{"//x"}, "", ""},
		{"several lines", framing.LF, nil, "a\nb\r\nc\n", []string{"a", "b", "c"}, "sent as 3 messages", ""},
		{"several lines with the farewell", framing.LF, nil, "a\nbye\n/c", []string{"a", "bye"}, "sent as 2 messages", "//c"},
		{"several lines in raw", framing.Raw, nil, "a\nb", []string{"a\nb"}, "", ""},
		{"several lines in length", framing.Length, nil, "a\nb", []string{"a\nb"}, "", ""},
		{"several lines in nul", framing.NUL, nil, "a\nb", []string{"a\nb"}, "", ""},
		{"what ends a message", framing.NUL, nil, "a\x00b", nil, "not sent: the message holds what ends a message", "a\x00b"},
		{"not in the encoding", framing.LF, latin, "a好", nil, "not sent: '好' (U+597D) cannot be encoded in", "a好"},
		{"a line not in the encoding", framing.LF, latin, "a\n/好\nc", nil, "not sent: '好'", "a\n/好\nc"},
		{"no command", framing.LF, nil, "/usr/b\x1bin\nx", nil, `no command /usr/b\x1bin`, "/usr/b\x1bin\nx"},
		{"hex", framing.LF, nil, "/hex 68 0x69,0xA", []string{"hi"}, "sent 3 bytes: 68 69 0a", ""},
		{"hex digits", framing.LF, nil, "/hex 68 0x69", nil, "sent 2 bytes: 68 69", ""}, // the peer waits for the end of the message
		{"hex text", framing.Raw, nil, `/hex "\x1e\u00e9"`, []string{"\x1eé"}, "sent 3 bytes: 1e c3 a9", ""},
		{"hex farewell", framing.LF, nil, `/hex "x\nbye"`, []string{"x"}, "sent 5 bytes: 78 0a 62 79 65", ""}, // which only typed words can be
		{"bad hex", framing.LF, nil, "/hex 6x", nil, "not sent: 6x: want pairs of hex digits", "/hex 6x"},
		{"to", framing.LF, nil, "/to 1  two blanks", []string{" two blanks"}, "", ""},
		{"to, farewell", framing.LF, nil, "/to 1 Bye", []string{"bye"}, "has ended: farewell", ""},
		{"to, slash", framing.LF, nil, "/to #1 //x", []string{"/x"}, "", ""},
		{"to nobody", framing.LF, nil, "/to 9 x", nil, "no conversation 9; there is 1", ""},
		{"to without", framing.LF, nil, "/to 1", nil, "/to wants a number or a name, and a text", ""},
		{"all", framing.LF, nil, "/all hello", []string{"hello"}, "said to 1 client", ""},
		{"all, farewell", framing.LF, nil, "/all bye", []string{"bye"}, "has ended: farewell", ""},
		{"all without", framing.LF, nil, "/all", nil, "/all wants a text", ""},
		{"bye", framing.LF, nil, "/bye", []string{"bye"}, "has ended: farewell", ""},
		{"bye N", framing.LF, nil, "/bye 1", []string{"bye"}, "has ended: farewell", ""},
		{"bye nobody", framing.LF, nil, "/bye x", nil, "no conversation x; there is 1", ""},
		{"use nobody", framing.LF, nil, "/use 2", nil, "no conversation 2; there is 1", ""},
		{"use", framing.LF, nil, "/use", nil, "→ 1", ""},
		{"help", framing.LF, nil, "/help", nil, "say the word bye without ending", ""},
		{"who", framing.LF, nil, "/who", nil, "for 0s  lf  utf-8  in 0 (0 bytes)", ""},
		{"framing", framing.LF, nil, "/framing", nil, "framing lf (there are auto, ", ""},
		{"framing name", framing.LF, nil, "/framing raw", nil, "framing raw", ""},
		{"no framing", framing.LF, nil, "/framing x\x1b", nil, "x", ""},
		{"encoding", framing.LF, latin, "/encoding", nil, "encoding iso-8859-1", ""},
		{"encoding name", framing.LF, nil, "/encoding gbk", nil, "encoding gbk", ""},
		{"no encoding", framing.LF, nil, "/encoding x\x1b", nil, "x", ""},
		{"explain", framing.LF, nil, "/explain on", nil, "nothing is explained here", ""},
		{"send without", framing.LF, nil, "/send", nil, "/send wants a file", ""},
		{"send nothing", framing.LF, nil, "/send /no/such\x1bfile", nil, `not sent: cannot open /no/such\x1bfile: no such file`, "/send /no/such\x1bfile"},
		{"send a folder", framing.LF, nil, "/send /", nil, "not sent: / is no regular file", "/send /"},
		{"save without", framing.LF, nil, "/save", nil, "/save wants a file", ""},
		{"save nowhere", framing.LF, nil, "/save /no/such\x1bfolder/x", nil, `not saved: cannot open /no/such\x1bfolder/x: no such folder`, ""},
		{"hex on", framing.LF, nil, "/hex on", nil, "hex on", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := openAt(t, &desk.Desk{Encoding: tt.enc}, console.Options{Server: true})
				p := b.connect(with(tt.framing))
				b.face.take()
				b.types(tt.typed)
				time.Sleep(time.Second) // raw leaves a gap
				heard(t, p, tt.sent...)
				lines := strings.Join(b.face.take(), "\n")
				if tt.shown == "" && lines != "" || !strings.Contains(lines, tt.shown) {
					t.Errorf("shown %q, want %q", lines, tt.shown)
				}
				if strings.Contains(lines, "\x1b") {
					t.Errorf("unsafe: %q", lines)
				}
				if got := b.face.get(&b.face.text); got != tt.back {
					t.Errorf("put back %q, want %q", got, tt.back)
				}
				b.goesOn()
			})
		})
	}
}

func TestBasicConversation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Server: true, Bell: true, Title: true})
		b.prompts(">>> ")
		b.types("too early")
		b.shows("not sent: nobody is connected yet")
		if got := b.face.get(&b.face.text); got != "too early" {
			t.Errorf("put back %q", got)
		}
		p := b.connect()
		addr := console.AddressWords(p.LocalAddr().String())
		b.shows("The Server has received a connection from " + addr)
		b.prompts(">>> ")
		b.says(p, "hello\x1b[2J\rworld")
		b.shows(`【Client】 hello\x1b[2J\x0dworld`)
		if got := b.face.get(&b.face.name); got != `duet: hello\x1b[2J\x0dworld` || b.face.bells != 1 {
			t.Errorf("title %q, %d bells", got, b.face.bells)
		}
		b.types("hi")
		heard(t, p, "hi")
		if err := p.PostBye(); err != nil { // the answer may come, and have listen close, before a SayBye returns
			t.Fatal(err)
		}
		heard(t, p, "Bye")
		b.shows("【Client】 bye", "The conversation with "+addr+" has ended: farewell")
		b.prompts(">>> ")
		b.goesOn()
	})
}

func TestClient(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{})
		b.types("x")
		b.shows("not sent: not connected")
		p := b.connect(with(framing.Length))
		b.shows()
		b.says(p, "one\ntwo\n")
		b.shows("【Server】 one", "【Server】 two")
		b.types("/use 1", "/all x", "/to 1 x")
		b.shown("no command /use", "no command /all", "no command /to")
		b.does(console.EndOfInput) // is /bye
		heard(t, p, "bye")
		b.shown("【Server】 Bye", "has ended: farewell")
		b.goesOn()
		b.does(console.EndOfInput)
		if out := b.outcome(); out != console.Quit {
			t.Errorf("outcome %d", out)
		}
	})
}

func TestThreeClients(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Server: true})
		one := b.connect()
		b.says(one, "a")
		b.shown("【Client】 a")
		two := b.connect()
		b.shown("(client 2)", "/use 2 to answer it")
		b.prompts("1 >>> ")
		b.says(one, "b")
		b.says(two, "c")
		b.shows("【Client 1】 b", "【Client 2】 c")
		b.types("for one")
		heard(t, one, "for one")
		three := b.connect()
		b.types("/use 3", "for three", "/to 2 for two", "/all for all")
		b.prompts("3 >>> ")
		heard(t, one, "for all")
		heard(t, two, "for two", "for all")
		heard(t, three, "for three", "for all")
		b.face.take()
		b.leaves(three)
		b.prompts("? >>> ")
		b.shown("The conversation with client 3 (", "nobody is being answered: /use N chooses (1, 2)")
		b.types("lost?")
		b.shows("not sent: nobody is being answered: /use N chooses (1, 2)")
		heard(t, one)
		heard(t, two)
		b.leaves(one)
		b.prompts("? >>> ") // the only one is not chosen yet
		b.says(two, "d")
		b.shown("【Client 2】 d")
		b.types("lost?")
		heard(t, two)
		b.types("/use 2")
		b.prompts(">>> ")
		b.face.take()
		b.says(two, "e")
		b.shows("【Client】 e")
		b.does(console.EndOfInput)
		b.shows("1 conversation is going on; Ctrl-D again ends it")
		b.types("no")
		heard(t, two, "no")
		b.does(console.EndOfInput)
		b.does(console.EndOfInput)
		if out := b.outcome(); out != console.Quit {
			t.Errorf("outcome %d", out)
		}
	})
}

// What was typed for one must not go to another who has just taken the place.
func TestLineForOneWhoHasLeft(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Server: true})
		one := b.connect()
		b.leaves(one)
		two := b.connect()
		b.face.take()
		for _, line := range []string{"secret", "bye", "/bye", "/hex 41", "/send /etc/passwd"} {
			b.leaves(two)
			two = b.connect()
			b.face.take()
			b.types(line)
			heard(t, two)
			b.shown("has left; Enter again says it to client")
			if got := b.face.get(&b.face.text); got != line {
				t.Errorf("put back %q", got)
			}
		}
		b.types("meant so")
		heard(t, two, "meant so")
		b.leaves(two)
		two = b.connect()
		time.Sleep(time.Minute)
		b.types("seen")
		heard(t, two, "seen")
	})
}

func TestPartialLines(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Server: true})
		for i := range 3 {
			nc := b.connectBytes()
			write := func(text string) {
				_, _ = nc.Write([]byte(text))
				time.Sleep(50 * time.Millisecond)
				synctest.Wait()
			}
			write("hello\n")
			write(fmt.Sprintf("login%d: ", i+1))
			if i < 2 {
				continue
			}
			b.partial("【Client 3】 login3: ")
			write("\x1b[2J\r")
			time.Sleep(250 * time.Millisecond) // an unfinished line is told four times a second at most
			synctest.Wait()
			b.partial(`【Client 3】 login3: \x1b[2J`)
			write("x\n") // is said in full
			b.partial("【Client 2】 login2: ")
		}
		b.shown(`【Client 3】 login3: \x1b[2J\x0dx`)
		time.Sleep(2 * time.Second) // quiet makes messages of them
		synctest.Wait()
		b.partial("")
		b.shown("【Client 1】 login1: ", "【Client 2】 login2: ")
	})
}

func (b *booth) partial(want string) {
	b.t.Helper()
	if got := b.face.get(&b.face.partial); got != want {
		b.t.Errorf("unfinished %q, want %q", got, want)
	}
}

func TestLongPartialLine(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{})
		nc := b.connectBytes()
		_, _ = nc.Write([]byte("x\n"))
		time.Sleep(50 * time.Millisecond)
		_, _ = nc.Write([]byte(strings.Repeat("好", 9000) + "end"))
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		got := b.face.get(&b.face.partial)
		if len(got) > 3000 || !strings.HasPrefix(got, "【Server】 …好") || !strings.HasSuffix(got, "好end") || strings.Contains(got, `\x`) {
			t.Errorf("%d bytes: %.60q … %.20q", len(got), got, got[max(0, len(got)-20):])
		}
	})
}

func TestHexDump(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Hex: true})
		p := b.connect()
		b.says(p, "hello \x1b[2J, hexdump")
		b.shows(
			"【Server】 00000000  68 65 6c 6c 6f 20 1b 5b  32 4a 2c 20 68 65 78 64  |hello .[2J, hexd|",
			"【Server】 00000010  75 6d 70 0a                                       |ump.|")
		b.says(p, "")
		b.shows("【Server】 00000000  0a                                                |.|")
		b.types("/hex")
		b.says(p, "x")
		b.shows("hex off", "【Server】 x")
	})
}

func TestStamps(t *testing.T) {
	for _, tt := range []struct {
		name       string
		first, sec string
	}{
		{"none", "", ""},
		{"clock", "00:00:03 ", "00:00:04 "},
		{"iso", "2000-01-01T00:00:03.000", "2000-01-01T00:00:04.250"},
		{"delta", "+3.000 ", "+1.250 "},
		{"start", "3.000 ", "4.250 "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				local := time.Local
				time.Local = time.UTC
				defer func() { time.Local = local }()
				kind, err := console.ParseStamps(tt.name)
				if err != nil {
					t.Fatal(err)
				}
				b := open(t, console.Options{Stamps: kind})
				p := b.connect(with(framing.Length))
				time.Sleep(3 * time.Second)
				b.says(p, "a\nb")
				time.Sleep(1250 * time.Millisecond)
				b.says(p, "c")
				lines := b.face.take()
				for i, want := range []string{tt.first, tt.first, tt.sec} {
					if !strings.HasPrefix(lines[i], want) || !strings.HasSuffix(lines[i], "【Server】 "+string(rune('a'+i))) {
						t.Errorf("line %q, want it to begin with %q", lines[i], want)
					}
				}
			})
		})
	}
	if _, err := console.ParseStamps("soon"); err == nil || !strings.Contains(err.Error(), "clock, iso") {
		t.Errorf("soon: %v", err)
	}
}

func TestStyles(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{Color: true, Terminal: true})
		p := b.connect()
		b.says(p, `\x1b`+"\x1b")
		b.shows("\x1b[1;36m【Server】\x1b[0m " + `\x1b` + "\x1b[7m" + `\x1b` + "\x1b[27m")
		b.types("/hex on")
		b.shows("\x1b[2mhex on\x1b[0m")
	})
}

func TestNoticesAreSafe(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := open(t, console.Options{})
		b.Notice("a\x1b[2J\nb\u202e")
		b.shows(`a\x1b[2J`, `b\u{202e}`)
	})
	for in, want := range map[string]string{
		"127.0.0.1:53122": "127.0.0.1: 53122", "[::1]:80": "::1: 80", "/tmp/a:b\x1b": `/tmp/a:b\x1b`, "x\x1b:1": `x\x1b: 1`,
	} {
		if got := console.AddressWords(in); got != want {
			t.Errorf("AddressWords(%q) = %q, want %q", in, got, want)
		}
	}
	if got := console.EndWords(5, fmt.Errorf("a: %w", errBroken)); strings.Contains(got, "\x1b") || !strings.Contains(got, "broken") {
		t.Errorf("EndWords: %q", got)
	}
}
