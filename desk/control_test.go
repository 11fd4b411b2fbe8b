package desk_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/admission"
	"duet.example/duet/desk"
	"duet.example/duet/duettest"
)

// control serves d's control socket, and tells how to reach it.
func control(t *testing.T, d *desk.Desk) (dial func(context.Context) (net.Conn, error), stop func()) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "control"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- (&desk.Control{Desk: d, Version: "test"}).Serve(ctx, l) }()
	stop = func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		served <- nil
	}
	t.Cleanup(stop)
	return func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", l.Addr().String())
	}, stop
}

func attach(t *testing.T, d *desk.Desk, name string) *desk.Remote {
	t.Helper()
	dial, _ := control(t, d)
	r, err := desk.Attach(t.Context(), dial, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func nextOf(t *testing.T, w desk.Watcher, want desk.Kind) desk.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	e, err := w.Next(ctx)
	if err != nil || e.Kind != want {
		t.Fatalf("event %+v, %v; want kind %d", e, err, want)
	}
	return e
}

// untilLeft takes events until a conversation has left.
func untilLeft(t *testing.T, w desk.Watcher) desk.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		e, err := w.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == desk.Left {
			return e
		}
	}
}

// Two operators at one desk, one here and one far: both see all, each answer is sent once, one leaving ends nothing.
func TestTwoOperators(t *testing.T) {
	d := &desk.Desk{}
	s := duettest.NewServer(t, d, farewell)
	near, far := d.Operator("near"), attach(t, d, "far")
	nw, fw := near.Watch(), far.Watch()
	defer nw.Stop()
	c := s.Dial(t)
	for _, w := range []desk.Watcher{nw, fw} {
		if e := nextOf(t, w, desk.Arrived); e.Number != 1 || e.Peer != c.LocalAddr().String() {
			t.Errorf("arrived %+v", e)
		}
	}
	send(t, c, "你好")
	for _, w := range []desk.Watcher{nw, fw} {
		if e := nextOf(t, w, desk.Said); string(e.Text) != "你好" || string(e.Body) != "你好" {
			t.Errorf("said %+v", e)
		}
	}
	if es := far.Roster(); len(es) != 1 || es[0].Unread != 1 || string(es[0].Last) != "你好" || es[0].Waiting.IsZero() {
		t.Errorf("roster %+v", es)
	}
	for i, o := range []desk.Table{near, far} {
		text := fmt.Sprint("answer ", i)
		if err := o.Say(t.Context(), 1, text); err != nil {
			t.Fatal(err)
		}
		for _, w := range []desk.Watcher{nw, fw} {
			if e := nextOf(t, w, desk.Answered); string(e.Text) != text || e.Operator != []string{"near", "far"}[i] {
				t.Errorf("answered %+v", e)
			}
		}
		if got := receive(t, c); got != text {
			t.Errorf("the peer got %q", got)
		}
	}
	if es := near.Roster(); es[0].Unread != 0 || !es[0].Waiting.IsZero() {
		t.Errorf("answered, but still waiting: %+v", es[0])
	}
	fw.Stop()
	_ = far.Close()
	if err := near.Say(t.Context(), 1, "still here"); err != nil {
		t.Error(err)
	}
	if got := receive(t, c); got != "still here" {
		t.Errorf("the peer got %q", got)
	}
}

func TestRemoteDoes(t *testing.T) {
	gate := &admission.Gate{}
	d := &desk.Desk{Gate: gate}
	s := duettest.NewServer(t, d, farewell)
	r := attach(t, d, "far")
	w := r.Watch()
	defer w.Stop()
	c := s.Dial(t)
	nextOf(t, w, desk.Arrived)
	ctx := t.Context()
	for name, err := range map[string]error{
		"name": r.Name(ctx, 1, "安娜"), "note": r.Note(ctx, 1, "waits for a part"), "framing": r.SetFraming(ctx, 1, "crlf"),
		"encoding": r.SetEncoding(ctx, 1, "gb18030"), "reload": r.Reload(ctx),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	e, err := r.Entry(1)
	if err != nil || e.Name != "安娜" || e.Note != "waits for a part" || e.Framing != "crlf" || e.Encoding != "gb18030" || !e.Live() {
		t.Errorf("entry %+v, %v", e, err)
	}
	for what, err := range map[string]error{
		"nobody": r.Say(ctx, 7, "x"), "nobody's entry": second(r.Entry(7)),
	} {
		if !errors.Is(err, desk.ErrNobody) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := r.Say(ctx, 1, "a\r\nb"); !errors.Is(err, duet.ErrDelimiter) {
		t.Errorf("a body with its delimiter: %v", err)
	}
	for _, bad := range []string{"12", "a b", "\u202ex", strings.Repeat("x", 65)} {
		if err := r.Name(ctx, 1, bad); err == nil {
			t.Errorf("%q is a name", bad)
		}
	}
	if err := r.Ban(ctx, "127.0.0.1", "floods"); err != nil {
		t.Error(err)
	}
	for {
		e, err := w.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == desk.Banned {
			if e.Address != "127.0.0.1" || e.Note != "floods" || e.Operator != "far" {
				t.Errorf("banned %+v", e)
			}
			break
		}
	}
	if e := untilLeft(t, w); e.Reason != duet.EndKicked {
		t.Errorf("left as %v", e.Reason)
	}
	if left := r.Left(); len(left) != 1 || left[0].Live() || left[0].Name != "安娜" || left[0].Reason != duet.EndKicked {
		t.Errorf("left %+v", left)
	}
	if err := gate.Admit(ctx, c.LocalAddr()); !errors.Is(err, admission.ErrDenied) {
		t.Errorf("the banned address: %v", err)
	}
}

func second[A any](_ A, err error) error { return err }

// A garbled line gets an error line, and nothing else happens.
func TestControlGarbled(t *testing.T) {
	d := &desk.Desk{}
	dial, _ := control(t, d)
	nc, err := dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	in := bufio.NewReader(nc)
	line := func() map[string]any {
		t.Helper()
		b, err := in.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	if m := line(); m["type"] != "hello" || m["version"] != "test" {
		t.Errorf("hello: %v", m)
	}
	for _, garbled := range []string{"{", "\xff", `{"do":"dance"}`, `{"do":"send","conn":1}`, `[]`, strings.Repeat("x", 10<<20)} {
		_, _ = io.WriteString(nc, garbled+"\n")
		if m := line(); m["ok"] != false || m["error"] == "" {
			t.Errorf("%.20q: %v", garbled, m)
		}
	}
	_, _ = io.WriteString(nc, `{"id":"7","do":"list"}`+"\n")
	if m := line(); m["ok"] != true || m["id"] != "7" {
		t.Errorf("list: %v", m)
	}
}

// A watcher that does not read is dropped; nobody waits for it.
func TestControlDropsDeafWatcher(t *testing.T) {
	d := &desk.Desk{}
	dial, _ := control(t, d)
	s := duettest.NewServer(t, d)
	nc, err := dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_, _ = io.WriteString(nc, `{"do":"watch"}`+"\n")
	in := bufio.NewReader(nc)
	for range 2 { // hello, and the reply: it watches now
		if _, err := in.ReadBytes('\n'); err != nil {
			t.Fatal(err)
		}
	}
	c := s.Dial(t)
	body := []byte(strings.Repeat("x", 10_000))
	for range 20_000 {
		if err := c.Send(t.Context(), body); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.CloseWrite(t.Context())
	if _, err := c.Receive(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("the peer got %v", err)
	}
	_ = nc.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, err := io.Copy(io.Discard, in)
	if err != nil || n > 150<<20 {
		t.Errorf("not dropped: %v after %d bytes", err, n)
	}
}

func TestControlEnds(t *testing.T) {
	d := &desk.Desk{}
	dial, stop := control(t, d)
	r, err := desk.Attach(t.Context(), dial, "")
	if err != nil {
		t.Fatal(err)
	}
	w := r.Watch()
	raw, err := dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	in := bufio.NewReader(raw)
	_, _ = io.WriteString(raw, `{"do":"watch"}`+"\n")
	for range 2 { // hello, and the reply
		if _, err := in.ReadBytes('\n'); err != nil {
			t.Fatal(err)
		}
	}
	d.Notice("the last word")
	stop()
	if rest, err := io.ReadAll(in); err != nil || !strings.Contains(string(rest), "the last word") || !strings.Contains(string(rest), `"type":"stopped"`) {
		t.Errorf("told at the end: %q, %v", rest, err)
	}
	for {
		if _, err := w.Next(t.Context()); err != nil {
			break // what came before is told first
		}
	}
	if err := r.Say(t.Context(), 1, "x"); err == nil {
		t.Error("said something to nobody")
	}
	w.Stop()
	if _, err := desk.Attach(t.Context(), dial, ""); err == nil {
		t.Error("attached to what is gone")
	}
}

// Where a handler answers, the desk watches both sides, and an operator may speak as well.
func TestNext(t *testing.T) {
	d := &desk.Desk{Next: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
		for m, err := range c.Messages(ctx) {
			if err != nil {
				return err
			}
			if !m.Farewell {
				if err := c.Send(ctx, append([]byte("echo "), m.Body...)); err != nil {
					return err
				}
			}
		}
		return nil
	})}
	w := d.Watch()
	defer w.Stop()
	s := duettest.NewServer(t, d, farewell, func(s *duet.Server) { s.Trace = d.Trace() })
	c := s.Dial(t)
	nextOf(t, w, desk.Arrived)
	send(t, c, "hi")
	if e := nextOf(t, w, desk.Said); string(e.Text) != "hi" {
		t.Errorf("said %+v", e)
	}
	if e := nextOf(t, w, desk.Answered); string(e.Text) != "echo hi" || e.Operator != "" {
		t.Errorf("answered %+v", e)
	}
	anna := d.Operator("anna")
	if err := anna.Say(t.Context(), 1, "I watch"); err != nil {
		t.Fatal(err)
	}
	if e := nextOf(t, w, desk.Answered); string(e.Text) != "I watch" || e.Operator != "anna" {
		t.Errorf("answered %+v", e)
	}
	if err := anna.Kick(t.Context(), 1, ""); err != nil {
		t.Fatal(err)
	}
	if e := untilLeft(t, w); e.Reason != duet.EndKicked {
		t.Errorf("left as %v", e.Reason)
	}
}

// A line may be as long as docs/events.md says: 9 MiB if no other limit of a message is given.
func TestControlLineLength(t *testing.T) {
	d := &desk.Desk{}
	s := duettest.NewServer(t, d)
	c := s.Dial(t)
	dial, _ := control(t, d)
	nc, err := dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	in := bufio.NewReader(nc)
	reply := func() string {
		t.Helper()
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	reply() // hello
	const size = 1 << 20
	got := make(chan int, 1)
	go func() {
		m, _ := c.Receive(context.Background())
		got <- len(m.Body)
	}()
	if _, err := io.WriteString(nc, `{"do":"send","conn":1,"text":"`+strings.Repeat(`\u0061`, size)+"\"}\n"); err != nil {
		t.Fatal(err)
	}
	if l := reply(); !strings.Contains(l, `"ok":true`) {
		t.Errorf("the longest message: %s", l)
	}
	if n := <-got; n != size {
		t.Errorf("the peer got %d bytes", n)
	}
	list := `{"do":"list","conn":1}`
	for more, want := range map[int]string{0: `"ok":true`, 1: "line too long: more than 9437184 bytes"} {
		if _, err := io.WriteString(nc, list+strings.Repeat(" ", 9<<20-len(list)+more)+"\n"); err != nil {
			t.Fatal(err)
		}
		if l := reply(); !strings.Contains(l, want) {
			t.Errorf("%d bytes more than the limit: %s", more, l)
		}
	}
}

// A console elsewhere misses no message, also where the server takes long ones.
func TestRemoteTakesLongLines(t *testing.T) {
	const size = 9<<20 + 1<<19
	d := &desk.Desk{}
	s := duettest.NewServer(t, d, func(s *duet.Server) { s.MaxMessage = size })
	r := attach(t, d, "far")
	w := r.Watch()
	defer w.Stop()
	c := s.Dial(t)
	nextOf(t, w, desk.Arrived)
	send(t, c, strings.Repeat("x", size))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a busy machine takes long for such a line
	defer cancel()
	if e, err := w.Next(ctx); err != nil || e.Kind != desk.Said || len(e.Body) != size {
		t.Errorf("%d bytes of %d, %v", len(e.Body), size, err)
	}
}
