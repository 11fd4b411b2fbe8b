package console_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"duet.example/duet/console"
)

// editorEnv makes the test binary run an editor instead of the tests, for a terminal of its own. It holds the path of a
// unix socket from which the editor takes its orders.
const editorEnv = "DUET_TEST_EDITOR"

func TestMain(m *testing.M) {
	if path := os.Getenv(editorEnv); path != "" {
		os.Exit(runEditor(path))
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
