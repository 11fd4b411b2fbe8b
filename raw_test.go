package duet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/framing"
)

func TestRaw(t *testing.T) {
	for _, test := range []struct {
		name    string
		ahead   string // sent before Raw is called; its first line is received
		framing framing.Framing
		want    string
	}{
		{"nothing read ahead", "first\n", framing.LF, "rest"},
		{"whole and half messages read ahead", "first\nsecond\nthi", framing.LF, "second\nthirest"},
		{"messages as they came, also one that the framing would not send", "first\na\r\r\nb\r\n", framing.LF, "a\r\r\nb\r\nrest"},
		{"in a framing with a length", "\x00\x00\x00\x01a\x00\x00\x00\x01b\x00\x00", framing.Length, "\x00\x00\x00\x01b\x00\x00rest"},
	} {
		t.Run(test.name, func(t *testing.T) {
			overEach(t, func(t *testing.T, n network) {
				st := start(t, n, &duet.Server{Options: duet.Options{Framing: test.framing}, Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
					if _, err := c.Receive(ctx); err != nil {
						return err
					}
					c.Post([]byte("posted"))
					nc, err := c.Raw(context.Background())
					if err != nil {
						return err
					}
					_, err = c.Raw(context.Background())
					wantErr(t, "a second Raw", err, duet.ErrRaw)
					_, err = c.Receive(ctx)
					wantErr(t, "Receive", err, duet.ErrRaw)
					wantErr(t, "Send", c.Send(ctx, nil), duet.ErrRaw)
					wantErr(t, "Post", c.Post(nil), duet.ErrRaw)
					wantErr(t, "SayBye", c.SayBye(ctx), duet.ErrRaw)
					wantErr(t, "PostBye", c.PostBye(), duet.ErrRaw)
					wantErr(t, "CloseWrite", c.CloseWrite(ctx), duet.ErrRaw)
					b, err := io.ReadAll(nc)
					if string(b) != test.want || err != nil {
						t.Errorf("read %q, %v; want %q", b, err, test.want)
					}
					_, err = io.WriteString(nc, "raw answer")
					return err
				})})
				p := st.peer(t)
				p.say(test.ahead)
				if test.framing == framing.LF {
					p.want("posted\n")
				} else {
					p.want("\x00\x00\x00\x06posted")
				}
				p.say("rest")
				p.fin()
				p.want("raw answer")
				p.wantEOF()
				p.Close()
				st.wantEnd(t, duet.EndClosed)
			})
		})
	}
}

// Raw ends a Receive that waits in another goroutine.
func TestRaw_WhileReceiving(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		x, y := connect(t, n)
		c := new(duet.Dialer).NewConn(x)
		p := newPeer(t, y)
		got := make(chan error, 1)
		go func() {
			_, err := c.Receive(context.Background())
			got <- err
		}()
		time.Sleep(5 * time.Millisecond) // most often it waits by then; either way is right
		nc, err := c.Raw(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		wantErr(t, "Receive", <-got, duet.ErrRaw)
		p.say("x")
		if _, err := io.ReadFull(nc, make([]byte, 1)); err != nil {
			t.Errorf("read: %v", err)
		}
		p.Close()
		c.Close()
		_, err = c.Raw(context.Background())
		wantErr(t, "Raw after Close", err, duet.ErrRaw)
	})
}

func TestRaw_AfterClose(t *testing.T) {
	a, _ := two(t, tcp, duet.Dialer{Options: duet.Options{CloseTimeout: -1}})
	a.Close()
	_, err := a.Raw(context.Background())
	wantErr(t, "Raw", err, duet.ErrClosed)
}

// Shutdown ends the reads and writes of raw handlers.
func TestRaw_Shutdown(t *testing.T) {
	for name, wait := range map[string]func(nc net.Conn) error{
		"reading": func(nc net.Conn) error { _, err := io.Copy(io.Discard, nc); return err },
		"writing": func(nc net.Conn) error {
			for {
				if _, err := nc.Write(make([]byte, 1<<20)); err != nil {
					return err
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			overEach(t, func(t *testing.T, n network) {
				raw := make(chan struct{})
				st := start(t, n, &duet.Server{Options: duet.Options{CloseTimeout: 20 * time.Millisecond}, Handler: duet.HandlerFunc(func(_ context.Context, c *duet.Conn) error {
					nc, err := c.Raw(context.Background())
					if err != nil {
						return err
					}
					close(raw)
					err = wait(nc)
					wantErr(t, name, err, os.ErrDeadlineExceeded)
					return err
				})})
				st.peer(t)
				<-raw
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				if err := st.Shutdown(ctx); err != nil {
					t.Errorf("Shutdown: %v", err)
				}
				st.wantEnd(t, duet.EndShutdown)
			})
		})
	}
}

// The trace sees the reads and writes of a raw handler, and the handler chooses the reason of the end.
func TestRaw_TraceAndReason(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		var said heard
		st := start(t, n, &duet.Server{
			Handler: duet.HandlerFunc(func(_ context.Context, c *duet.Conn) error {
				nc, err := c.Raw(context.Background())
				if err != nil {
					return err
				}
				io.Copy(nc, nc)
				if s := c.Stats(); s.BytesIn != 5 || s.BytesOut != 5 {
					t.Errorf("counted %+v", s)
				}
				nc.Read(make([]byte, 1)) // the end once more
				nc.(interface{ CloseWrite() error }).CloseWrite()
				return &duet.Error{Op: "pipe", Reason: duet.EndPeerClosed, Err: io.EOF}
			}),
			Options: duet.Options{Trace: &duet.Trace{
				Read: func(_ *duet.Conn, n int, err error) {
					if err == nil {
						said.add("read")
					} else if errors.Is(err, io.EOF) {
						said.add("fin")
					}
				},
				Wrote:      func(*duet.Conn, int, error) { said.add("wrote") },
				HalfClosed: func(*duet.Conn, error) { said.add("half-closed") },
			}},
		})
		p := st.peer(t)
		p.say("hello")
		p.want("hello")
		p.fin()
		p.wantEOF()
		st.wantEnd(t, duet.EndPeerClosed)
		want := "read|wrote|fin" // each once
		if n.halfCloses {
			want += "|half-closed"
		}
		if got := said.all(); got != want {
			t.Errorf("the trace saw %s, want %s", got, want)
		}
	})
}

// AwaitRead lets a copy from an observed connection wait without a buffer. It waits until bytes or the end come, or until the deadline. It does
// not wait if bytes were read ahead.
func TestRaw_AwaitRead(t *testing.T) {
	overSockets(t, func(t *testing.T, n network) {
		asked, answer := make(chan struct{}), make(chan error)
		st := start(t, n, &duet.Server{
			Options: duet.Options{
				Framing: framing.LF,
				Trace:   &duet.Trace{Read: func(*duet.Conn, int, error) {}},
			},
			Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
				if _, err := c.Receive(ctx); err != nil {
					return err
				}
				nc, err := c.Raw(context.Background())
				if err != nil {
					return err
				}
				b := make([]byte, 10)
				for range asked {
					err := nc.(interface{ AwaitRead() error }).AwaitRead()
					if err == nil {
						if _, err = nc.Read(b); n.awaits && errors.Is(err, os.ErrDeadlineExceeded) {
							t.Errorf("Read had to wait after AwaitRead")
						}
					}
					answer <- err
					nc.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
				}
				return nil
			}),
		})
		p := st.peer(t)
		p.say("first\nahead")
		await := func(what string, want error) {
			t.Helper()
			asked <- struct{}{}
			if err := <-answer; !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
		}
		await("read ahead", nil)
		await("nothing until the deadline", os.ErrDeadlineExceeded)
		p.say("more")
		asked <- struct{}{}
		if err := <-answer; err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("bytes: %v", err)
		}
		p.fin()
		for range 10 { // a busy machine may take longer than the deadline
			asked <- struct{}{}
			err := <-answer
			if errors.Is(err, io.EOF) {
				close(asked)
				st.wantEnd(t, duet.EndClosed)
				return
			}
		}
		t.Error("the end: never told")
	})
}

// A Raw whose context ends while something waits for the peer takes nothing over. The conversation goes on.
func TestRaw_ContextEnds(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		const size = 16 << 20
		// The queue has room for all: the writer may begin late.
		a, b := two(t, n, duet.Dialer{Options: duet.Options{Framing: framing.LF, SendTimeout: -1, QueueSize: 2 * size}})
		if err := a.PostRaw(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		received := make(chan string, 1)
		go func() {
			m, err := a.Receive(context.Background())
			received <- fmt.Sprint(string(m.Body), err)
		}()
		ctx, cancel := context.WithCancel(context.Background())
		failed := make(chan error, 1)
		go func() {
			_, err := a.Raw(ctx)
			failed <- err
		}()
		cancel()
		wantErr(t, "Raw", <-failed, context.Canceled)
		_, err := a.Raw(ctx)
		wantErr(t, "Raw whose context has ended", err, context.Canceled)
		raw, err := b.Raw(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(raw, "still here\n")
		if got := <-received; got != "still here<nil>" {
			t.Errorf("Receive: %s", got)
		}
		if err := a.Post([]byte("posted")); err != nil {
			t.Fatalf("Post: %v", err) // the peer would wait for it
		}
		sent := make(chan error, 1)
		go func() { sent <- a.Send(context.Background(), []byte("sent")) }()
		rest := make([]byte, size+len("posted\nsent\n"))
		if _, err := io.ReadFull(raw, rest); err != nil || string(rest[size:]) != "posted\nsent\n" {
			t.Errorf("the peer has %q, %v", rest[size:], err)
		}
		wantErr(t, "Send", <-sent, nil)
		if _, err := a.Raw(context.Background()); err != nil {
			t.Errorf("a Raw that can wait: %v", err)
		}
	})
}

// A Raw that waits when the conversation is to end tells why.
func TestRaw_KickedWhileItWaits(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		a, _ := two(t, n, duet.Dialer{Options: duet.Options{SendTimeout: -1, CloseTimeout: -1}})
		a.PostRaw(make([]byte, 16<<20))
		failed := make(chan error, 1)
		go func() {
			_, err := a.Raw(a.Context())
			failed <- err
		}()
		a.Kick("")
		err := <-failed
		wantErr(t, "Raw", err, duet.ErrKicked)
		if duet.ReasonOf(err) != duet.EndKicked {
			t.Errorf("reason %v", duet.ReasonOf(err))
		}
		a.Abort()
	})
}

// The bytes that a handler reads and writes count in Stats, once, whether duet or the system copies them.
func TestRaw_Stats(t *testing.T) {
	const size = 1<<20 + 1
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, copies := range map[string]func(nc net.Conn) error{
		"bytes": func(nc net.Conn) error { _, err := nc.Write(make([]byte, size)); return err },
		"a file": func(nc net.Conn) error {
			f, err := os.Open(file)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = io.Copy(nc, f)
			return err
		},
		"a reader": func(nc net.Conn) error {
			_, err := io.Copy(nc, io.LimitReader(zeros{}, size))
			return err
		},
		"an echo": func(nc net.Conn) error { _, err := io.CopyN(nc, nc, size); return err },
		"an echo to the end": func(nc net.Conn) error {
			_, err := io.Copy(nc, nc)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			overEach(t, func(t *testing.T, n network) {
				st := start(t, n, &duet.Server{Options: duet.Options{Framing: framing.LF}, Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
					if _, err := c.Receive(ctx); err != nil {
						return err
					}
					nc, err := c.Raw(ctx)
					if err != nil {
						return err
					}
					if err := copies(nc); err != nil {
						return err
					}
					if _, err := io.Copy(io.Discard, nc); err != nil {
						return err
					}
					out := int64(size)
					if name == "an echo to the end" {
						out = size + int64(len("ahead"))
					}
					if s := c.Stats(); s.BytesIn != size+int64(len("first\nahead")) || s.BytesOut < out || s.BytesOut > size+int64(len("ahead")) {
						t.Errorf("counted %+v", s)
					}
					return nil
				})})
				p := st.peer(t)
				p.say("first\nahead")
				got := make(chan struct{})
				go func() {
					defer close(got)
					io.Copy(io.Discard, p.Conn)
				}()
				p.Write(make([]byte, size))
				p.fin()
				<-got
				p.Close()
				st.wantEnd(t, duet.EndClosed)
			})
		})
	}
}

// While the system copies from one conversation to another connection, Stats follows.
func TestRaw_StatsWhileCopying(t *testing.T) {
	for _, kind := range []string{"in", "out"} {
		overEach(t, func(t *testing.T, n network) {
			a, b := two(t, n, duet.Dialer{})
			nc, err := a.Raw(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			peer, err := b.Raw(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			x, y := connect(t, tcp)
			copied := make(chan error, 1)
			counted := func() int64 { return a.Stats().BytesIn }
			if kind == "in" {
				go func() { _, err := io.Copy(x, nc); copied <- err }()
			} else {
				peer, y = y, peer
				counted = func() int64 { return a.Stats().BytesOut }
				go func() { _, err := io.Copy(nc, x); copied <- err }()
			}
			const size = 64 << 10
			go peer.Write(make([]byte, size))
			if _, err := io.ReadFull(y, make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			waitFor(t, func() bool { return counted() >= size/2 })
			peer.Close()
			<-copied
		})
	}
}

// A Raw that has failed changes nothing: sending and receiving go on, or fail for their own reason.
func TestRaw_Fails(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		x, y := connect(t, n)
		d := duet.Dialer{Options: duet.Options{SendTimeout: 10 * time.Millisecond}}
		c := d.NewConn(x)
		p := newPeer(t, y)
		p.say("said before\n")
		err := c.Send(context.Background(), make([]byte, 64<<20))
		wantErr(t, "Send", err, duet.ErrSlowPeer)
		for range 2 {
			_, err = c.Raw(context.Background())
			wantErr(t, "Raw", err, duet.ErrSlowPeer)
		}
		wantErr(t, "Send", c.Send(context.Background(), []byte("x")), duet.ErrSlowPeer)
		wantErr(t, "Post", c.Post([]byte("x")), duet.ErrSlowPeer)
		_, err = c.Receive(context.Background())
		wantErr(t, "Receive", err, duet.ErrSlowPeer)
		c.Close()
		_, err = c.Raw(context.Background())
		wantErr(t, "Raw after Close", err, duet.ErrClosed)
		_, err = c.Receive(context.Background())
		wantErr(t, "Receive after Close", err, duet.ErrSlowPeer) // that is why it has ended
	})
}
