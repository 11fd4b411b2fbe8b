package console_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/console"
	"duet.example/duet/desk"
	"duet.example/duet/duettest"
	"duet.example/duet/transport"
)

// told collects what an explainer says.
type told struct {
	mu    sync.Mutex
	lines []string
}

func (l *told) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

func (l *told) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

func TestExplainConversation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var l told
		x := console.NewExplainer(true, l.add)
		peer, c := duettest.ConnPair(t, func(s *duet.Server) { s.Farewell, s.ShowFarewell, s.Trace = "bye", true, x.Trace() })
		who := peer.LocalAddr().String()
		d := &desk.Desk{}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = duet.Serve(context.Background(), c, d)
		}()
		if err := peer.Send(t.Context(), []byte("hi")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := d.Say(t.Context(), 1, "hello"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := peer.SayBye(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = peer.Close()
		<-done
		want := []string{
			"recv from " + who + " → 3 bytes",
			"send to " + who + " → 6 bytes",
			"recv from " + who + " → 4 bytes",
			"send to " + who + " → 4 bytes",
			"shutdown(" + who + ", SHUT_WR) → ok: we send FIN, nothing more to say",
			"recv from " + who + " → 0: the peer sent FIN, it has finished sending",
			"close(" + who + ") → ok",
			"the conversation with " + who + " ended: farewell",
		}
		got := l.take()
		for i, line := range got {
			got[i] = strings.TrimPrefix(line, "explain: ")
		}
		slices.Sort(want) // the two directions are two goroutines
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("explained:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
		}
	})
}

func TestExplainSteps(t *testing.T) {
	var l told
	x := console.NewExplainer(false, l.add)
	x.Step(transport.Step{Call: "socket"})
	if x.On() || len(l.take()) != 0 {
		t.Error("narrates though it is off")
	}
	x.Set(true)
	peer, c := duettest.ConnPair(t)
	who := peer.LocalAddr().String()
	tr := x.Trace()
	for _, tt := range []struct {
		do   func()
		want string
	}{
		{func() { x.Step(transport.Step{Call: "bind", Args: "3, [::]:80", Result: "ok"}) }, "bind(3, [::]:80) → ok"},
		{func() { x.Step(transport.Step{Call: "bind", Args: "\x1b", Err: errBroken, Inferred: true}) }, `bind(\x1b) → broken\x1b[2J  (inferred)`},
		{func() { tr.Read(c, 1, nil) }, "recv from " + who + " → 1 byte"},
		{func() { tr.Read(c, 0, io.EOF) }, "recv from " + who + " → 0: the peer sent FIN, it has finished sending"},
		{func() { tr.Read(c, 0, net.ErrClosed) }, ""},
		{func() { tr.Read(c, 0, &duet.Error{Reason: duet.EndReset, Err: syscall.ECONNRESET}) }, "recv from " + who + " → " + syscall.ECONNRESET.Error() + ": the peer sent RST"},
		{func() { tr.Read(c, 0, &duet.Error{Reason: duet.EndReset, Err: syscall.EHOSTUNREACH}) }, "recv from " + who + " → " + syscall.EHOSTUNREACH.Error()},
		{func() { tr.Read(c, 0, &duet.Error{Reason: duet.EndReset, Err: errBroken}) }, `recv from ` + who + ` → broken\x1b[2J`},
		{func() { tr.Read(c, 0, duet.ErrCut) }, "recv from " + who + " → stream ended inside a message"},
		{func() { tr.Wrote(c, 3, errors.New("no")) }, "send to " + who + " → no after 3 bytes"},
		{func() { tr.HalfClosed(c, errors.New("no")) }, "shutdown(" + who + ", SHUT_WR) → no"},
		{func() { tr.Closed(c, true, nil) }, "close(" + who + "): not everything was read, so the system may send RST  (inferred)"},
		{func() { tr.ConnEnd(c, duet.EndIdle, duet.ErrIdle) }, "the conversation with " + who + " ended: idle"},
		{func() { tr.Refused(nil, errors.New("no")) }, "close: a peer was refused: no"},
		{func() { tr.Refused(c.RemoteAddr(), errors.New("no")) }, "close: " + who + " was refused: no"},
		{func() { tr.AcceptPaused(errors.New("no"), time.Second) }, "accept → no: again in 1s"},
	} {
		tt.do()
		got := strings.Join(l.take(), "\n")
		if tt.want == "" && got != "" || strings.TrimPrefix(got, "explain: ") != tt.want {
			t.Errorf("explained %q, want %q", got, tt.want)
		}
	}
}

func TestExplainCommand(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		x := console.NewExplainer(false, nil)
		b := open(t, console.Options{Explainer: x})
		b.types("/explain maybe", "/explain")
		b.shows("/explain on, or /explain off", "explain on")
		p := b.connect(func(s *duet.Server) { s.Trace = x.Trace() })
		b.says(p, "hi")
		b.shown("explain: recv from "+p.LocalAddr().String()+" → 3 bytes", "【Server】 hi")
		b.types("/explain off")
		b.says(p, "hi")
		b.shows("explain off", "【Server】 hi")
	})
}
