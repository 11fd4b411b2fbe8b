package duet_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
	"duet.example/duet/framing"
)

// allFramings are the framings that a conversation can have.
var allFramings = []framing.Framing{
	framing.Auto, framing.Raw, framing.LF, framing.CRLF, framing.CR, framing.NUL, framing.Length,
}

// trickyBytes returns n bytes with everything that a framing could take for a delimiter or a farewell.
func trickyBytes(n int) []byte {
	all := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{1})
	rng.Read(all)
	for at := 0; at+20 < n; at += 1000 {
		copy(all[at:], "\r\nbye\r\nbye\n\x00bye\x00\r\r\n")
	}
	copy(all, "bye\n")
	copy(all[n-4:], "\nbye")
	return all
}

// Raw bytes leave unchanged in every framing, in order with messages.
func TestSendRaw(t *testing.T) {
	for _, f := range allFramings {
		t.Run(f.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, y := duettest.Pipe()
				var traced []string
				d := duet.Dialer{Options: duet.Options{Framing: f, Farewell: "bye", Trace: &duet.Trace{
					Sent: func(_ *duet.Conn, b []byte) { traced = append(traced, string(b)) },
				}}}
				c := d.NewConn(x)
				before := messageOnWire(t, f, "before")
				if err := c.Send(t.Context(), []byte("before")); err != nil {
					t.Fatal(err)
				}
				for _, b := range []string{"\x02A\x03", "bye\r\n\x00", ""} {
					if err := c.SendRaw(t.Context(), []byte(b)); err != nil {
						t.Errorf("SendRaw(%q): %v", b, err)
					}
				}
				if err := c.PostRaw([]byte("\n")); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				want := before + "\x02A\x03bye\r\n\x00\n"
				newPeer(t, y).want(want)
				if s := c.Stats(); s.BytesOut != int64(len(want)) || s.MessagesOut != 1 {
					t.Errorf("%d bytes in %d messages are counted, want %d in 1", s.BytesOut, s.MessagesOut, len(want))
				}
				if got := strings.Join(traced, "|"); got != "before|\x02A\x03|bye\r\n\x00||\n" {
					t.Errorf("traced %q", got)
				}
				wantReason(t, c, duet.EndNone)
				y.Close()
				c.Close()
			})
		})
	}
}

func messageOnWire(t *testing.T, f framing.Framing, body string) string {
	t.Helper()
	_, encoder := f.New(0)
	b, err := encoder.WireEncoding(false).Append(nil, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Raw bytes follow each other at once. The gap between them and a message is that between two messages.
func TestSpacing_C7_Raw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := duettest.Pipe()
		d := duet.Dialer{Options: duet.Options{Framing: framing.Raw}}
		c := d.NewConn(x)
		c.Post([]byte("a"))
		c.PostRaw([]byte("b"))
		c.PostRaw([]byte("c"))
		c.Post([]byte("d"))
		texts, at := arrivals(y, 3)
		if got := strings.Join(texts, "|"); got != "a|bc|d" {
			t.Fatalf("the peer read %q", got)
		}
		for i := 1; i < len(at); i++ {
			if d := at[i].Sub(at[i-1]); d != framing.BareGap {
				t.Errorf("%q came %v after the one before, want %v", texts[i], d, framing.BareGap)
			}
		}
		y.Close()
		c.Close()
	})
}

// A transfer sends the exact bytes. They are never the farewell.
func TestTransfer_Exact(t *testing.T) {
	data := trickyBytes(3_000_000)
	want := sha256.Sum256(data)
	overEach(t, func(t *testing.T, n network) {
		for _, f := range allFramings {
			t.Run(f.String(), func(t *testing.T) {
				x, y := connect(t, n)
				d := duet.Dialer{Options: duet.Options{Framing: f, Farewell: "bye"}}
				c := d.NewConn(x)
				p := newPeer(t, y)
				got := make(chan []byte, 1)
				go func() {
					all, err := io.ReadAll(p)
					if err != nil {
						t.Error(err)
					}
					got <- all
				}()
				tr, err := c.Transfer()
				if err != nil {
					t.Fatal(err)
				}
				if n, err := tr.SendFrom(t.Context(), bytes.NewReader(data)); n != int64(len(data)) || err != nil {
					t.Errorf("sent %d bytes, %v", n, err)
				}
				wantReason(t, c, duet.EndNone)
				if s := c.Stats(); s.BytesOut != int64(len(data)) || s.MessagesOut != 0 {
					t.Errorf("counted %+v", s)
				}
				closed := make(chan error, 1)
				go func() { closed <- c.Close() }()
				if all := <-got; sha256.Sum256(all) != want {
					t.Errorf("%d bytes came, not those that were sent", len(all))
				}
				p.Close()
				if err := <-closed; err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// Transfers and messages leave in the order of the calls, also if a transfer's bytes come late.
func TestTransfer_Order_C6(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		x, y := connect(t, n)
		d := duet.Dialer{Options: duet.Options{Farewell: "bye"}}
		c := d.NewConn(x)
		p := newPeer(t, y)
		r, w := io.Pipe()
		first, err := c.Transfer()
		if err != nil {
			t.Fatal(err)
		}
		c.Post([]byte("one"))
		second, err := c.Transfer()
		if err != nil {
			t.Fatal(err)
		}
		sent := make(chan error, 3)
		go func() { _, err := second.SendFrom(t.Context(), strings.NewReader("second")); sent <- err }()
		go func() { sent <- c.Send(t.Context(), []byte("two")) }()
		c.PostBye()
		go func() { _, err := first.SendFrom(t.Context(), r); sent <- err }()
		io.WriteString(w, "fir")
		p.want("fir")
		io.WriteString(w, "st")
		w.Close()
		p.want("stone\nsecond")
		for range 3 {
			if err := <-sent; err != nil && !errors.Is(err, duet.ErrClosed) { // the message may have come after the farewell
				t.Error(err)
			}
		}
		closed := make(chan error, 1)
		go func() { closed <- c.Close() }()
		rest, err := io.ReadAll(p)
		if s := string(rest); err != nil || s != "bye\n" && s != "two\nbye\n" {
			t.Errorf("then came %q, %v", s, err)
		}
		p.Close()
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

// If a transfer fails before a byte has left, the conversation goes on. If it fails later, the conversation ends: the peer must not
// take a part for the whole.
func TestTransfer_BrokenOff(t *testing.T) {
	broken := errors.New("broken")
	overEach(t, func(t *testing.T, n network) {
		x, y := connect(t, n)
		d := duet.Dialer{Options: duet.Options{SendTimeout: -1}}
		c := d.NewConn(x)
		p := newPeer(t, y)
		transfer := func(ctx context.Context, from io.Reader) (int64, error) {
			tr, err := c.Transfer()
			if err != nil {
				t.Fatal(err)
			}
			return tr.SendFrom(ctx, from)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		k, err := transfer(ended, strings.NewReader("never"))
		if k != 0 {
			t.Errorf("%d bytes have left", k)
		}
		wantErr(t, "a transfer whose context had ended", err, context.Canceled)
		_, err = transfer(t.Context(), io.MultiReader(errorReader{broken}))
		wantErr(t, "a transfer whose reader fails", err, broken)
		wantReason(t, c, duet.EndNone)
		c.Post([]byte("still here"))
		p.want("still here\n")

		began, cancel := context.WithCancel(t.Context())
		defer cancel()
		sent := make(chan error, 1)
		go func() {
			_, err := transfer(began, zeros{})
			sent <- err
		}()
		if _, err := io.ReadFull(p, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		waiting, stop := context.WithCancel(t.Context())
		behind, err := c.Transfer()
		if err != nil {
			t.Fatal(err)
		}
		stop()
		_, err = behind.SendFrom(waiting, zeros{})
		wantErr(t, "a transfer that waits", err, context.Canceled)
		wantReason(t, c, duet.EndNone)
		cancel()
		wantErr(t, "a transfer that had begun", <-sent, context.Canceled)
		wantReason(t, c, duet.EndCut)
		c.Close()
		if n.resets {
			if _, err := io.Copy(io.Discard, p); err == nil {
				t.Error("the peer read to the end, want a reset")
			}
		}
	})
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// A transfer whose reader returns nothing does not delay the end of its conversation.
func TestTransfer_ReaderWaits(t *testing.T) {
	for name, end := range map[string]func(c *duet.Conn){
		"kicked": func(c *duet.Conn) { c.Kick("") },
		"abort":  func(c *duet.Conn) { c.Abort() },
		"closed": func(c *duet.Conn) { c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			overEach(t, func(t *testing.T, n network) {
				x, y := connect(t, n)
				var d duet.Dialer
				c := d.NewConn(x)
				p := newPeer(t, y)
				tr, err := c.Transfer()
				if err != nil {
					t.Fatal(err)
				}
				r, w := io.Pipe()
				sent := make(chan error, 1)
				go func() {
					_, err := tr.SendFrom(t.Context(), r)
					sent <- err
				}()
				io.WriteString(w, "x")
				p.want("x")
				behind, err := c.Transfer()
				if err != nil {
					t.Fatal(err)
				}
				end(c)
				if name == "kicked" {
					_, err := c.Receive(t.Context())
					wantErr(t, "Receive", err, duet.ErrKicked)
				}
				began := time.Now()
				c.Close()
				if took := time.Since(began); took > patience/2 {
					t.Errorf("Close took %v", took)
				}
				if _, err := behind.SendFrom(t.Context(), zeros{}); err == nil {
					t.Error("the transfer behind it was sent")
				}
				w.Close()
				if err := <-sent; err == nil {
					t.Error("the transfer was sent")
				}
				if _, err := c.Transfer(); err == nil {
					t.Error("a transfer begins after the end")
				}
			})
		})
	}
}

// The queue behind a transfer is bounded. If it is full, the peer is not to blame.
func TestTransfer_QueueFull(t *testing.T) {
	st := start(t, memory, &duet.Server{Options: duet.Options{QueueSize: 10}, Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
		tr, err := c.Transfer()
		if err != nil {
			return err
		}
		c.Post([]byte("0123456789"))
		err = c.Post([]byte("x"))
		wantErr(t, "Post behind a transfer", err, duet.ErrQueueFull)
		if _, err := tr.SendFrom(ctx, strings.NewReader("bytes")); err != nil {
			t.Error(err)
		}
		_, err = c.Receive(ctx)
		return err
	})})
	p := st.peer(t)
	p.want("bytes0123456789\n")
	p.fin()
	p.wantEOF()
	st.wantEnd(t, duet.EndPeerClosed)
}

// A peer that does not read ends a transfer, as it ends a message.
func TestTransfer_SlowPeer_C13(t *testing.T) {
	inMemory(t, duet.Dialer{}, func(t *testing.T, c *duet.Conn, _ net.Conn) {
		tr, err := c.Transfer()
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		n, err := tr.SendFrom(t.Context(), zeros{})
		wantErr(t, "SendFrom", err, duet.ErrSlowPeer)
		if d := time.Since(began); n == 0 || !about(d, duet.DefaultSendTimeout) {
			t.Errorf("%d bytes had left after %v", n, d)
		}
		c.Close()
		wantReason(t, c, duet.EndSlowPeer)
	})
}
