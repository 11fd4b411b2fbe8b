//go:build linux

package interop_test

import (
	"fmt"
	"strings"
	"testing"
)

// python runs one of the plain programs in testdata.
func python(t *testing.T, script string, args ...string) *program {
	t.Helper()
	return run(t, "python3", append([]string{"testdata/" + script}, args...)...)
}

// The first lesson's server and client talk with duet: one recv for one message, no line ends, strict turns.
func TestPython(t *testing.T) {
	for _, framing := range []string{"auto", "raw"} {
		// What auto sends to a peer that has not spoken yet ends with LF.
		first := map[string]string{"auto": `\n`}[framing]
		for _, endedBy := range []string{"python", "duet"} {
			t.Run("server/"+framing+"/ended by "+endedBy, func(t *testing.T) {
				t.Parallel()
				py := python(t, "server.py")
				d := duet(t, "connect", "--console", "--framing", framing, "127.0.0.1", py.finds(py.out, `port (\d+)\n`))
				d.says("【Server】 Can I help you?\n")
				turns(t, d, py)
				if endedBy == "python" { // it answers
					d.types("no more")
					py.says("got 'no more'\n")
				}
				partFrom(t, d, py, "【Server】 ", endedBy == "duet")
				d.ends(0)
			})
			t.Run("client/"+framing+"/ended by "+endedBy, func(t *testing.T) {
				t.Parallel()
				d := duet(t, "listen", "--console", "--framing", framing, "127.0.0.1:0")
				py := python(t, "client.py", d.port(d.out))
				d.says("The Server has received a connection from 127.0.0.1: ")
				py.says("got 'Can I help you?" + first + "'\n")
				py.types("good day")
				d.says("【Client】 good day\n")
				d.types("good day to you")
				py.says("got 'good day to you'\n")
				py.types("and now")
				d.says("【Client】 and now\n")
				if endedBy == "python" { // it answers
					d.types("yes?")
					py.says("got 'yes?'\n")
				}
				partFrom(t, d, py, "【Client】 ", endedBy == "duet")
				d.says("has ended: farewell\n")
			})
		}
	}
}

// turns lets duet and a strictly alternating server say three things each; duet begins.
func turns(t *testing.T, d, py *program) {
	t.Helper()
	for _, text := range []string{"hello", "你好，世界", `quote " and \ `} {
		d.types(text)
		py.says("got '" + strings.ReplaceAll(text, `\`, `\\`) + "'\n")
		py.types(text + " 好")
		d.says("【Server】 " + text + " 好\n")
	}
}

// partFrom ends a conversation: one side says bye in a case of its own, the other answers.
func partFrom(t *testing.T, d, py *program, label string, byDuet bool) {
	t.Helper()
	if byDuet {
		d.types("bye")
		py.says("got 'bye'\n")
		d.says(label + "Bye\n")
	} else {
		py.types("ByE")
		d.says(label + "ByE\n")
		py.says("got 'Bye'\n")
	}
	py.says("ended\n")
	py.ends(0)
}

// The farewell of a server whose first client has not spoken yet is the bare word: a plain client compares it as it is.
func TestPython_ByeAtOnce(t *testing.T) {
	for _, framing := range []string{"auto", "raw"} {
		t.Run(framing, func(t *testing.T) {
			t.Parallel()
			d := duet(t, "listen", "--console", "--framing", framing, "--greeting", "", "127.0.0.1:0")
			py := python(t, "client.py", d.port(d.out))
			d.says("The Server has received a connection")
			d.types("bye")
			py.says("got 'bye'\n")
			d.says("【Client】 Bye\n")
			d.says("has ended: farewell\n")
			py.ends(0)
		})
	}
}

// Ten messages typed at once reach a peer that takes one recv for one message as ten. It is told in
// time alone, so this test does not run beside the heavy ones, nor more than twice at once; and since a busy machine may let the
// peer sleep for longer than the pause between two messages, it may try three times.
func TestPython_TenAtOnce(t *testing.T) {
	two := make(chan struct{}, 2)
	for _, framing := range []string{"auto", "raw"} {
		for _, how := range []string{"silent", "speaks"} {
			for _, role := range []string{"server", "client"} {
				t.Run(role+"/"+framing+"/"+how, func(t *testing.T) {
					t.Parallel()
					two <- struct{}{}
					defer func() { <-two }()
					var got string
					for range 3 {
						var want string
						if got, want = tenAtOnce(t, framing, how, role); got == want {
							return
						}
						t.Logf("not as ten: %q", got)
					}
					t.Errorf("the peer took its ten messages for %q", got)
				})
			}
		}
	}
}

// tenAtOnce gives what a python peer in role printed, and what it should have.
func tenAtOnce(t *testing.T, framing, how, role string) (got, want string) {
	t.Helper()
	var d, py *program
	if role == "server" {
		py = python(t, "listener.py", how, "10")
		d = duet(t, "connect", "--console", "--framing", framing, "127.0.0.1", py.finds(py.out, `port (\d+)\n`))
	} else {
		d = duet(t, "listen", "--console", "--framing", framing, "--greeting", "", "127.0.0.1:0")
		py = python(t, "listener.py", how, "10", d.port(d.out))
		d.says("The Server has received a connection")
	}
	end := ""
	if how == "speaks" {
		d.says("】 hello\n")
	} else if framing == "auto" {
		end = `\n`
	}
	var lines []string
	for n := range 10 {
		lines = append(lines, fmt.Sprintf("message %d", n))
		want += fmt.Sprintf("got 'message %d%s'\n", n, end)
	}
	d.types(lines...)
	// Messages that came together leave the peer waiting for more: the end of the conversation.
	d.types("bye")
	py.says("ended\n")
	py.ends(0)
	_, got, _ = strings.Cut("\n"+py.out.text(), "\ngot ")
	return strings.TrimSuffix("got "+got, "ended\n"), want
}
