//go:build linux

package interop_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"

	library "duet.example/duet"
	"duet.example/duet/console"
	"duet.example/duet/desk"
)

// panicEnv makes the test binary a server with a console in which something panics: the handler of a
// conversation, what prints, what reads, or what completes.
const panicEnv = "DUET_TEST_PANIC"

func init() {
	if where := os.Getenv(panicEnv); where != "" {
		os.Exit(panicking(where))
	}
}

// A fragile face panics where it is told to.
type fragile struct {
	console.Face
	where string
}

func (f fragile) Print(ctx context.Context, lines ...string) error {
	if f.where == "printing" && strings.Contains(strings.Join(lines, "\n"), "go") {
		panic("no such thing")
	}
	return f.Face.Print(ctx, lines...)
}

func (f fragile) SetInput(text string) {
	if f.where == "reading" {
		panic("no such thing")
	}
	f.Face.SetInput(text)
}

// A fallible handler panics at the word go.
type fallible struct {
	*desk.Desk
	where string
}

func (h fallible) ServeConn(ctx context.Context, c *library.Conn) error {
	if h.where != "handler" {
		return h.Desk.ServeConn(ctx, c)
	}
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		if string(m.Body) == "go" {
			panic("no such thing")
		}
	}
	return nil
}

func panicking(where string) int {
	face, err := console.NewTerminal(console.TerminalOptions{Complete: func(string, int) (int, []string) { panic("no such thing") }})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	d := &desk.Desk{}
	s := console.NewSession(console.Options{Table: d.Operator("console"), Operator: "console", Face: fragile{face, where}, Server: true, Terminal: true})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 1
	}
	s.Notice("The Server is running at " + console.AddressWords(l.Addr().String()))
	srv := &library.Server{Handler: fallible{d, where}, Options: library.Options{Farewell: "bye", ShowFarewell: true}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	srv.Trace = &library.Trace{ConnEnd: func(c *library.Conn, r library.EndReason, _ error) { s.Notice("ended: " + r.String()) }}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	out := s.Run(ctx)
	stop()
	_ = srv.Shutdown(context.Background())
	if err := <-served; !errors.Is(err, library.ErrServerClosed) {
		fmt.Println(err)
	}
	s.Close()
	err = face.Close()
	if out != console.Quit {
		fmt.Println("outcome", out, s.Err(), err)
		return 1
	}
	return 0
}

// A panic in a handler ends its conversation only; one in the console ends duet, with its goodbyes. The terminal is
// as it was.
func TestTerminal_Panic(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{"handler", "printing", "reading", "completing"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			p := sitAt(t, 80, 24, []string{"DUET=" + exe, panicEnv + "=" + where}, "sh", "-c", around)
			port := p.port()
			p.line(">>> ", "", 4)
			one := dialTo(t, port)
			switch where {
			case "handler":
				two := dialTo(t, port)
				one.sends("go\n")
				one.getsLast("")
				_ = one.Close()
				p.sees("ended: handler-failed")
				p.SendLiteral("half 一")
				p.line(">>> ", "half 一", 11)
				p.SendKeys("C-u")
				p.types("/quit")
				two.getsLast("Bye\n")
				_ = two.Close()
				free(t, port)
				p.afterwards("0")
				return
			case "printing":
				p.seesMatch("received a connection")
				one.sends("go\n")
				one.getsLast("Bye\n")
			case "reading":
				p.seesMatch("received a connection")
				p.types("/nosuch")
				one.getsLast("Bye\n")
			case "completing":
				p.seesMatch("received a connection")
				p.SendLiteral("/u")
				p.SendKeys("Tab")
				one.getsLast("Bye\n")
			}
			_ = one.Close()
			free(t, port)
			p.seesMatch(`outcome .*no such thing`)
			p.seesMatch(`\nsame, 1$`)
		})
	}
}
