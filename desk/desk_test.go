package desk_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/desk"
	"duet.example/duet/duettest"
	"duet.example/duet/framing"
	"duet.example/duet/internal/charset"
)

func TestConversation(t *testing.T) {
	d := &desk.Desk{}
	w := watch(t, d)
	s := duettest.NewServer(t, d, farewell)
	c := s.Dial(t)
	a := next(t, w, desk.Arrived)
	if a.Number != 1 || a.Peer != c.LocalAddr().String() || a.Time.IsZero() {
		t.Errorf("arrived: %+v", a)
	}
	send(t, c, "你好")
	if e := next(t, w, desk.Said); string(e.Text) != "你好" || e.Number != 1 || e.Farewell {
		t.Errorf("said: %+v", e)
	}
	if err := d.Say(t.Context(), 1, "hello"); err != nil {
		t.Fatal(err)
	}
	if e := next(t, w, desk.Answered); string(e.Text) != "hello" || e.Farewell {
		t.Errorf("answered: %+v", e)
	}
	if got := receive(t, c); got != "hello" {
		t.Errorf("the peer got %q", got)
	}
	for range 2 { // the second does nothing, and is not told
		if err := d.Bye(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	if e := next(t, w, desk.Answered); string(e.Text) != "bye" || !e.Farewell {
		t.Errorf("farewell: %+v", e)
	}
	if got := receive(t, c); got != "bye" {
		t.Errorf("the peer got %q", got)
	}
	if e := next(t, w, desk.Said); string(e.Text) != "Bye" || !e.Farewell {
		t.Errorf("answer: %+v", e)
	}
	_ = c.Close()
	if e := next(t, w, desk.Left); e.Reason != duet.EndFarewell || e.Err != nil {
		t.Errorf("left: %v, %v", e.Reason, e.Err)
	}
	if n := d.Numbers(); len(n) != 0 {
		t.Errorf("still here: %v", n)
	}
}

// A desk hears the peer's farewell if the conversation shows it, and learns of the end in any case. The answer is counted, and told if a
// handler answers, before the conversation leaves.
func TestPeersFarewell(t *testing.T) {
	listener := duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
		_, err := c.Receive(ctx)
		return err
	})
	for _, tt := range []struct {
		name string
		show bool
		next duet.Handler
		want []desk.Kind
	}{
		{"shown", true, nil, []desk.Kind{desk.Arrived, desk.Said, desk.Left}},
		{"not shown", false, nil, []desk.Kind{desk.Arrived, desk.Left}},
		{"with a handler", false, listener, []desk.Kind{desk.Arrived, desk.Said, desk.Answered, desk.Left}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &desk.Desk{Next: tt.next}
				w := watch(t, d)
				a, b := duettest.PipeSize(1)
				defer a.Close()
				dialer := duet.Dialer{Options: duet.Options{Farewell: "bye", ShowFarewell: tt.show, Trace: d.Trace()}}
				served := make(chan error, 1)
				go func() { served <- duet.Serve(t.Context(), dialer.NewConn(b), d) }()
				if _, err := io.WriteString(a, "bye\n"); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if n := len(d.Numbers()); n != 1 {
					t.Errorf("%d conversations while the answer to the farewell has not left, want 1", n)
				}
				if got, err := io.ReadAll(a); string(got) != "Bye\n" || err != nil {
					t.Errorf("the peer got %q, %v", got, err)
				}
				for _, kind := range tt.want {
					e := next(t, w, kind)
					switch kind {
					case desk.Said:
						if string(e.Text) != "bye" || !e.Farewell {
							t.Errorf("said %+v", e)
						}
					case desk.Answered:
						if string(e.Text) != "Bye" {
							t.Errorf("answered %+v", e)
						}
					case desk.Left:
						if e.Reason != duet.EndFarewell || e.Err != nil || e.Stats.BytesOut != 4 || e.Stats.MessagesOut != 1 || e.Stats.MessagesIn != 1 {
							t.Errorf("left as %v (%v) with %+v; want farewell with one message each way", e.Reason, e.Err, e.Stats)
						}
					}
				}
				a.Close()
				<-served
			})
		})
	}
}

func TestEndings(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(peer *duet.Conn, s *duettest.Server)
		want duet.EndReason
	}{
		{"the peer closes", func(p *duet.Conn, _ *duettest.Server) { _ = p.CloseWrite(context.Background()) }, duet.EndPeerClosed},
		{"the server is cut", func(_ *duet.Conn, s *duettest.Server) { _ = s.Server.Close() }, duet.EndShutdown},
		{"the server stops", func(_ *duet.Conn, s *duettest.Server) { go func() { _ = s.Server.Shutdown(context.Background()) }() }, duet.EndShutdown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &desk.Desk{}
			w := watch(t, d)
			s := duettest.NewServer(t, d)
			c := s.Dial(t)
			next(t, w, desk.Arrived)
			tt.end(c, s)
			if e := next(t, w, desk.Left); e.Reason != tt.want {
				t.Errorf("left: %v (%v), want %v", e.Reason, e.Err, tt.want)
			}
		})
	}
}

func TestContextEndsConversation(t *testing.T) {
	d := &desk.Desk{}
	w := watch(t, d)
	_, c := duettest.ConnPair(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- duet.Serve(ctx, c, d) }()
	next(t, w, desk.Arrived)
	cancel()
	if e := next(t, w, desk.Left); e.Reason != duet.EndClosed || e.Err != nil {
		t.Errorf("left: %v, %v", e.Reason, e.Err)
	}
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	if r, _ := c.Result(); r != duet.EndClosed {
		t.Errorf("the conversation ended: %v", r)
	}
}

func TestNobody(t *testing.T) {
	d := &desk.Desk{}
	ctx := t.Context()
	_, entry := d.Entry(7)
	_, _, all := d.DeliverAll(ctx, 7, nil)
	for name, err := range map[string]error{
		"Say": d.Say(ctx, 7, "x"), "SayBytes": d.SayBytes(ctx, 7, nil), "Bye": d.Bye(ctx, 7), "Deliver": d.Deliver(ctx, 7, nil),
		"SetEncoding": d.SetEncoding(7, nil), "SetFraming": d.SetFraming(7, framing.LF), "Entry": entry, "DeliverAll": all,
	} {
		if !errors.Is(err, desk.ErrNobody) {
			t.Errorf("%s: %v, want ErrNobody", name, err)
		}
	}
	if r := d.Roster(); len(r) != 0 {
		t.Errorf("roster %v", r)
	}
}

func TestEncoding(t *testing.T) {
	gb, err := charset.Lookup("gb18030")
	if err != nil {
		t.Fatal(err)
	}
	latin, err := charset.Lookup("latin1")
	if err != nil {
		t.Fatal(err)
	}
	d := &desk.Desk{Encoding: gb}
	w := watch(t, d)
	peer, _ := pair(t, d)
	next(t, w, desk.Arrived)
	send(t, peer, "\xc4\xe3")
	if e := next(t, w, desk.Said); string(e.Text) != "你" || string(e.Body) != "\xc4\xe3" {
		t.Errorf("said %q, body %q", e.Text, e.Body)
	}
	if err := d.Say(t.Context(), 1, "好"); err != nil {
		t.Fatal(err)
	}
	if e := next(t, w, desk.Answered); string(e.Text) != "好" || string(e.Body) != "\xba\xc3" {
		t.Errorf("answered %q, body %q", e.Text, e.Body)
	}
	if err := d.SetEncoding(1, latin); err != nil {
		t.Fatal(err)
	}
	var ue *charset.UnencodableError
	if err := d.Say(t.Context(), 1, "a好"); !errors.As(err, &ue) || ue.Rune != '好' {
		t.Errorf("unencodable: %v", err)
	}
	if err := d.Say(t.Context(), 1, "a\nb"); !errors.Is(err, duet.ErrDelimiter) {
		t.Errorf("delimiter: %v", err)
	}
	if err := d.SayBytes(t.Context(), 1, []byte("\xe9")); err != nil {
		t.Fatal(err)
	}
	if e := next(t, w, desk.Answered); string(e.Text) != "é" {
		t.Errorf("answered %q: something that was refused was told", e.Text)
	}
	if a, b := receive(t, peer), receive(t, peer); a != "\xba\xc3" || b != "\xe9" {
		t.Errorf("the peer got %q and %q", a, b)
	}
}

func TestSaying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk.Desk{}
		w := watch(t, d)
		peer, _ := pair(t, d, func(s *duet.Server) { s.Framing = framing.Auto })
		next(t, w, desk.Arrived)
		nc, err := peer.Raw(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = nc.Write([]byte("welcome\n"))
		if e := next(t, w, desk.Said); string(e.Text) != "welcome" {
			t.Errorf("said %q", e.Text)
		}
		time.Sleep(100 * time.Millisecond) // the pause from which auto learns
		_, _ = nc.Write([]byte("login: "))
		if e := next(t, w, desk.Saying); string(e.Text) != "login: " {
			t.Errorf("saying %q", e.Text)
		}
		if e, err := d.Entry(1); err != nil || string(e.Last) != "welcome" || e.Learned == "" {
			t.Errorf("roster: last %q, learned %q, %v", e.Last, e.Learned, err)
		}
		_, _ = nc.Write([]byte("root\n"))
		if e := next(t, w, desk.Said); string(e.Text) != "login: root" {
			t.Errorf("said %q", e.Text)
		}
		_ = nc.Close()
		next(t, w, desk.Left)
	})
}

func TestRoster(t *testing.T) {
	d := &desk.Desk{}
	w := watch(t, d)
	s := duettest.NewServer(t, d, farewell)
	var conns []*duet.Conn
	for range 3 {
		conns = append(conns, s.Dial(t))
		next(t, w, desk.Arrived)
	}
	send(t, conns[1], strings.Repeat("x", 10_000))
	next(t, w, desk.Said)
	if err := d.SetFraming(2, framing.NUL); err != nil {
		t.Fatal(err)
	}
	r := d.Roster()
	if len(r) != 3 {
		t.Fatalf("%d entries", len(r))
	}
	for i, e := range r {
		if e.Number != uint64(i+1) || e.Peer != conns[i].LocalAddr().String() || e.Since.IsZero() || e.Encoding != "utf-8" || e.Farewell != "bye" {
			t.Errorf("entry %+v", e)
		}
	}
	e := r[1]
	if e.Framing != "nul" || r[0].Framing != "lf" || e.Stats.MessagesIn != 1 || e.LastTime.IsZero() {
		t.Errorf("entry %+v", e)
	}
	if len(e.Last) == 0 || len(e.Last) > 1000 || len(bytes.Trim(e.Last, "x")) > 0 {
		t.Errorf("the roster keeps %d bytes of the last message", len(e.Last))
	}
}

// Two that were dialled have the same number of their own.
func TestNumbersAreApart(t *testing.T) {
	d := &desk.Desk{}
	w := watch(t, d)
	a, servedA := pair(t, d)
	first := next(t, w, desk.Arrived)
	b, _ := pair(t, d)
	second := next(t, w, desk.Arrived)
	if first.Number == second.Number {
		t.Fatalf("both are %d", first.Number)
	}
	send(t, b, "from b")
	if e := next(t, w, desk.Said); e.Number != second.Number {
		t.Errorf("%q came from %d", e.Text, e.Number)
	}
	_ = a.Close()
	<-servedA
	if e := next(t, w, desk.Left); e.Number != first.Number {
		t.Errorf("%d left", e.Number)
	}
	if err := d.Say(t.Context(), second.Number, "to b"); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, b); got != "to b" {
		t.Errorf("b got %q", got)
	}
}
