package console_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"duet.example/duet"
	"duet.example/duet/console"
	"duet.example/duet/desk"
)

// editorEnv makes the test binary run an editor instead of the tests, for a terminal of its own. It holds the path of a
// unix socket from which the editor takes its orders.
const editorEnv = "DUET_TEST_EDITOR"

// deskEnv has it run a server with a desk and a session, which tells its address on that socket.
const deskEnv = "DUET_TEST_DESK"

// hallEnv has that desk be one of rooms.
const hallEnv = "DUET_TEST_HALL"

func TestMain(m *testing.M) {
	if path := os.Getenv(editorEnv); path != "" {
		if os.Getenv(deskEnv) != "" {
			os.Exit(runDesk(path))
		}
		os.Exit(runEditor(path))
	}
	// More tests than there are processors run at once: they wait for terminals.
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		_ = flag.Set("test.parallel", "6")
	}
	goleak.VerifyTestMain(m)
}

// runEditor prints what it is told to print, and reports what the user does as lines on the same connection.
func runEditor(path string) int {
	history, err := console.LoadHistory(os.Getenv("DUET_TEST_HISTORY"), 0)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	orders, err := net.Dial("unix", path)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer orders.Close()
	t, err := console.NewTerminal(console.TerminalOptions{
		History:  history,
		Complete: completeCommand,
		Color:    os.Getenv("DUET_TEST_COLOR") != "",
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer t.Close()
	go obey(t, orders)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	for {
		select {
		case <-stop:
			fmt.Fprintln(orders, "signal")
			return 0
		case in, ok := <-t.Inputs():
			if !ok {
				fmt.Fprintf(orders, "ended %v\n", t.Close())
				return 3
			}
			fmt.Fprintf(orders, "%s %q\n", in.Kind, in.Text)
			if in.Text == "/quit" {
				return 0
			}
		}
	}
}

// runDesk is a server whose operator sits at this terminal.
func runDesk(path string) int {
	orders, err := net.Dial("unix", path)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer orders.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	var session atomic.Pointer[console.Session]
	face, err := console.NewTerminal(console.TerminalOptions{
		Complete: func(line string, cursor int) (int, []string) {
			if s := session.Load(); s != nil {
				return s.Complete(line, cursor)
			}
			return cursor, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	d := &desk.Desk{}
	if os.Getenv(hallEnv) != "" {
		d, _ = newHall()
	}
	s := console.NewSession(console.Options{
		Table: d.Operator("console"), Operator: "console", Face: face, Server: true, Farewell: "bye", Terminal: true,
		Full: os.Getenv("DUET_TEST_FULL") != "",
	})
	session.Store(s)
	srv := &duet.Server{Handler: d, Options: duet.Options{Farewell: "bye", ShowFarewell: true, Trace: d.Trace()}, Logger: slog.New(slog.DiscardHandler)}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	fmt.Fprintln(orders, ln.Addr())
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	out := s.Run(ctx)
	down, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	_ = srv.Shutdown(down)
	<-served
	s.Close()
	if err := face.Close(); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Printf("ended %d\n", out)
	return 0
}

func obey(t *console.Terminal, orders net.Conn) {
	defer func() {
		if r := recover(); r != nil {
			err := t.Close()
			fmt.Printf("gave up: %v, %v\n", r, err)
			os.Exit(2)
		}
	}()
	ctx := context.Background()
	for s := bufio.NewScanner(orders); s.Scan(); {
		verb, arg, _ := strings.Cut(s.Text(), " ")
		switch verb {
		case "print":
			_ = t.Print(ctx, strings.Split(arg, "|")...)
		case "burst":
			var n int
			_, _ = fmt.Sscan(arg, &n)
			for i := range n {
				_ = t.Print(ctx, fmt.Sprintf("burst %05d", i))
			}
		case "prompt":
			t.SetPrompt(arg)
		case "partial":
			t.SetPartial(arg)
		case "input":
			t.SetInput(arg)
		case "shut":
			t.SetOpen(false, arg)
		case "open":
			t.SetOpen(true, "")
		case "title":
			t.Title(arg)
		case "bell":
			t.Bell()
		case "panic":
			panic(arg)
		}
	}
}

func completeCommand(line string, cursor int) (int, []string) {
	var found []string
	for _, c := range []string{"/bye", "/framing ", "/frames ", "/quit"} {
		if strings.HasPrefix(c, line[:cursor]) {
			found = append(found, c)
		}
	}
	return 0, found
}
