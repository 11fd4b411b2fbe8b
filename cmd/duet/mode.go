package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"duet.example/duet"
	"duet.example/duet/console"
	"duet.example/duet/internal/bulk"
	"duet.example/duet/internal/screen"
)

// person reports whether a person is at the terminal: then the console is the editor.
func (a *app) person() bool { return isTerminal(a.stdin) && isTerminal(a.stdout) }

// edits reports whether the terminal is one that the editor can use.
func (a *app) edits() bool { return a.person() && os.Getenv("TERM") != "dumb" }

// wantsConsole: where there is a terminal, or where a script asks for lines; where it asks for events, not.
func (a *app) wantsConsole(t *talk) bool { return !t.json && (t.console || t.once > 0 || a.person()) }

// atTerminal reports whether there is a terminal that could go, and take this process with it.
func (a *app) atTerminal() bool {
	return isTerminal(a.stdin) || isTerminal(a.stdout) || isTerminal(a.stderr)
}

// operatorHere is the name of the operator at the console of the server itself, speaker the one that peers see in rooms.
const operatorHere, speaker = "console", "operator"

// notice prints a line of duet's own on w, unless less is wanted.
func (t *talk) notice(w io.Writer, format string, args ...any) {
	if !t.quiet {
		fmt.Fprintln(w, safe(fmt.Sprintf(format, args...)))
	}
}

// explainer narrates where the rest is shown: on stdout where there is or will be a console, otherwise on stderr.
func (a *app) explainer(t *talk) *console.Explainer {
	out := a.stderr
	if a.wantsConsole(t) {
		out = a.stdout
	}
	return console.NewExplainer(t.explain, func(line string) { fmt.Fprintln(out, line) })
}

// A booth is a session with its face.
type booth struct {
	*console.Session
	face   console.Face
	editor bool   // a person sits there
	forget func() // the terminal need not be restored any more
}

// tell gives what prints lines of duet's own at the console, unless less is wanted.
func (b *booth) tell(t *talk) func(format string, args ...any) {
	return func(format string, args ...any) {
		if !t.quiet {
			b.Notice(safe(fmt.Sprintf(format, args...)))
		}
	}
}

// goodbyePatience is how long ending takes before one who waits is told how to have it at once.
const goodbyePatience = 300 * time.Millisecond

// What is told then: before the conversations are shown to have ended, and after that, while their peers have yet to close.
const (
	goodbyeWords = "saying goodbye; Ctrl-C again ends at once"
	closingWords = "waiting for the other side to close; Ctrl-C again ends at once"
)

// awaitEnd waits for what ended gives. Where that takes its time, for peers that do not close, late says so.
func awaitEnd[T any](ended <-chan T, late func()) T {
	timer := time.NewTimer(goodbyePatience)
	defer timer.Stop()
	select {
	case v := <-ended:
		return v
	case <-timer.C:
		late()
		return <-ended
	}
}

// sayingGoodbye says that goodbyes take their time, to a person only: a script has no Ctrl-C to press.
func (b *booth) sayingGoodbye(t *talk) func() {
	return func() {
		if !b.editor || t.quiet {
			return
		}
		if b.Talking() {
			b.Notice(goodbyeWords)
		} else {
			b.Notice(closingWords)
		}
	}
}

// openBooth opens the console: the editor for a person, plain lines for a script. o says where it sits; the flags add
// to it how it looks.
func (a *app) openBooth(t *talk, o console.Options) (*booth, error) {
	o.Farewell, o.Turns, o.Once, o.Quiet = t.farewell, t.turns, t.once, t.quiet
	o.Color, o.Stamps, o.Hex, o.Bell, o.Title = t.colored(isTerminal(a.stdout)), t.stamp, t.hex, t.bell, t.title
	if t.console || !a.edits() {
		in := a.stdin
		if f, ok := in.(*os.File); ok {
			if s, err := bulk.NewStdin(f); err == nil {
				in = s
			}
		}
		o.Face = console.NewPlain(in, a.stdout)
		o.HoldInput = true
		return &booth{console.NewSession(o), o.Face, false, func() {}}, nil
	}
	var history *console.History
	if !t.noHistory {
		var err error
		if history, err = console.LoadHistory(console.HistoryPath(), 1000); err != nil {
			t.notice(a.stderr, "duet: notice: history is not kept: %v", err)
		}
	}
	// The terminal takes keys before the session exists: it is made for the terminal, and the desk may be slow to answer.
	var session atomic.Pointer[console.Session]
	face, err := console.NewTerminal(console.TerminalOptions{
		In: a.stdin.(*os.File), Out: bytesOn(a.stdout).(*os.File), Prompt: ">>> ", History: history, Color: o.Color,
		Complete: func(line string, cursor int) (int, []string) {
			if s := session.Load(); s != nil {
				return s.Complete(line, cursor)
			}
			return cursor, nil
		},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot use the terminal: %w", err)
	}
	forget := a.fatal.before(face.Restore)
	o.Face, o.Terminal = face, true
	s := console.NewSession(o)
	session.Store(s)
	return &booth{s, face, true, forget}, nil
}

// close ends the session, with all that has happened shown, and gives the terminal back. The error is that of showing.
func (b *booth) close() error {
	b.Session.Close()
	err := b.face.Close()
	b.forget()
	if failed := b.Session.Err(); failed != nil {
		return failed
	}
	switch {
	case err == nil, errors.Is(err, console.ErrClosed):
		return nil
	case outputGone(err):
		return codeError(exitFailed) // as any filter whose reader has gone
	}
	return err
}

// unsent is the error of a session in which a file was not sent as a whole: exit 1, and nothing to say that the session has not said.
func (b *booth) unsent() error {
	if b.Session.Unsent() {
		return codeError(exitFailed)
	}
	return nil
}

// output is where pipe mode writes the peer's bytes: as they are, but for a terminal, which gets safe text.
func (a *app) output(t *talk) (w io.Writer, flush func() error) {
	if !isTerminal(a.stdout) {
		return a.stdout, func() error { return nil }
	}
	sw := screen.NewWriter(bytesOn(a.stdout), screen.Reverse)
	return sw, sw.Flush
}

// wrongProtocol tells that a peer speaks something else.
func wrongProtocol(say func(format string, args ...any)) *duet.Trace {
	return &duet.Trace{WrongProtocol: func(c *duet.Conn, protocol string) {
		who := "the peer"
		if addr := c.RemoteAddr(); addr != nil {
			who = addr.String()
		}
		say("%s speaks %s, this is plain TCP", who, protocol)
	}}
}

// logTo logs what has happened and why to people; not where in the program.
func logTo(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == "stack") {
				return slog.Attr{}
			}
			return a
		},
	}))
}

// noticeWriter prints log lines as notices of the console, which has the screen.
type noticeWriter struct{ s *console.Session }

func (w noticeWriter) Write(p []byte) (int, error) {
	for _, line := range strings.Split(strings.TrimRight(string(p), "\n"), "\n") {
		w.s.Notice(safe(line))
	}
	return len(p), nil
}
