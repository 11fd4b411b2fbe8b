package event_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"duet.example/duet/event"
)

// The Python program of docs/events.md works with a server that follows that page.
func TestPythonOfTheSchema(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("NOT TESTED: the Python program of docs/events.md, for there is no python3 here")
	}
	page, err := os.ReadFile(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	program := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(page)
	if program == nil {
		t.Fatalf("%s has no Python program", schemaPath)
	}
	dir, err := os.MkdirTemp("", "duet") // t.TempDir may be longer than a socket's path
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "control"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	asked := make(chan []string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			asked <- []string{err.Error()}
			return
		}
		defer c.Close()
		stop := context.AfterFunc(ctx, func() { c.Close() })
		defer stop()
		asked <- serve(c)
	}()

	cmd := exec.CommandContext(ctx, python, "-c", string(program[1]), l.Addr().String())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("%v\n%s", err, &stderr)
	}
	l.Close()
	if got, want := <-asked, []string{"list ", "watch ", "send 7"}; !slices.Equal(got, want) {
		t.Errorf("the requests are %q, want %q", got, want)
	}
	if want := "1 192.0.2.7:1 open\n1 '\\u4f60\\u597d\\x1b[31m'\n1 ended: farewell\n"; stdout.String() != want {
		t.Errorf("printed %q, want %q", &stdout, want)
	}
	if want := "refused: 1: no such conversation\n"; !strings.HasSuffix(stderr.String(), want) {
		t.Errorf("stderr is %q, want %q", &stderr, want)
	}
}

// serve is a server with one conversation, which ends after the first answer. It returns the requests.
func serve(c net.Conn) (asked []string) {
	w, r := event.NewWriter(c), event.NewReader(c, 0)
	tell := func(lines ...event.Line) {
		for _, l := range lines {
			if err := w.WriteLine(l); err != nil {
				asked = append(asked, err.Error())
			}
		}
	}
	said := event.Event{Type: event.Said, Time: noon, Conn: 1, Peer: "192.0.2.7:1", Body: []byte("你好\x1b[31m")}
	bye, left := said, said
	bye.Body, bye.Farewell = []byte("bye"), true
	left.Type, left.Body, left.Reason = event.Left, nil, "farewell"
	tell(event.Hello{Program: "duet", Version: "test", Time: noon})
	for {
		req, err := r.Request()
		if errors.Is(err, io.EOF) {
			return asked
		}
		if err != nil {
			return append(asked, err.Error())
		}
		asked = append(asked, string(req.Do)+" "+req.Text)
		switch req.Do {
		case event.DoList:
			e := event.Entry{Conn: 1, Peer: "192.0.2.7:1", State: event.Open, Since: noon, Framing: "auto", Encoding: "utf-8"}
			for _, reply := range event.RosterReplies(req.ID, []event.Entry{e}) {
				tell(reply)
			}
		case event.DoWatch:
			tell(event.Reply{ID: req.ID, OK: true}, event.Event{Type: "later", Time: noon}, said)
		case event.DoSend:
			tell(event.Reply{Error: "1: no such conversation"}, bye, left, event.Event{Type: event.Stopped, Time: noon})
		}
	}
}
