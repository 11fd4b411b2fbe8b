package duet_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"duet.example/duet"
	"duet.example/duet/framing"
)

func TestTrace(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		var calls heard
		note := func(format string, a ...any) { calls.add(fmt.Sprintf(format, a...)) }
		s := &duet.Server{Greeting: "hi", Options: duet.Options{Farewell: "bye"}, Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
			for _, err := range c.Messages(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		})}
		s.Trace = &duet.Trace{
			ConnStart:  func(c *duet.Conn) { note("start %d", c.ID()) },
			ConnEnd:    func(c *duet.Conn, r duet.EndReason, err error) { note("end %v %v", r, err) },
			Read:       func(_ *duet.Conn, n int, err error) { note("read %d %v", n, err) },
			Wrote:      func(_ *duet.Conn, n int, err error) { note("wrote %d %v", n, err) },
			HalfClosed: func(_ *duet.Conn, err error) { note("half-closed %v", err) },
			Closed:     func(_ *duet.Conn, unread bool, err error) { note("closed %v %v", unread, err) },
			Received:   func(_ *duet.Conn, m duet.Message) { note("received %s", m.Body) },
			Sent:       func(_ *duet.Conn, body []byte) { note("sent %s", body) },
		}
		st := start(t, n, s)
		p := st.peer(t)
		p.want("hi\n")
		p.say("bye\n")
		p.want("Bye\n")
		p.wantEOF()
		p.Close()
		st.wantEnd(t, duet.EndFarewell)
		// The writer and the receiver call the trace at the same time. The end comes after both.
		got := calls.all()
		finished, end := "", "" // a connection without half-close does not see the peer's end either
		if n.halfCloses {
			finished, end = "half-closed <nil>|", "read 0 EOF|"
		}
		for words, want := range map[string]string{
			"wrote|sent|half-closed|closed|end":  "wrote 3 <nil>|sent hi|wrote 4 <nil>|sent Bye|" + finished + "closed false <nil>|end farewell <nil>",
			"start|read|received|sent hi|closed": "start 1|sent hi|read 4 <nil>|received bye|" + end + "closed false <nil>",
		} {
			if got := only(got, words); got != want {
				t.Errorf("called\n%s, want\n%s", got, want)
			}
		}
	})
}

// only returns the calls that begin with one of words. Both are lists with bars between.
func only(calls, words string) string {
	var left []string
	for call := range strings.SplitSeq(calls, "|") {
		for word := range strings.SplitSeq(words, "|") {
			if strings.HasPrefix(call, word+" ") || call == word {
				left = append(left, call)
			}
		}
	}
	return strings.Join(left, "|")
}

// Closed reports bytes that were not read: the system sends a reset then. [C-11]
func TestTrace_Unread(t *testing.T) {
	for _, unread := range []bool{false, true} {
		t.Run(fmt.Sprint(unread), func(t *testing.T) {
			x, y := connect(t, tcp)
			closed := make(chan bool, 1)
			d := duet.Dialer{Options: duet.Options{CloseTimeout: -1, Trace: &duet.Trace{
				Closed: func(_ *duet.Conn, unread bool, _ error) { closed <- unread },
			}}}
			c := d.NewConn(x)
			p := newPeer(t, y)
			p.say("read\n")
			wantReceive(t, c, "read")
			if unread {
				p.say("unread\n")
			}
			c.Close()
			if got := <-closed; got != unread {
				t.Errorf("unread: %v", got)
			}
		})
	}
}

func TestTrace_WrongProtocol(t *testing.T) {
	for _, test := range []struct{ say, want string }{
		{"\x16\x03\x01\x02\x00\x01\x00", "TLS"},
		{"\x15\x03\x03\x00\x02\x02\x28", "TLS"},
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP"},
		{"HTTP/1.1 400 Bad Request\r\n", "HTTP"},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP"},
		{"SSH-2.0-OpenSSH_9.9\r\n", "SSH"},
		{"GET well soon\r\n", ""},
		{"hello\n", ""},
		{"\x16", ""},
	} {
		t.Run(test.say, func(t *testing.T) {
			x, y := connect(t, memory)
			protocol := ""
			d := duet.Dialer{Options: duet.Options{Framing: framing.Raw, Trace: &duet.Trace{WrongProtocol: func(_ *duet.Conn, p string) { protocol += p }}}}
			c := d.NewConn(x)
			p := newPeer(t, y)
			p.say(test.say)
			wantReceive(t, c, test.say)
			p.say("GET / HTTP/1.1\r\n") // only the first bytes count
			wantReceive(t, c, "GET / HTTP/1.1\r\n")
			p.Close()
			c.Close()
			if protocol != test.want {
				t.Errorf("WrongProtocol is called with %q, want %q", protocol, test.want)
			}
		})
	}
}

// Joined traces are called in order, every func of them.
func TestJoinTraces(t *testing.T) {
	if duet.JoinTraces() != nil || duet.JoinTraces(nil, nil) != nil {
		t.Error("no trace became one")
	}
	one := &duet.Trace{}
	if duet.JoinTraces(nil, one, nil) != one {
		t.Error("one trace became another")
	}
	var order []string
	full := func(name string) *duet.Trace {
		tr := &duet.Trace{}
		v := reflect.ValueOf(tr).Elem()
		for i := range v.NumField() {
			f := v.Field(i)
			f.Set(reflect.MakeFunc(f.Type(), func([]reflect.Value) []reflect.Value {
				order = append(order, name)
				return nil
			}))
		}
		return tr
	}
	joined := reflect.ValueOf(duet.JoinTraces(full("a"), one, full("b"))).Elem()
	for i := range joined.NumField() {
		order = nil
		f := joined.Field(i)
		args := make([]reflect.Value, f.Type().NumIn())
		for k := range args {
			args[k] = reflect.Zero(f.Type().In(k))
		}
		f.Call(args)
		if got := fmt.Sprint(order); got != "[a b]" {
			t.Errorf("%s: called %s", joined.Type().Field(i).Name, got)
		}
	}
}
