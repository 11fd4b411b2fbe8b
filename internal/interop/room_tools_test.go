//go:build linux

package interop_test

import (
	"strings"
	"testing"
)

// nc, ncat, telnet, socat, duet and a plain Python program are members of one room: each hears the others, each line once and with its sender's name,
// and ends in its own way.
func TestRoom_Tools(t *testing.T) {
	t.Parallel()
	srv, port, _ := roomServer(t, "--room", "-v")
	members := []struct {
		name  string
		start func() *program
	}{
		{"nc", func() *program { return run(t, "nc.openbsd", "-N", "127.0.0.1", port) }},
		{"ncat", func() *program { return run(t, "ncat", "127.0.0.1", port) }},
		{"socat", func() *program { return run(t, "socat", "-", "TCP:127.0.0.1:"+port) }},
		{"telnet", func() *program { return inTerminal(t, "telnet", "127.0.0.1", port) }},
		{"duet", func() *program { return duet(t, "connect", "--console", "127.0.0.1:"+port) }},
		{"python", func() *program { return python(t, "hearer.py", port) }},
	}
	programs := map[string]*program{}
	for _, m := range members {
		p := m.start()
		programs[m.name] = p
		p.says("; /help shows the commands")
		slash := "/"
		if m.name == "duet" {
			slash = "//" // one slash begins a command of its own console
		}
		p.types(slash + "nick " + m.name)
		p.says(" is " + m.name + " from now on")
	}
	for _, m := range members {
		programs[m.name].types("hello from " + m.name + ", 你好")
		for _, other := range members {
			if other.name != m.name {
				programs[other.name].says(m.name + ": hello from " + m.name + ", 你好")
			}
		}
	}
	programs["telnet"].types("/msg nc psst")
	programs["nc"].says("telnet -> you: psst\n")
	programs["telnet"].says("you -> nc: psst")
	programs["duet"].types("//me types", "///me types")
	programs["nc"].says("* duet types\nduet: /me types\n")
	programs["duet"].types("bye")
	programs["duet"].says("【Server】 Bye\n")
	programs["duet"].ends(0)
	programs["nc"].says("-- duet has left: farewell\n")
	closeInput(programs["python"])
	programs["python"].ends(0)
	programs["nc"].says("-- python has left: peer-closed\n")
	programs["ncat"].types("/quit")
	programs["ncat"].says("bye\n")
	programs["nc"].says("-- ncat has left: farewell\n")
	programs["socat"].types("still here")
	programs["nc"].says("socat: still here\n")
	programs["telnet"].says("socat: still here")
	srv.says("has ended: farewell")

	// What each got, in its own way of lines.
	said := func(by string) string { return by + ": hello from " + by + ", 你好" }
	for name, p := range programs {
		text := p.out.text()
		end, label := "\n", ""
		switch name {
		case "telnet":
			end = "\r\n" // its terminal's
		case "duet":
			label = "【Server】 "
		}
		var want []string
		for _, m := range members {
			if m.name != name {
				want = append(want, label+said(m.name)+end)
			}
		}
		if !strings.Contains(text, strings.Join(want, "")) && name != "telnet" {
			t.Errorf("%s did not get %q in a row, but %q", name, want, text)
		}
		for _, m := range members {
			n := strings.Count(text, said(m.name))
			if m.name == name && n != 0 || m.name != name && n != 1 {
				t.Errorf("%s got %q %d times", name, said(m.name), n)
			}
		}
	}
}
