package duet_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/framing"
)

// TestPeers plays plain peers against a server that listens.
func TestPeers(t *testing.T) {
	tests := []struct {
		name   string
		server *duet.Server
		peer   func(p *peer)
		heard  string
		end    duet.EndReason
	}{
		{"C-1 greeting", &duet.Server{Greeting: "Can I help you?"}, func(p *peer) {
			p.want("Can I help you?\n")
			p.fin()
			p.wantEOF()
		}, "", duet.EndPeerClosed},
		{"C-1 greeting of several lines", &duet.Server{Greeting: "one\r\n\ntwo\n", Options: duet.Options{Framing: framing.CRLF}}, func(p *peer) {
			p.want("one\r\n\r\ntwo\r\n")
			p.fin()
			p.wantEOF()
		}, "", duet.EndPeerClosed},
		{"C-1 greeting that is one message all the same", &duet.Server{Greeting: "one\ntwo\n", Options: duet.Options{Framing: framing.NUL}}, func(p *peer) {
			p.want("one\ntwo\n\x00")
			p.fin()
			p.wantEOF()
		}, "", duet.EndPeerClosed},
		{"C-1 greeting that cannot be sent", &duet.Server{Greeting: "one\x00two", Options: duet.Options{Framing: framing.NUL}}, func(p *peer) {
			p.wantEOF()
		}, "", duet.EndHandlerFailed},
		{"C-1 no greeting", &duet.Server{}, func(p *peer) {
			p.fin()
			p.wantEOF()
		}, "", duet.EndPeerClosed},
		{"C-6 messages in order", &duet.Server{}, func(p *peer) {
			p.say("one\ntwo\r\n\nfo")
			p.say("ur\n")
			p.fin()
			p.wantEOF()
		}, "one|two||four", duet.EndPeerClosed},
		{"C-9 a last message without a delimiter", &duet.Server{}, func(p *peer) {
			p.say("one\ntwo")
			p.fin()
			p.wantEOF()
		}, "one|two", duet.EndPeerClosed},
		{"C-2 farewell", &duet.Server{Options: duet.Options{Farewell: "bye"}}, func(p *peer) {
			p.say("hello\nbye\n")
			p.want("Bye\n")
			p.wantEOF()
		}, "hello|!bye", duet.EndFarewell},
		{"C-2 farewell in any case, with blanks and CRLF", &duet.Server{Options: duet.Options{Farewell: "bye"}}, func(p *peer) {
			p.say(" \t ByE  \r\n")
			p.want("Bye\n")
			p.wantEOF()
		}, "! \t ByE  ", duet.EndFarewell},
		{"C-2 farewell among many blanks", &duet.Server{Options: duet.Options{Farewell: "bye"}}, func(p *peer) {
			p.say(strings.Repeat(" ", 500) + "bye\n")
			p.want("Bye\n")
			p.wantEOF()
		}, "!" + strings.Repeat(" ", 500) + "bye", duet.EndFarewell},
		{"C-2 bye in a sentence is text", &duet.Server{Options: duet.Options{Farewell: "bye"}}, func(p *peer) {
			p.say("bye bye\ngoodbye\nbye, all\n")
			p.fin()
			p.wantEOF()
		}, "bye bye|goodbye|bye, all", duet.EndPeerClosed},
		{"C-2 another word", &duet.Server{Options: duet.Options{Farewell: "再见"}}, func(p *peer) {
			p.say("bye\n再见\n")
			p.want("再见\n")
			p.wantEOF()
		}, "bye|!再见", duet.EndFarewell},
		{"C-2 no word", &duet.Server{}, func(p *peer) {
			p.say("bye\n")
			p.fin()
			p.wantEOF()
		}, "bye", duet.EndPeerClosed},
		{"C-2 farewell at the peer's close", &duet.Server{Options: duet.Options{Farewell: "bye"}}, func(p *peer) {
			p.say("bye")
			p.fin()
			p.want("Bye\n")
			p.wantEOF()
		}, "!bye", duet.EndFarewell},
		{"C-3 answered once", &duet.Server{Options: duet.Options{Farewell: "bye"}}, func(p *peer) {
			p.say("bye\nbye\n")
			p.want("Bye\n")
			p.wantEOF()
		}, "!bye", duet.EndFarewell},
		{"C-5 nothing after the peer's farewell", &duet.Server{Options: duet.Options{Farewell: "bye"}}, func(p *peer) {
			p.say("one\nbye\ntwo\n")
			p.want("Bye\n")
			p.wantEOF()
			p.say("three\n")
		}, "one|!bye", duet.EndFarewell},
		{"C-5 a fault after the peer's farewell", &duet.Server{Options: duet.Options{Farewell: "bye", MaxMessage: 8}}, func(p *peer) {
			p.say("one\nbye\n123456789\n")
			p.want("Bye\n")
			p.wantEOF()
		}, "one|!bye", duet.EndFarewell},
		{"C-5 a peer that closes at once", &duet.Server{Options: duet.Options{Farewell: "bye"}}, func(p *peer) {
			p.say("bye\n")
			p.Close()
		}, "!bye", duet.EndFarewell},
		{"C-3 a bare farewell in auto", &duet.Server{Options: duet.Options{Farewell: "bye", Framing: framing.Auto}}, func(p *peer) {
			p.say("bye")
			p.want("Bye")
			p.wantEOF()
		}, "!bye", duet.EndFarewell},
		{"C-3 a bare farewell in raw", &duet.Server{Options: duet.Options{Farewell: "bye", Framing: framing.Raw}}, func(p *peer) {
			p.say("bye")
			p.want("Bye")
			p.wantEOF()
		}, "!bye", duet.EndFarewell},
		{"C-3 a bare farewell and a close in auto", &duet.Server{Options: duet.Options{Farewell: "bye", Framing: framing.Auto}}, func(p *peer) {
			p.say("bye")
			p.fin()
			p.want("Bye")
			p.wantEOF()
		}, "!bye", duet.EndFarewell},
		{"F-5 length", &duet.Server{Options: duet.Options{Farewell: "bye", Framing: framing.Length}}, func(p *peer) {
			p.say("\x00\x00\x00\x02hi\x00\x00\x00\x03bye")
			p.want("\x00\x00\x00\x03Bye")
			p.wantEOF()
		}, "hi|!bye", duet.EndFarewell},
		{"F-14 length, cut", &duet.Server{Options: duet.Options{Framing: framing.Length}}, func(p *peer) {
			p.say("\x00\x00\x00\x02hi\x00\x00\x00\x03by")
			p.fin()
			p.wantEOF()
		}, "hi", duet.EndCut},
		{"F-3 too long", &duet.Server{Options: duet.Options{MaxMessage: 8}}, func(p *peer) {
			p.say("12345678\n123456789\n")
			p.wantEOF()
		}, "12345678", duet.EndTooLong},
		{"C-5 a farewell that cannot be sent", &duet.Server{Options: duet.Options{Farewell: "good\nbye", Framing: framing.CR}}, func(p *peer) {
			p.say("good\nbye\r")
			p.want("good\nbye\r")
			p.wantEOF()
		}, "!good\nbye", duet.EndFarewell},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			overEach(t, func(t *testing.T, n network) {
				withoutFarewell := test.heard
				if i := strings.IndexByte(withoutFarewell, '!'); i >= 0 {
					withoutFarewell = strings.TrimSuffix(withoutFarewell[:i], "|")
				}
				for shown, want := range map[bool]string{true: test.heard, false: withoutFarewell} {
					var h heard
					s := &duet.Server{
						Handler: &h, Greeting: test.server.Greeting, Options: duet.Options{
							Farewell: test.server.Farewell, ShowFarewell: shown,
							Framing: test.server.Framing, MaxMessage: test.server.MaxMessage,
						},
					}
					st := start(t, n, s)
					p := st.peer(t)
					test.peer(p)
					p.Close()
					st.wantEnd(t, test.end)
					if got := h.all(); got != want {
						t.Errorf("with ShowFarewell %t heard %q, want %q", shown, got, want)
					}
				}
			})
		})
	}
}

// A farewell that the framing cannot carry is left out. The half-close ends the conversation.
func TestFarewell_C5_WithDelimiter(t *testing.T) {
	x, y := connect(t, tcp)
	d := duet.Dialer{Options: duet.Options{Farewell: "good\nbye"}}
	c := d.NewConn(x)
	p := newPeer(t, y)
	if err := c.SayBye(t.Context()); err != nil {
		t.Errorf("SayBye: %v", err)
	}
	p.wantEOF()
	p.Close()
	wantEOF(t, c)
	c.Close()
	wantReason(t, c, duet.EndFarewell)
}

func TestSayBye_C3_PeerAnswers(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		d := duet.Dialer{Options: duet.Options{Farewell: "bye", ShowFarewell: true}}
		a, b := two(t, n, d)
		if err := a.SayBye(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := a.SayBye(t.Context()); err != nil {
			t.Errorf("a second SayBye: %v", err)
		}
		if err := a.PostBye(); err != nil {
			t.Errorf("a third farewell: %v", err)
		}
		wantReceive(t, b, "bye")
		wantReceive(t, a, "Bye")
		wantEOF(t, b)
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		wantEOF(t, a)
		a.Close()
		wantReason(t, a, duet.EndFarewell)
		wantReason(t, b, duet.EndFarewell)
		if out := a.Stats().MessagesOut; out != 1 {
			t.Errorf("sent %d messages, want the farewell alone", out)
		}
		wantErr(t, "Send after the farewell", a.Send(context.Background(), []byte("x")), duet.ErrClosed)
	})
}

func TestSayBye_C3_BothAtOnce(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		for range 10 {
			a, b := two(t, n, duet.Dialer{Options: duet.Options{Farewell: "bye", ShowFarewell: true}})
			var wg sync.WaitGroup
			for _, c := range []*duet.Conn{a, b} {
				wg.Go(func() {
					if err := c.SayBye(t.Context()); err != nil {
						t.Errorf("SayBye: %v", err)
					}
					m, err := c.Receive(context.Background())
					if err != nil || !m.Farewell {
						t.Errorf("received %q, %v; want the other's farewell", m.Body, err)
					}
					wantEOF(t, c)
					c.Close()
					wantReason(t, c, duet.EndFarewell)
					if s := c.Stats(); s.MessagesOut != 1 || s.MessagesIn != 1 {
						t.Errorf("%+v: want one farewell each way", s)
					}
				})
			}
			wg.Wait()
		}
	})
}

// The peer ignores the farewell: the close timeout bounds the wait.
func TestSayBye_C11_PeerIgnoresIt(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		x, y := connect(t, n)
		d := duet.Dialer{Options: duet.Options{Farewell: "bye", CloseTimeout: 50 * time.Millisecond}}
		c := d.NewConn(x)
		p := newPeer(t, y)
		c.SayBye(t.Context())
		p.want("bye\n")
		p.say("no\n")
		wantReceive(t, c, "no")
		wantEOF(t, c)
		before := time.Now()
		c.Close()
		if d := time.Since(before); d > 5*time.Second {
			t.Errorf("Close took %v", d)
		}
		wantReason(t, c, duet.EndFarewell)
	})
}

// After its own farewell, this side receives until the peer's farewell, or its end.
func TestSayBye_C5_ReceivesOn(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		for answer, want := range map[string]string{"Bye\nnot this\n": "more|!Bye", "": "more"} {
			var h heard
			st := start(t, n, &duet.Server{Options: duet.Options{Farewell: "bye", ShowFarewell: true}, Handler: handle(func(ctx context.Context, c *duet.Conn) error {
				if err := c.SayBye(ctx); err != nil {
					t.Errorf("SayBye: %v", err)
				}
				return h.ServeConn(ctx, c)
			})})
			p := st.peer(t)
			p.want("bye\n")
			p.say("more\n" + answer)
			p.fin()
			p.wantEOF()
			p.Close()
			st.wantEnd(t, duet.EndFarewell)
			if got := h.all(); got != want {
				t.Errorf("after the answer %q heard %q, want %q", answer, got, want)
			}
		}
	})
}

// A handler need not wait for the peer's end after its farewell. The close throws away what the peer still sends, and the trace sees it.
func TestReceive_C5_EndsAtFarewell(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		received := make(chan duet.Message, 10)
		returned := make(chan error, 1)
		st := start(t, n, &duet.Server{
			Options: duet.Options{Farewell: "bye", Trace: &duet.Trace{
				Received: func(_ *duet.Conn, m duet.Message) { received <- m },
			}},
			Handler: handle(func(ctx context.Context, c *duet.Conn) error {
				m, err := c.Receive(ctx)
				if reason, _ := c.Result(); err != io.EOF || reason != duet.EndFarewell {
					t.Errorf("received %q, %v, ending as %v; want io.EOF at the farewell", m.Body, err, reason)
				}
				wantEOF(t, c)
				if in := c.Stats().MessagesIn; in != 1 {
					t.Errorf("%d messages in, want the farewell", in)
				}
				wantErr(t, "Send", c.Send(ctx, []byte("late")), duet.ErrClosed)
				returned <- nil
				return err
			}),
		})
		p := st.peer(t)
		p.say("bye\n")
		<-returned // the peer has not ended
		p.want("Bye\n")
		p.Close()
		st.wantEnd(t, duet.EndFarewell)
		if m := <-received; string(m.Body) != "bye" || !m.Farewell || len(received) > 0 {
			t.Errorf("the trace received %q (farewell %t) and %d more", m.Body, m.Farewell, len(received))
		}
	})
}

func TestHalfClose_C9(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		if !n.halfCloses {
			t.Skip("see TestCloseWrite_WithoutHalfClose")
		}
		a, b := two(t, n, duet.Dialer{})
		ctx := context.Background()
		a.Send(ctx, []byte("question"))
		if err := a.CloseWrite(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantReceive(t, b, "question")
		wantEOF(t, b)
		wantReason(t, b, duet.EndPeerClosed)
		wantErr(t, "Send after CloseWrite", a.Send(ctx, []byte("x")), duet.ErrClosed)
		wantErr(t, "Post after CloseWrite", a.Post([]byte("x")), duet.ErrClosed)
		// The other direction is open.
		for i := range 3 {
			if err := b.Send(ctx, []byte(fmt.Sprint("answer", i))); err != nil {
				t.Fatal(err)
			}
		}
		b.Close()
		for i := range 3 {
			wantReceive(t, a, fmt.Sprint("answer", i))
		}
		wantEOF(t, a)
		a.Close()
		wantReason(t, a, duet.EndPeerClosed)
		wantReason(t, b, duet.EndPeerClosed)
	})
}

func TestMessages(t *testing.T) {
	a, b := two(t, tcp, duet.Dialer{})
	go func() {
		for i := range 5 {
			a.Post([]byte(fmt.Sprint(i)))
		}
		a.Close()
	}()
	i := 0
	for m, err := range b.Messages(context.Background()) {
		if err != nil || string(m.Body) != fmt.Sprint(i) {
			t.Errorf("message %d: %q, %v", i, m.Body, err)
		}
		i++
	}
	if i != 5 {
		t.Errorf("%d messages, want 5", i)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, err := range a.Messages(ctx) {
		if err == nil || err == io.EOF {
			t.Errorf("error %v, want one at the end of a conversation that this side closed", err)
		}
	}
}
