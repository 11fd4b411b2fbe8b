//go:build linux

package interop_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// around runs $DUET with arguments in a shell that says whether the terminal is as before, and then reads lines.
const around = `trap : HUP INT; before=$(stty -g); "$DUET" "$@"; code=$?; [ "$(stty -g)" = "$before" ] && echo "same, $code"; cat`

// The ways in which a person or the system ends duet, in either role: the terminal is as it was, the
// peers got a goodbye and no reset, the port is free at once, and the exit code says how.
func TestTerminal_Ends(t *testing.T) {
	signal := func(name string) func(*person) {
		return func(p *person) { kill(p.t, name, p.pid()) }
	}
	keys := func(keys ...string) func(*person) {
		return func(p *person) { p.SendKeys(keys...) }
	}
	for _, tt := range []struct {
		name string
		how  func(*person)
		// code and what the peer gets of a server, of a client; "" where that is no way to end it
		server, client string
	}{
		{"INT", signal("INT"), "130 Bye", "130 bye"},
		{"TERM", signal("TERM"), "143 Bye", "143 bye"},
		{"HUP", signal("HUP"), "129 Bye", "129 bye"},
		{"Ctrl-C", keys("C-c"), "130 Bye", "130 bye"},
		{"quit", func(p *person) { p.SendKeys("C-u"); p.types("/quit") }, "0 Bye", "0 bye"},
		{"bye", func(p *person) { p.SendKeys("C-u"); p.types("Bye") }, "", "0 bye"},
		{"Ctrl-D", keys("C-u", "C-d"), "", "0 bye"},
		{"Ctrl-D twice", keys("C-u", "C-d", "C-d"), "0 Bye", ""},
	} {
		if tt.server != "" {
			t.Run("server/"+tt.name, func(t *testing.T) {
				t.Parallel()
				code, word, _ := strings.Cut(tt.server, " ")
				p := sitAt(t, 80, 24, nil, "sh", "-c", around, "sh", "listen", "--greeting", "", "127.0.0.1:0")
				port := p.port()
				one := dialTo(t, port)
				one.sends("hi\r\n")
				p.seesMatch(`】 hi\n`)
				two := dialTo(t, port)
				p.seesMatch(`\(client 2\)`)
				p.SendLiteral("half 一")
				p.seesMatch(`1 >>> half 一$`)
				tt.how(p)
				one.getsLast(word + "\r\n")
				two.getsLast(word)
				free(t, port)
				_ = one.Close()
				_ = two.Close()
				p.afterwards(code)
			})
		}
		if tt.client != "" {
			t.Run("client/"+tt.name, func(t *testing.T) {
				t.Parallel()
				code, word, _ := strings.Cut(tt.client, " ")
				s, p := serverFor(t, func(port string) *person {
					return sitAt(t, 80, 24, nil, "sh", "-c", around, "sh", "connect", port)
				})
				s.sends("hi\r\n")
				p.sees("【Server】 hi")
				p.SendLiteral("half 一")
				p.line(">>> ", "half 一", 11)
				tt.how(p)
				s.gets(word)
				s.sends("Bye\r\n")
				_ = s.CloseWrite()
				s.getsLast("\r\n")
				p.seesMatch(`【Server】 Bye\n(?s:.*)same`)
				p.afterwards(code)
			})
		}
	}
}

// afterwards waits for the shell's word and looks whether the terminal is fit for use.
func (p *person) afterwards(code string) {
	p.t.Helper()
	p.seesMatch(`\nsame, ` + code + `$`)
	for format, want := range map[string]string{"#{cursor_flag}": "1", "#{alternate_on}": "0", "#{keypad_flag}": "0", "#{mouse_any_flag}": "0"} {
		if got := p.Ask(format); got != want {
			p.t.Errorf("%s is %q, want %q", format, got, want)
		}
	}
	p.Paste("pasted\n") // in brackets, if somebody has left that on
	p.seesMatch(`same, ` + code + `\npasted\npasted$`)
	if s := p.Styled(); strings.HasSuffix(s, "\x1b[m") {
		p.t.Errorf("a style is left on: %q", s)
	}
	p.noTrace()
}

// free fails unless somebody can listen at port now, as any Go program does (with SO_REUSEADDR: TIME_WAIT is no matter, a
// listener that is left is).
func free(t *testing.T, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Errorf("the port is not free: %v", err)
		return
	}
	_ = l.Close()
}

// The terminal's window is closed: as SIGHUP, and also where nobody hears of that.
func TestTerminal_WindowClosed(t *testing.T) {
	const inner = `"$DUET" "$@"; echo $? >"$CODE"`
	for _, tt := range []struct{ name, script string }{
		// The system tells the first process of the terminal, and when that has ended all that were in the foreground.
		{"hears HUP", `sh -c 'trap : HUP; ` + inner + `' sh "$@"; true`},
		{"hears of no HUP", `trap : HUP; ` + inner},
		{"ignores HUP", `trap '' HUP; ` + inner},
	} {
		for _, role := range []string{"server", "client"} {
			t.Run(tt.name+"/"+role, func(t *testing.T) {
				t.Parallel()
				code := filepath.Join(t.TempDir(), "code")
				env := []string{"CODE=" + code}
				var s *socket
				var p *person
				port, word := "", "bye"
				if role == "server" {
					p = sitAt(t, 80, 24, env, "sh", "-c", tt.script, "sh", "listen", "--greeting", "", "127.0.0.1:0")
					port, word = p.port(), "Bye"
					s = dialTo(t, port)
					p.seesMatch("received a connection")
				} else {
					s, p = serverFor(t, func(port string) *person {
						return sitAt(t, 80, 24, env, "sh", "-c", tt.script, "sh", "connect", port)
					})
				}
				p.line(">>> ", "", 4)
				p.Close()
				s.getsLast(word)
				if port != "" {
					free(t, port)
				}
				_ = s.Close()
				if got := awaitFile(t, code); got != "129\n" {
					t.Errorf("it ended with %q, want 129", got)
				}
			})
		}
	}
}

// Whoever does not answer the goodbye is not waited for longer than a second Ctrl-C says.
func TestTerminal_SecondInterrupt(t *testing.T) {
	for _, how := range []string{"keys", "signals"} {
		for _, role := range []string{"server", "client"} {
			t.Run(how+"/"+role, func(t *testing.T) {
				t.Parallel()
				var s *socket
				var p *person
				if role == "server" {
					p = sitAt(t, 80, 24, nil, "sh", "-c", around, "sh", "listen", "--greeting", "", "127.0.0.1:0")
					s = dialTo(t, p.port())
					p.seesMatch("received a connection")
				} else {
					s, p = serverFor(t, func(port string) *person {
						return sitAt(t, 80, 24, nil, "sh", "-c", around, "sh", "connect", port)
					})
				}
				p.line(">>> ", "", 4)
				pid := p.pid()
				press := func() {
					if how == "keys" {
						p.SendKeys("C-c")
					} else {
						kill(t, "INT", pid)
					}
				}
				press()
				s.getsLast(map[string]string{"server": "Bye", "client": "bye"}[role])
				begun := time.Now()
				press() // the peer has not answered, and does not close
				p.afterwards("130")
				if d := time.Since(begun); d > 1500*time.Millisecond { // without it: 2 s
					t.Logf("it took %v", d)
				}
			})
		}
	}
}

// Ctrl-Z gives the terminal to the shell, fg gives it back; what has arrived meanwhile is there.
func TestTerminal_Suspended(t *testing.T) {
	t.Parallel()
	s, p := serverFor(t, func(port string) *person {
		p := sitAt(t, 80, 24, nil, "bash", "--norc", "--noprofile", "-i")
		p.types("PS1='$ '; before=$(stty -g); $DUET connect " + port)
		return p
	})
	p.seesMatch(`connected to .*\n>>>$`)
	p.SendLiteral("half 一")
	p.line(">>> ", "half 一", 11)
	for i := range 2 {
		p.SendKeys("C-z")
		p.seesMatch(`Stopped(?s:.*)\n\$$`)
		p.types(`[ "$(stty -g)" = "$before" ] && echo same $((1+1))`)
		p.seesMatch(`\nsame 2\n\$$`)
		if p.Ask("#{cursor_flag}") != "1" {
			t.Error("the cursor is hidden")
		}
		s.sends([]string{"meanwhile 1\n", "meanwhile 二\n"}[i])
		p.types("fg")
		p.sees([]string{"【Server】 meanwhile 1", "【Server】 meanwhile 二"}[i], ">>> half 一")
		p.line(">>> ", "half 一", 11)
	}
	p.SendKeys("Enter")
	s.gets("half 一\n")
	p.SendKeys("C-d")
	s.gets("bye")
	_ = s.Close()
	p.seesMatch(`has ended: \S+\n(?s:.*)\$$`)
	p.types(`echo "code $?"; [ "$(stty -g)" = "$before" ] && echo same $((2+1))`)
	p.sees("code 0", "same 3")
	p.noTrace()
}

func kill(t *testing.T, signal, pid string) {
	t.Helper()
	k := run(t, "kill", "-"+signal, pid)
	k.ends(0)
}

// awaitFile waits until a file holds a line.
func awaitFile(t *testing.T, path string) string {
	t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if b, _ := os.ReadFile(path); strings.HasSuffix(string(b), "\n") {
			return string(b)
		}
	}
	t.Fatalf("nobody writes %s", path)
	return ""
}
