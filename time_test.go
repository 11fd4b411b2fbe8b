package duet_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
	"duet.example/duet/framing"
)

// inMemory runs a test of a Conn and its peer in fake time.
func inMemory(t *testing.T, d duet.Dialer, test func(t *testing.T, c *duet.Conn, p net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		x, y := duettest.PipeSize(8 << 10)
		c := d.NewConn(x)
		test(t, c, y)
		y.Close()
		c.Close()
	})
}

// about reports whether a duration is the wanted one. A last read may add 2 ms.
func about(got, want time.Duration) bool { return got >= want && got <= want+2*time.Millisecond }

func TestIdle_C14(t *testing.T) {
	inMemory(t, duet.Dialer{Options: duet.Options{IdleTimeout: time.Minute}}, func(t *testing.T, c *duet.Conn, p net.Conn) {
		for range 3 {
			time.Sleep(50 * time.Second)
			io.WriteString(p, "still here\n")
			wantReceive(t, c, "still here")
		}
		// The peer is not idle while the handler works.
		time.Sleep(time.Hour)
		began := time.Now()
		_, err := c.Receive(context.Background())
		wantErr(t, "Receive", err, duet.ErrIdle)
		if d := time.Since(began); !about(d, time.Minute) {
			t.Errorf("idle after %v, want a minute", d)
		}
		wantReason(t, c, duet.EndIdle)
		_, err = c.Receive(context.Background())
		wantErr(t, "a second Receive", err, duet.ErrIdle)
	})
}

func TestIdle_NotByWriting(t *testing.T) {
	inMemory(t, duet.Dialer{Options: duet.Options{IdleTimeout: time.Minute}}, func(t *testing.T, c *duet.Conn, p net.Conn) {
		go io.Copy(io.Discard, p)
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() {
			for range 60 {
				c.Post([]byte("are you there?"))
				time.Sleep(time.Second)
			}
		})
		began := time.Now()
		_, err := c.Receive(context.Background())
		wantErr(t, "Receive", err, duet.ErrIdle)
		if d := time.Since(began); !about(d, time.Minute) {
			t.Errorf("idle after %v, want a minute", d)
		}
	})
}

func TestSlowPeer_C13_InMemory(t *testing.T) {
	inMemory(t, duet.Dialer{}, func(t *testing.T, c *duet.Conn, p net.Conn) {
		began := time.Now()
		err := c.Send(context.Background(), make([]byte, 100<<10))
		wantErr(t, "Send", err, duet.ErrSlowPeer)
		if d := time.Since(began); !about(d, duet.DefaultSendTimeout) {
			t.Errorf("gave up after %v, want %v", d, duet.DefaultSendTimeout)
		}
		wantReason(t, c, duet.EndSlowPeer)
	})
}

// A peer that reads a little now and then is no slow peer while the conversation lasts, but cannot hold its end for ever.
func TestSlowPeer_C11_LittleByLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := duettest.PipeSize(2 << 10)
		c := new(duet.Dialer).NewConn(x)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				time.Sleep(time.Second)
				if _, err := y.Read(make([]byte, 2<<10)); err != nil {
					return
				}
			}
		}()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err := c.Send(ctx, make([]byte, 200<<10))
		wantErr(t, "Send", err, context.DeadlineExceeded)
		c.Close()
		y.Close()
		<-done

		x, y = duettest.PipeSize(2 << 10)
		c = new(duet.Dialer).NewConn(x)
		for range 10 {
			c.Post(make([]byte, 10<<10))
		}
		done = make(chan struct{})
		go func() {
			defer close(done)
			for {
				time.Sleep(time.Second)
				if _, err := y.Read(make([]byte, 2<<10)); err != nil {
					return
				}
			}
		}()
		began := time.Now()
		wantErr(t, "Close", c.Close(), duet.ErrSlowPeer)
		if d := time.Since(began); d != 30*time.Second {
			t.Errorf("Close took %v, want three send timeouts at most", d)
		}
		wantReason(t, c, duet.EndSlowPeer)
		y.Close()
		<-done
	})
}

func TestReceivePartial_F9(t *testing.T) {
	inMemory(t, duet.Dialer{Options: duet.Options{Framing: framing.Auto}}, func(t *testing.T, c *duet.Conn, p net.Conn) {
		want := func(body string, partial bool, after time.Duration) {
			t.Helper()
			began := time.Now()
			m, err := c.ReceivePartial(context.Background())
			if err != nil || string(m.Body) != body || m.Partial != partial {
				t.Errorf("received %q (partial: %v), %v; want %q (partial: %v)", m.Body, m.Partial, err, body, partial)
			}
			if d := time.Since(began); !about(d, after) {
				t.Errorf("%q came after %v, want %v", body, d, after)
			}
		}
		io.WriteString(p, "welcome\r\n")
		want("welcome", false, 0)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, err := c.ReceivePartial(ctx)
		wantErr(t, "Receive of nothing", err, context.DeadlineExceeded)
		cancel()
		if _, learned := c.Framing(); learned != "lines (CRLF)" {
			t.Errorf("learned %q", learned)
		}
		io.WriteString(p, "log")
		want("log", true, framing.Quiet)
		io.WriteString(p, "in: ")
		want("login: ", true, framing.Quiet)
		want("login: ", false, framing.LineQuiet-framing.Quiet-time.Millisecond)
		io.WriteString(p, "Last")
		want("Last", true, framing.Quiet)
		io.WriteString(p, " login\r\n")
		want("Last login", false, 0)
		// Receive returns no partial messages.
		io.WriteString(p, "pass")
		wantReceive(t, c, "pass")
	})
}

func TestPause_F6(t *testing.T) {
	inMemory(t, duet.Dialer{Options: duet.Options{Framing: framing.Raw}}, func(t *testing.T, c *duet.Conn, p net.Conn) {
		go func() {
			for _, s := range []string{"a", "b", "c"} {
				io.WriteString(p, s)
				time.Sleep(framing.Quiet - 2*time.Millisecond)
			}
			time.Sleep(framing.Quiet)
			io.WriteString(p, "d")
			time.Sleep(framing.Quiet * 2)
			for range 60 {
				io.WriteString(p, "x") // for longer than MaxAge, without a pause
				time.Sleep(framing.Quiet - 2*time.Millisecond)
			}
		}()
		wantReceive(t, c, "abc")
		wantReceive(t, c, "d")
		began := time.Now()
		m, err := c.Receive(context.Background())
		if d := time.Since(began); err != nil || d < framing.MaxAge || d > framing.MaxAge+2*framing.Quiet+2*time.Millisecond {
			t.Errorf("%q, %v after %v; want a message after %v", m.Body, err, d, framing.MaxAge)
		}
		rest, err := c.Receive(context.Background())
		if err != nil || len(m.Body)+len(rest.Body) != 60 {
			t.Errorf("%d and %d bytes, %v; want 60 in all", len(m.Body), len(rest.Body), err)
		}
	})
}

// A pause does not end a message if more bytes have come by the time of the next read.
func TestPause_C8_LateScheduler(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		x, y := connect(t, n)
		first := make(chan struct{})
		d := duet.Dialer{Options: duet.Options{Framing: framing.Raw, CloseTimeout: -1}}
		d.Trace = &duet.Trace{Read: func(_ *duet.Conn, n int, _ error) {
			if n == 3 { // more bytes come while this goroutine is delayed
				close(first)
				time.Sleep(3 * framing.Quiet)
			}
		}}
		c := d.NewConn(x)
		p := newPeer(t, y)
		go func() {
			<-first
			p.say("def\n")
		}()
		p.say("abc")
		wantReceive(t, c, "abcdef\n")
		c.Close()
	})
}

// arrivals are the times at which a peer that takes one read for one message reads them.
func arrivals(p net.Conn, n int) (texts []string, at []time.Time) {
	b := make([]byte, 9999)
	for range n {
		n, err := p.Read(b)
		if err != nil {
			break
		}
		texts, at = append(texts, string(b[:n])), append(at, time.Now())
	}
	return texts, at
}

func TestSpacing_C7(t *testing.T) {
	for _, test := range []struct {
		name    string
		framing framing.Framing
		before  string // what the peer says first
		want    string
		gap     time.Duration
	}{
		{"raw", framing.Raw, "", "0|1|2|3|4|5|6|7|8|9|bye", framing.BareGap},
		{"auto, a bare peer", framing.Auto, "hello", "0|1|2|3|4|5|6|7|8|9|bye", framing.BareGap},
		{"auto, an unknown peer", framing.Auto, "", "0\n|1\n|2\n|3\n|4\n|5\n|6\n|7\n|8\n|9\n|bye", framing.BareGap},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, y := duettest.Pipe()
				d := duet.Dialer{Options: duet.Options{Framing: test.framing, Farewell: "bye"}}
				c := d.NewConn(x)
				if test.before != "" {
					io.WriteString(y, test.before)
					wantReceive(t, c, test.before)
				}
				for i := range 10 {
					c.Post([]byte(fmt.Sprint(i)))
				}
				go c.SayBye(t.Context())
				texts, at := arrivals(y, 11)
				if got := strings.Join(texts, "|"); got != test.want {
					t.Errorf("the peer read %q, want %q", got, test.want)
				}
				for i := 1; i < len(at); i++ {
					if d := at[i].Sub(at[i-1]); d < test.gap {
						t.Errorf("message %d left %v after the one before, want %v", i, d, test.gap)
					}
				}
				y.Close()
				wantEOF(t, c)
				c.Close()
			})
		})
	}
}

// Ten messages posted at once reach a real peer that takes one read for one message as ten.
func TestSpacing_C7_TenAtOnce(t *testing.T) {
	x, y := connect(t, tcp)
	d := duet.Dialer{Options: duet.Options{Framing: framing.Raw, CloseTimeout: -1}}
	c := d.NewConn(x)
	p := newPeer(t, y)
	for i := range 10 {
		c.Post([]byte(fmt.Sprint("message ", i)))
	}
	texts, _ := arrivals(p, 10)
	if len(texts) != 10 || texts[0] != "message 0" || texts[9] != "message 9" {
		t.Errorf("the peer read %q", texts)
	}
	c.Close()
}

// If the peer ignores the farewell, the conversation ends after the close timeout.
func TestClose_C11_Bounds(t *testing.T) {
	t.Run("SayBye", func(t *testing.T) {
		inMemory(t, duet.Dialer{Options: duet.Options{Farewell: "bye"}}, func(t *testing.T, c *duet.Conn, p net.Conn) {
			c.SayBye(t.Context())
			began := time.Now()
			wantEOF(t, c)
			c.Close()
			if d := time.Since(began); !about(d, duet.DefaultCloseTimeout) {
				t.Errorf("took %v, want %v", d, duet.DefaultCloseTimeout)
			}
		})
	})
	t.Run("long after CloseWrite", func(t *testing.T) {
		inMemory(t, duet.Dialer{}, func(t *testing.T, c *duet.Conn, p net.Conn) {
			c.CloseWrite(t.Context())
			time.Sleep(time.Hour)
			began := time.Now()
			c.Close()
			if d := time.Since(began); !about(d, duet.DefaultCloseTimeout) {
				t.Errorf("took %v, want %v", d, duet.DefaultCloseTimeout)
			}
		})
	})
	t.Run("farewell long after CloseWrite", func(t *testing.T) {
		inMemory(t, duet.Dialer{Options: duet.Options{Farewell: "bye"}}, func(t *testing.T, c *duet.Conn, p net.Conn) {
			c.CloseWrite(t.Context())
			time.Sleep(time.Hour)
			io.WriteString(p, "bye\n")
			wantEOF(t, c)
			began := time.Now()
			c.Close()
			if d := time.Since(began); !about(d, duet.DefaultCloseTimeout) {
				t.Errorf("took %v, want %v", d, duet.DefaultCloseTimeout)
			}
		})
	})
	t.Run("a flood", func(t *testing.T) {
		inMemory(t, duet.Dialer{}, func(t *testing.T, c *duet.Conn, p net.Conn) {
			flooded := make(chan int)
			go func() {
				total := 0
				for {
					n, err := p.Write(make([]byte, 1<<10))
					total += n
					if err != nil {
						flooded <- total
						return
					}
				}
			}()
			began := time.Now()
			c.Close()
			if total := <-flooded; total < 1<<20 || total > 1<<20+100<<10 {
				t.Errorf("%d bytes were taken, want about 1 MiB", total)
			}
			if d := time.Since(began); d > time.Second {
				t.Errorf("took %v", d)
			}
		})
	})
	t.Run("a drip", func(t *testing.T) {
		inMemory(t, duet.Dialer{}, func(t *testing.T, c *duet.Conn, p net.Conn) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					if _, err := p.Write([]byte("x")); err != nil {
						return
					}
					time.Sleep(time.Second / 4)
				}
			}()
			began := time.Now()
			c.Close()
			if d := time.Since(began); !about(d, duet.DefaultCloseTimeout) {
				t.Errorf("took %v, want %v", d, duet.DefaultCloseTimeout)
			}
			<-done
		})
	})
}
