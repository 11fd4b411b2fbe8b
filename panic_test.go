package duet_test

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"duet.example/duet"
)

// panicsOnce is a Trace with one func, which panics when it is called for the first time.
func panicsOnce(name string) *duet.Trace {
	t := &duet.Trace{}
	f := reflect.ValueOf(t).Elem().FieldByName(name)
	var called atomic.Bool
	f.Set(reflect.MakeFunc(f.Type(), func([]reflect.Value) []reflect.Value {
		if !called.Swap(true) {
			explode()
		}
		return nil
	}))
	return t
}

// answering is a handler that answers each line. The line `time out` ends the conversation with a reset.
func answering(ctx context.Context, c *duet.Conn) error {
	for {
		m, err := c.Receive(ctx)
		if err != nil {
			return err
		}
		if string(m.Body) == "time out" {
			return &duet.Error{Op: "play", Reason: duet.EndTimeout, Err: os.ErrDeadlineExceeded}
		}
		if err := c.Send(ctx, m.Body); err != nil {
			return err
		}
	}
}

// A Trace func that panics ends its conversation and nothing else. The log has the stack.
func TestTrace_Panics(t *testing.T) {
	say := func(words string) func(p *peer) {
		return func(p *peer) {
			p.say(words)
			_ = p.Conn.(*net.TCPConn).CloseWrite() // fails after a reset
			_, _ = io.Copy(io.Discard, p)
		}
	}
	tests := map[string]struct {
		peer func(p *peer)  // the behaviour of the first peer
		end  duet.EndReason // how its conversation ends; EndNone if there is none
	}{
		"ConnStart":     {say(""), duet.EndHandlerFailed},
		"ConnEnd":       {say("hello\n"), duet.EndPeerClosed},
		"Refused":       {func(p *peer) { p.wantEOF() }, duet.EndNone},
		"Read":          {say("hello\n"), duet.EndHandlerFailed},
		"Wrote":         {func(p *peer) { p.want("hi\n"); p.wantEOF() }, duet.EndHandlerFailed},
		"HalfClosed":    {say("hello\n"), duet.EndHandlerFailed},
		"Reset":         {say("time out\n"), duet.EndTimeout},
		"Closed":        {say("hello\n"), duet.EndHandlerFailed},
		"Received":      {say("hello\n"), duet.EndHandlerFailed},
		"Sent":          {func(p *peer) { p.want("hi\n"); p.wantEOF() }, duet.EndHandlerFailed},
		"WrongProtocol": {say("GET / HTTP/1.1\r\n"), duet.EndHandlerFailed},
		"AcceptPaused":  {nil, duet.EndNone},
	}
	for field := range reflect.TypeFor[duet.Trace]().Fields() {
		t.Run(field.Name, func(t *testing.T) {
			test, known := tests[field.Name]
			if !known {
				t.Fatal("no test has this func panic")
			}
			var log logBuffer
			var refused atomic.Bool
			s := &duet.Server{Greeting: "hi", Logger: log.logger(), Options: duet.Options{Trace: panicsOnce(field.Name)}, Handler: duet.HandlerFunc(answering)}
			n := tcp
			switch field.Name {
			case "Refused":
				s.Admit = func(context.Context, net.Addr) error {
					if !refused.Swap(true) {
						return errors.New("not you")
					}
					return nil
				}
			case "AcceptPaused":
				n.listen = func(t *testing.T) (net.Listener, func() (net.Conn, error)) {
					l, dial := tcp.listen(t)
					return &failing{l, 1, syscall.EMFILE}, dial
				}
			}
			st := start(t, n, s)
			if test.peer != nil {
				p := st.peer(t)
				test.peer(p)
				p.Close()
			}
			if test.end != duet.EndNone {
				e := st.wantEnd(t, test.end)
				var pe *duet.PanicError
				if failed := test.end == duet.EndHandlerFailed; errors.As(e.err, &pe) != failed || failed && pe.Value != "boom" {
					t.Errorf("the cause is %v", e.err)
				}
			}
			next := st.peer(t)
			next.want("hi\n")
			next.say("still here\n")
			next.want("still here\n")
			next.fin()
			next.wantEOF()
			next.Close()
			st.wantEnd(t, duet.EndPeerClosed)
			if len(st.ends) != 0 {
				t.Errorf("ConnEnd was called once more: %v", <-st.ends)
			}
			for _, want := range []string{"boom", "duet_test.explode", "Trace." + field.Name} {
				// ConnEnd is logged after st has heard of the end.
				waitFor(t, func() bool { return strings.Contains(log.String(), want) })
			}
		})
	}
}

// Calls that wait in the conversation fail with the panic, and so do later ones. Done is closed, and ConnEnd is called.
func TestTrace_PanicEndsWhatWaits(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		var pe *duet.PanicError
		wantPanic := func(call string, err error) {
			t.Helper()
			var de *duet.Error
			if !errors.As(err, &de) || de.Reason != duet.EndHandlerFailed || !errors.As(err, &pe) || pe.Value != "boom" {
				t.Errorf("%s: error %v, want the panic", call, err)
			}
		}
		here := make(chan *duet.Conn, 1)
		st := start(t, n, &duet.Server{Options: duet.Options{Trace: panicsOnce("Sent")}, Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
			here <- c
			_, err := c.Receive(ctx)
			wantPanic("Receive", err)
			wantPanic("Send", c.Send(ctx, []byte("x")))
			wantPanic("Post", c.Post([]byte("x")))
			return err
		})})
		p := st.peer(t)
		c := <-here
		if err := c.Post([]byte("posted")); err != nil {
			t.Fatal(err)
		}
		p.want("posted\n") // a message on its way is not cut off
		p.wantEOF()
		p.Close()
		<-c.Done()
		e := st.wantEnd(t, duet.EndHandlerFailed)
		if e.err != pe {
			t.Errorf("the cause is %v", e.err)
		}
		if s := e.err.Error(); s != "Trace.Sent panicked: boom" {
			t.Errorf("text %q", s)
		}
	})
}

// A Trace that panics at each message is logged once per conversation, because a peer must not fill the log.
func TestTrace_PanicsAgain(t *testing.T) {
	var log logBuffer
	st := start(t, tcp, &duet.Server{Logger: log.logger(), Options: duet.Options{Trace: &duet.Trace{Received: func(*duet.Conn, duet.Message) { explode() }}}})
	p := st.peer(t)
	p.say(strings.Repeat("x\n", 1000))
	p.fin()
	p.wantEOF()
	st.wantEnd(t, duet.EndHandlerFailed)
	if n := strings.Count(log.String(), "conversation=1"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// A conversation that was dialled has the default log.
func TestTrace_PanicDialled(t *testing.T) {
	var buf logBuffer
	old := slog.Default()
	slog.SetDefault(buf.logger())
	defer func() {
		slog.SetDefault(old)
		log.SetOutput(os.Stderr)
	}()
	overEach(t, func(t *testing.T, n network) {
		x, y := connect(t, n)
		d := duet.Dialer{Options: duet.Options{Trace: panicsOnce("ConnStart")}}
		c := d.NewConn(x)
		newPeer(t, y).fin()
		_, err := c.Receive(context.Background())
		var pe *duet.PanicError
		if !errors.As(err, &pe) {
			t.Errorf("Receive: %v", err)
		}
		c.Close()
		wantReason(t, c, duet.EndHandlerFailed)
		if !strings.Contains(buf.String(), "duet_test.explode") {
			t.Errorf("the log says\n%s", buf.String())
		}
	})
}

// A bomb is a source that panics.
type bomb struct{ next, end bool }

func (b *bomb) Next() ([]byte, int, error) {
	if b.next {
		explode()
	}
	return nil, 0, nil
}

func (b *bomb) Detached() {
	if b.end {
		explode()
	}
}

// A source that panics ends its own conversation, not that of the goroutine that wakes it, and nothing else.
func TestSourcePanics(t *testing.T) {
	for _, test := range []struct {
		name  string
		bomb  bomb
		where string
	}{
		{"Next", bomb{next: true}, "Source.Next"},
		{"Detached", bomb{end: true}, "Source.Detached"},
	} {
		t.Run(test.name, func(t *testing.T) {
			overEach(t, func(t *testing.T, n network) {
				var log logBuffer
				type attached struct {
					*duet.Conn
					feed *duet.Feed
				}
				here := make(chan attached, 1)
				st := start(t, n, &duet.Server{Logger: log.logger(), Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
					if c.ID() == 1 {
						here <- attached{c, c.Attach(&test.bomb)}
						_, err := c.Receive(ctx)
						return err
					}
					m, err := c.Receive(ctx)
					if err != nil {
						return err
					}
					first := <-here
					first.feed.Wake()
					if test.bomb.end {
						first.Kick("")
						<-first.Done()
					}
					_ = c.Send(ctx, m.Body)
					_, err = c.Receive(ctx)
					return err
				})})
				first := st.peer(t)
				waitFor(t, func() bool { return len(here) == 1 })
				other := st.peer(t)
				other.say("hello\n")
				_, _ = io.Copy(io.Discard, first)
				first.Close()
				if test.bomb.next {
					e := st.wantEnd(t, duet.EndHandlerFailed)
					var pe *duet.PanicError
					if !errors.As(e.err, &pe) || !strings.Contains(string(pe.Stack), "duet_test.explode") {
						t.Errorf("the cause is %v", e.err)
					}
				} else {
					st.wantEnd(t, duet.EndKicked)
				}
				other.want("hello\n")
				other.fin()
				other.wantEOF()
				st.wantEnd(t, duet.EndPeerClosed)
				for _, want := range []string{"boom", "duet_test.explode", test.where, "conversation=1"} {
					if !strings.Contains(log.String(), want) {
						t.Errorf("the log does not say %q:\n%s", want, log.String())
					}
				}
			})
		})
	}
}

// Any other error of a source also ends the conversation, while its handler waits.
func TestSourceFails_AnyError(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		failed := errors.New("the well is dry")
		w := &well{}
		st, _, _ := fed(t, n, w, &duet.Server{})
		w.fail(failed)
		w.feed.Wake()
		if e := st.wantEnd(t, duet.EndReset); !errors.Is(e.err, failed) {
			t.Errorf("cause %v", e.err)
		}
	})
}

func TestReasonOf_Panic(t *testing.T) {
	for _, err := range []error{&duet.PanicError{Value: "x"}, &duet.Error{Op: "receive", Err: &duet.PanicError{Value: io.EOF}}} {
		if r := duet.ReasonOf(err); r != duet.EndHandlerFailed {
			t.Errorf("%v stands for %v", err, r)
		}
	}
}
