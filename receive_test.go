package duet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/framing"
)

// bodies joins the bodies of messages. A farewell is marked by !.
func bodies(all []duet.Message) string {
	var texts []string
	for _, m := range all {
		text := string(m.Body)
		if m.Farewell {
			text = "!" + text
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "|")
}

// A batch has the messages that have arrived together. It is appended to those that the caller has.
func TestReceiveBatch(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		x, y := connect(t, n)
		p, c := newPeer(t, x), (&duet.Dialer{}).NewConn(y)
		defer c.Close()
		var all []duet.Message
		receive := func(want string) {
			t.Helper()
			var err error
			if all, err = c.ReceiveBatch(t.Context(), all); err != nil || bodies(all) != want {
				t.Errorf("received %q, %v; want %q", bodies(all), err, want)
			}
		}
		p.say("one\ntwo\nthree\nfo")
		receive("one|two|three")
		p.say("ur\n")
		receive("one|two|three|four")
		p.say("five\nsix\n")
		wantReceive(t, c, "five")
		receive("one|two|three|four|six")
		p.Close()
		if _, err := c.ReceiveBatch(t.Context(), nil); err != io.EOF {
			t.Errorf("at the end: %v, want io.EOF", err)
		}
	})
}

// A batch has at most 256 messages, and none after the first 64 KiB.
func TestReceiveBatch_Bounds(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		x, y := connect(t, n)
		p, c := newPeer(t, x), (&duet.Dialer{}).NewConn(y)
		defer c.Close()
		const lines = 1000
		long := strings.Repeat("x", 100<<10)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			p.say(strings.Repeat("short\n", lines) + long + "\n" + "last\n")
		}()
		received, largest := 0, 0
		for {
			batch, err := c.ReceiveBatch(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			received += len(batch)
			largest = max(largest, len(batch))
			size := 0
			for _, m := range batch[:len(batch)-1] {
				size += len(m.Body)
			}
			if len(batch) > 256 || size >= 64<<10 {
				t.Errorf("a batch of %d messages, with %d bytes before the last", len(batch), size)
			}
			if string(batch[len(batch)-1].Body) == "last" {
				break
			}
		}
		if received != lines+2 || largest < 2 {
			t.Errorf("received %d messages, at most %d at a time", received, largest)
		}
		<-sent
		p.Close()
	})
}

func TestReceiveBatch_Farewell(t *testing.T) {
	for shown, want := range map[bool]string{true: "one|!bye", false: "one"} {
		overEach(t, func(t *testing.T, n network) {
			x, y := connect(t, n)
			d := duet.Dialer{Options: duet.Options{Farewell: "bye", ShowFarewell: shown}}
			p, c := newPeer(t, x), d.NewConn(y)
			defer c.Close()
			p.say("one\nbye\ntwo\n")
			if batch, err := c.ReceiveBatch(t.Context(), nil); err != nil || bodies(batch) != want {
				t.Errorf("with ShowFarewell %t received %q, %v; want %q", shown, bodies(batch), err, want)
			}
			wantEOF(t, c)
			p.Close()
		})
	}
}

// A batch has whole messages only, though a part has been shown.
func TestReceiveBatch_Partial(t *testing.T) {
	inMemory(t, duet.Dialer{Options: duet.Options{Framing: framing.Auto}}, func(t *testing.T, c *duet.Conn, p net.Conn) {
		io.WriteString(p, "one\ntwo\n")
		receive := func(want string) {
			t.Helper()
			if batch, err := c.ReceiveBatch(t.Context(), nil); err != nil || bodies(batch) != want {
				t.Errorf("received %q, %v; want %q", bodies(batch), err, want)
			}
		}
		receive("one|two")
		partial := make(chan duet.Message, 1)
		go func() {
			m, _ := c.ReceivePartial(t.Context())
			partial <- m
		}()
		time.Sleep(time.Second)
		io.WriteString(p, "part")
		if m := <-partial; string(m.Body) != "part" || !m.Partial {
			t.Errorf("received %q (partial %t)", m.Body, m.Partial)
		}
		time.AfterFunc(100*time.Millisecond, func() { io.WriteString(p, "ial\nlast\n") })
		receive("partial|last")
	})
}

// A batch that was waited for in vain loses nothing: the next one has what has arrived.
func TestReceiveBatch_Cancelled(t *testing.T) {
	x, y := connect(t, memory)
	p, c := newPeer(t, x), new(duet.Dialer).NewConn(y)
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	one := []duet.Message{{Body: []byte("had")}}
	if batch, err := c.ReceiveBatch(ctx, one); !errors.Is(err, context.Canceled) || bodies(batch) != "had" {
		t.Errorf("received %q, %v; want what the caller had, and context.Canceled", bodies(batch), err)
	}
	p.say("one\n")
	if batch, err := c.ReceiveBatch(t.Context(), one); err != nil || bodies(batch) != "had|one" {
		t.Errorf("received %q, %v", bodies(batch), err)
	}
	p.Close()
}
