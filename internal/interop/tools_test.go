//go:build linux

package interop_test

import (
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// A tool is another program that people talk over TCP with.
type tool struct {
	name string
	// connect and listen start it, with its person's or pipe's input; listen is nil where it has no such role.
	connect, listen func(t *testing.T, port string) *program
	// hangUp is how its person ends it without a farewell.
	hangUp func(*program)
}

// with starts a program; PORT in its arguments is the port.
func with(name string, args ...string) func(*testing.T, string) *program {
	return func(t *testing.T, port string) *program {
		t.Helper()
		return run(t, name, forPort(args, port)...)
	}
}

func forPort(args []string, port string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = strings.ReplaceAll(a, "PORT", port)
	}
	return out
}

func closeInput(p *program) { _ = p.in.Close() }

var tools = []tool{
	{
		// -N: without it nc does not tell its peer that its input has ended.
		name:    "nc",
		connect: with("nc.openbsd", "-N", "127.0.0.1", "PORT"),
		listen:  with("nc.openbsd", "-N", "-l", "127.0.0.1", "PORT"),
		hangUp:  closeInput,
	},
	{
		name:    "ncat",
		connect: with("ncat", "127.0.0.1", "PORT"),
		listen:  with("ncat", "-l", "127.0.0.1", "PORT"),
		hangUp:  closeInput,
	},
	{
		name:    "socat",
		connect: with("socat", "-", "TCP:127.0.0.1:PORT"),
		listen:  with("socat", "-", "TCP-LISTEN:PORT,bind=127.0.0.1"),
		hangUp:  closeInput,
	},
	{
		// telnet only connects. It wants a terminal, and shows there what is typed.
		name: "telnet",
		connect: func(t *testing.T, port string) *program {
			t.Helper()
			p := inTerminal(t, "telnet", "127.0.0.1", port)
			p.says("Escape character is '^]'.")
			return p
		},
		hangUp: func(p *program) {
			_, _ = io.WriteString(p.in, "\x1d") // Ctrl-]
			p.says("telnet>")
			p.types("quit")
		},
	},
}

// inTerminal runs a program in a terminal of its own.
func inTerminal(t *testing.T, name string, args ...string) *program {
	t.Helper()
	p := prepare(t, name, args...)
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, slave, slave
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	p.in = master
	copied := make(chan struct{})
	p.copied = copied
	go func() {
		defer close(copied)
		_, _ = io.Copy(p.out, master) // ends with EIO when nobody has the terminal any more
	}()
	t.Cleanup(func() { _ = master.Close() }) // after the program's end
	p.start()
	_ = slave.Close()
	return p
}

// Whole conversations with the other tools, in both roles, ended in each way.
func TestTools(t *testing.T) {
	for _, tl := range tools {
		for _, framing := range []string{"auto", "raw"} {
			for _, end := range []string{"the tool's bye", "duet's bye", "hanging up"} {
				t.Run(tl.name+"/client/"+framing+"/"+end, func(t *testing.T) {
					t.Parallel()
					d := duet(t, "listen", "--console", "--framing", framing, "127.0.0.1:0")
					p := tl.connect(t, d.port(d.out))
					d.says("The Server has received a connection from 127.0.0.1: ")
					p.says("Can I help you?")
					talkWith(t, d, p, "【Client】 ")
					partFromTool(t, d, p, tl, "【Client】 ", end)
				})
				if tl.listen == nil {
					continue
				}
				t.Run(tl.name+"/server/"+framing+"/"+end, func(t *testing.T) {
					t.Parallel()
					port := freePort(t)
					p := tl.listen(t, port)
					awaitListener(t, p, port)
					d := duet(t, "connect", "--console", "--framing", framing, "127.0.0.1", port)
					d.says("connected to 127.0.0.1: " + port)
					talkWith(t, d, p, "【Server】 ")
					partFromTool(t, d, p, tl, "【Server】 ", end)
					d.ends(0)
				})
			}
		}
	}
}

// talkWith lets duet and a person at another tool talk, not in turns.
func talkWith(t *testing.T, d, p *program, label string) {
	t.Helper()
	p.types("hello")
	d.says(label + "hello\n")
	p.types("are you there?")
	d.says(label + "are you there?\n")
	d.types("yes 你好")
	p.says("yes 你好")
	d.types("what can I do?")
	p.says("what can I do?")
	p.types("再见 then")
	d.says(label + "再见 then\n")
}

func partFromTool(t *testing.T, d, p *program, tl tool, label, end string) {
	t.Helper()
	reason := "farewell"
	switch end {
	case "the tool's bye":
		p.types("BYE")
		d.says(label + "BYE\n")
		p.says("Bye")
	case "duet's bye":
		d.types("bye")
		p.says("bye")
	case "hanging up":
		tl.hangUp(p)
		reason = "peer-closed"
	}
	d.says("has ended: " + reason + "\n")
	// Some see the end of the connection only when they next look at their input.
	select {
	case <-p.done:
	case <-time.After(100 * time.Millisecond):
		if tl.name != "telnet" {
			closeInput(p)
		}
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatalf("%s does not end", p.name)
	}
}
