package duet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/framing"
)

func TestEndReason_C15_Names(t *testing.T) {
	names := "none farewell peer-closed closed idle timeout reset cut too-long slow-peer refused kicked shutdown handler-failed overload"
	for i, name := range strings.Fields(names) {
		r := duet.EndReason(i)
		if r.String() != name {
			t.Errorf("reason %d is called %q, want %q", i, r, name)
		}
		text, err := r.MarshalText()
		if err != nil {
			t.Error(err)
		}
		var back duet.EndReason
		if err := back.UnmarshalText(text); err != nil || back != r {
			t.Errorf("%q came back as %v, %v", text, back, err)
		}
	}
	if s := duet.EndReason(200).String(); s != "reason-200" {
		t.Errorf("an unknown reason is called %q", s)
	}
	var r duet.EndReason
	if r.UnmarshalText([]byte("no such")) == nil {
		t.Error("an unknown name was taken")
	}
}

func TestReasonOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		want duet.EndReason
	}{
		{nil, duet.EndClosed},
		{io.EOF, duet.EndPeerClosed},
		{net.ErrClosed, duet.EndClosed},
		{framing.ErrTooLong, duet.EndTooLong},
		{framing.ErrCut, duet.EndCut},
		{io.ErrUnexpectedEOF, duet.EndCut},
		{duet.ErrSlowPeer, duet.EndSlowPeer},
		{duet.ErrIdle, duet.EndIdle},
		{duet.ErrOverload, duet.EndOverload},
		{duet.ErrKicked, duet.EndKicked},
		{duet.ErrServerClosed, duet.EndShutdown},
		{os.ErrDeadlineExceeded, duet.EndTimeout},
		{syscall.ETIMEDOUT, duet.EndTimeout},
		{syscall.ECONNRESET, duet.EndReset},
		{errors.New("anything"), duet.EndReset},
		{fmt.Errorf("wrapped: %w", &duet.Error{Op: "x", Reason: duet.EndIdle, Err: io.EOF}), duet.EndIdle},
		{&duet.Error{Op: "x", Err: framing.ErrCut}, duet.EndCut},
	} {
		if got := duet.ReasonOf(test.err); got != test.want {
			t.Errorf("%v stands for %v, want %v", test.err, got, test.want)
		}
	}
}

func TestError(t *testing.T) {
	err := error(&duet.Error{Op: "send", Addr: "192.0.2.1:8080", Reason: duet.EndSlowPeer, Err: duet.ErrSlowPeer})
	if s := err.Error(); s != "send 192.0.2.1:8080 (slow-peer): peer does not read" {
		t.Errorf("text %q", s)
	}
	if s := (&duet.Error{Op: "dial", Err: io.EOF}).Error(); s != "dial: EOF" {
		t.Errorf("text %q", s)
	}
	wantErr(t, "Is", err, duet.ErrSlowPeer)
	for r, want := range map[duet.EndReason]bool{duet.EndIdle: true, duet.EndTimeout: true, duet.EndReset: false} {
		if got := (&duet.Error{Reason: r, Err: io.EOF}).Timeout(); got != want {
			t.Errorf("%v is a timeout: %v", r, got)
		}
	}
}

func TestReset(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		if !n.seesResets {
			t.Skip("it knows no reset; its peer's close is the end")
		}
		var h heard
		st := start(t, n, &duet.Server{Handler: &h})
		p := st.peer(t)
		p.say("one\n")
		p.reset()
		e := st.wantEnd(t, duet.EndReset)
		wantErr(t, "cause", e.err, syscall.ECONNRESET)
	})
}

// The reset's error is an *Error with the facts.
func TestReset_Error(t *testing.T) {
	x, y := connect(t, tcp)
	c := new(duet.Dialer).NewConn(x)
	defer c.Close()
	newPeer(t, y).reset()
	_, err := c.Receive(context.Background())
	var de *duet.Error
	if !errors.As(err, &de) || de.Op != "receive" || de.Reason != duet.EndReset || de.Addr != x.RemoteAddr().String() {
		t.Errorf("error %#v", err)
	}
	wantErr(t, "Receive", err, syscall.ECONNRESET)
	if want := fmt.Sprintf("receive %v (reset): connection reset by peer", x.RemoteAddr()); err.Error() != want {
		t.Errorf("text %q, want %q", err, want)
	}
	_, again := c.Receive(context.Background())
	wantErr(t, "a second Receive", again, syscall.ECONNRESET)
}

func TestErrDelimiter_F13(t *testing.T) {
	a, b := two(t, tcp, duet.Dialer{})
	wantErr(t, "Send", a.Send(context.Background(), []byte("x\ny")), duet.ErrDelimiter)
	wantErr(t, "Post", a.Post([]byte("x\ny")), duet.ErrDelimiter)
	wantReason(t, a, duet.EndNone)
	a.Send(context.Background(), []byte("next"))
	wantReceive(t, b, "next")
}

// A peer that never reads, over sockets: the kernel's buffers fill first.
func TestSlowPeer_C13_Sockets(t *testing.T) {
	overSockets(t, func(t *testing.T, n network) {
		x, y := connect(t, n)
		d := duet.Dialer{Options: duet.Options{SendTimeout: 100 * time.Millisecond}}
		c := d.NewConn(x)
		newPeer(t, y)
		body := make([]byte, 1<<20)
		var err error
		for i := 0; i < 64 && err == nil; i++ {
			err = c.Send(context.Background(), body)
		}
		wantErr(t, "Send", err, duet.ErrSlowPeer)
		var de *duet.Error
		if !errors.As(err, &de) || de.Reason != duet.EndSlowPeer {
			t.Errorf("error %#v", err)
		}
		_, err = c.Receive(context.Background())
		wantErr(t, "Receive", err, duet.ErrSlowPeer)
		c.Close()
		wantReason(t, c, duet.EndSlowPeer)
		wantErr(t, "Post after the end", c.Post([]byte("x")), duet.ErrSlowPeer)
	})
}

func TestSlowPeer_C13_QueueFull(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		x, y := connect(t, n)
		d := duet.Dialer{Options: duet.Options{QueueSize: 10 << 10}}
		c := d.NewConn(x)
		newPeer(t, y)
		body := make([]byte, 4<<10)
		var err error
		for i := 0; i < 100_000 && err == nil; i++ {
			err = c.Post(body)
			if q := c.Queued(); q > 10<<10 {
				t.Fatalf("%d bytes are queued, the bound is %d", q, 10<<10)
			}
		}
		wantErr(t, "Post", err, duet.ErrSlowPeer)
		_, err = c.Receive(context.Background())
		wantErr(t, "Receive", err, duet.ErrSlowPeer)
		before := time.Now()
		c.Close()
		if d := time.Since(before); d > 5*time.Second {
			t.Errorf("Close took %v", d)
		}
		wantReason(t, c, duet.EndSlowPeer)
	})
}

// A message larger than the queue is taken when the queue is empty.
func TestPost_LargerThanTheQueue(t *testing.T) {
	x, y := connect(t, tcp)
	d := duet.Dialer{Options: duet.Options{QueueSize: 10}}
	c := d.NewConn(x)
	body := strings.Repeat("x", 100)
	if err := c.Post([]byte(body)); err != nil {
		t.Fatal(err)
	}
	p := newPeer(t, y)
	p.want(body + "\n")
	p.Close()
	c.Close()
}

func TestSend_CancelledBeforeItsFirstByte(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		a, b := two(t, n, duet.Dialer{})
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		wantErr(t, "Send", a.Send(ctx, []byte("never")), context.Canceled)
		wantReason(t, a, duet.EndNone)
		a.Send(context.Background(), []byte("next"))
		wantReceive(t, b, "next")
	})
}

// The first message waits for its peer after its first byte. The one behind it is cancelled in the queue, then the first one itself.
func TestSend_Cancelled_C6(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		x, y := connect(t, n)
		wrote := make(chan struct{})
		d := duet.Dialer{Options: duet.Options{SendTimeout: -1}}
		c := d.NewConn(x)
		ctx, cancel := context.WithCancel(context.Background())
		sent := make(chan error, 1)
		go func() { close(wrote); sent <- c.Send(ctx, make([]byte, 64<<20)) }()
		<-wrote
		p := newPeer(t, y)
		p.want("\x00") // the first byte has left
		short, stop := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer stop()
		wantErr(t, "Send of one that waits", c.Send(short, []byte("never")), context.DeadlineExceeded)
		wantReason(t, c, duet.EndNone)
		cancel()
		wantErr(t, "Send of one that had begun", <-sent, context.Canceled)
		wantReason(t, c, duet.EndCut)
		wantErr(t, "Send after it", c.Send(context.Background(), []byte("x")), context.Canceled)
		_, err := c.Receive(context.Background())
		wantErr(t, "Receive", err, duet.ErrCut)
		c.Close()
		wantReason(t, c, duet.EndCut)
		if n.resets {
			// Half a message must not look like a whole one.
			if _, err := io.Copy(io.Discard, p); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the peer read to %v, want a reset", err)
			}
		}
	})
}

func TestReceive_Closed(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		a, _ := two(t, n, duet.Dialer{Options: duet.Options{CloseTimeout: -1}})
		got := make(chan error, 1)
		go func() {
			_, err := a.Receive(context.Background())
			got <- err
		}()
		a.Close()
		wantErr(t, "Receive", <-got, duet.ErrClosed)
		select {
		case <-a.Done():
		default:
			t.Error("Done is open after Close")
		}
		if err := a.Close(); err != nil {
			t.Errorf("a second Close: %v", err)
		}
		wantErr(t, "Send", a.Send(context.Background(), nil), duet.ErrClosed)
		wantReason(t, a, duet.EndClosed)
	})
}

func TestKick(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		here := make(chan *duet.Conn, 1)
		st := start(t, n, &duet.Server{Options: duet.Options{Farewell: "bye"}, Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
			here <- c
			_, err := c.Receive(ctx)
			wantErr(t, "Receive", err, duet.ErrKicked)
			return err
		})})
		p := st.peer(t)
		(<-here).Kick("")
		p.want("Bye\n")
		p.wantEOF()
		p.Close()
		st.wantEnd(t, duet.EndKicked)
	})
}

// No call changes the result of a closed conversation.
func TestResult_IsFinal(t *testing.T) {
	for _, test := range []struct {
		name  string
		after func(c *duet.Conn)
	}{
		{"Kick", func(c *duet.Conn) { c.Kick("too late") }},
		{"Abort", func(c *duet.Conn) { _ = c.Abort() }},
		{"Close", func(c *duet.Conn) { _ = c.Close() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			here, peer := net.Pipe()
			c := new(duet.Dialer).NewConn(here)
			if err := peer.Close(); err != nil {
				t.Fatal(err)
			}
			_, err := c.Receive(t.Context())
			wantErr(t, "Receive", err, io.EOF)
			if err := c.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			test.after(c)
			_, err = c.Receive(t.Context())
			wantErr(t, "Receive", err, duet.ErrClosed)
			wantErr(t, "Send", c.Send(t.Context(), []byte("x")), duet.ErrClosed)
			if r, _ := c.Result(); r != duet.EndPeerClosed {
				t.Errorf("a conversation that ended as %v became %v", duet.EndPeerClosed, r)
			}
		})
	}
}
