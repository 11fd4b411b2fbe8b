package duet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
)

// throttled serves one connection in memory, in fake time, until its peer has closed.
func throttled(t *testing.T, s *duet.Server, handle func(ctx context.Context, c *duet.Conn) error, peer func(p *peer)) (end ending) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		x, y := duettest.PipeSize(1 << 10)
		s.Handler = duet.HandlerFunc(handle)
		s.Trace = &duet.Trace{ConnEnd: func(c *duet.Conn, r duet.EndReason, err error) { end = ending{c.ID(), r, err} }}
		done := make(chan struct{})
		go func() { defer close(done); s.ServeNetConn(x) }()
		p := newPeer(t, y)
		y.SetDeadline(time.Time{})
		peer(p)
		p.Close()
		<-done
	})
	return end
}

// each is a Throttle that waits for d after each read.
func each(d time.Duration) func(*duet.Conn, int) (time.Duration, error) {
	return func(_ *duet.Conn, n int) (time.Duration, error) {
		if n <= 0 {
			return 0, errors.New("nothing was read")
		}
		return d, nil
	}
}

func TestThrottle(t *testing.T) {
	overTime := func(t *testing.T, handle func(ctx context.Context, c *duet.Conn) error) {
		// The pipe holds 1 KiB: three reads, a minute apart.
		end := throttled(t, &duet.Server{Throttle: each(time.Minute), Options: duet.Options{IdleTimeout: 30 * time.Second}}, handle, func(p *peer) {
			began := time.Now()
			p.say(string(make([]byte, 3<<10-1)) + "\n")
			if d := time.Since(began); d != time.Minute {
				t.Errorf("3 KiB were taken after %v", d)
			}
			p.want("x\n")
			if d := time.Since(began); d != 2*time.Minute {
				t.Errorf("answered after %v", d)
			}
			p.fin()
			p.wantEOF()
		})
		if end.reason != duet.EndPeerClosed && end.reason != duet.EndClosed {
			t.Errorf("ended as %v (%v)", end.reason, end.err)
		}
	}
	t.Run("messages", func(t *testing.T) {
		overTime(t, func(ctx context.Context, c *duet.Conn) error {
			for _, err := range c.Messages(ctx) {
				if err != nil {
					return err
				}
				c.Send(ctx, []byte("x"))
			}
			return nil
		})
	})
	t.Run("raw", func(t *testing.T) {
		overTime(t, func(_ context.Context, c *duet.Conn) error {
			nc, err := c.Raw(context.Background())
			if err != nil {
				return err
			}
			if _, err := io.ReadFull(nc, make([]byte, 3<<10)); err != nil {
				return err
			}
			io.WriteString(nc, "x\n")
			_, err = io.Copy(io.Discard, nc)
			return err
		})
	})
}

// Each event that ends a wait also ends a wait for Throttle.
func TestThrottle_Interrupted(t *testing.T) {
	var s *duet.Server
	for name, test := range map[string]struct {
		interrupt func(c *duet.Conn, cancel func())
		want      error // of Receive
		raw       error // of Read
		end       duet.EndReason
	}{
		"ctx":        {func(_ *duet.Conn, cancel func()) { cancel() }, context.Canceled, nil, duet.EndClosed},
		"Kick":       {func(c *duet.Conn, _ func()) { c.Kick("") }, duet.ErrKicked, os.ErrDeadlineExceeded, duet.EndKicked},
		"Shutdown":   {func(*duet.Conn, func()) { go s.Shutdown(context.Background()) }, duet.ErrServerClosed, os.ErrDeadlineExceeded, duet.EndShutdown},
		"Close":      {func(*duet.Conn, func()) { s.Close() }, duet.ErrServerClosed, net.ErrClosed, duet.EndShutdown},
		"Conn.Close": {func(c *duet.Conn, _ func()) { go c.Close() }, duet.ErrClosed, nil, duet.EndClosed},
		"Abort":      {func(c *duet.Conn, _ func()) { c.Abort() }, duet.ErrClosed, net.ErrClosed, duet.EndClosed},
		"Raw":        {func(c *duet.Conn, _ func()) { go c.Raw(context.Background()) }, duet.ErrRaw, nil, duet.EndClosed},
	} {
		t.Run(name, func(t *testing.T) {
			s = &duet.Server{Throttle: each(time.Hour), Options: duet.Options{CloseTimeout: -1}}
			end := throttled(t, s, func(_ context.Context, c *duet.Conn) error {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				if _, err := c.Receive(ctx); err != nil {
					return err
				}
				began := time.Now()
				go func() {
					time.Sleep(time.Minute)
					test.interrupt(c, cancel)
				}()
				_, err := c.Receive(ctx)
				wantErr(t, "Receive", err, test.want)
				if d := time.Since(began); d != time.Minute {
					t.Errorf("came back after %v", d)
				}
				return nil
			}, func(p *peer) {
				p.say("one\n")
				time.Sleep(time.Second)
				p.say("two\n")
				p.wantEOF()
			})
			if end.reason != test.end {
				t.Errorf("ended as %v (%v)", end.reason, end.err)
			}
			if test.raw == nil {
				return
			}
			s = &duet.Server{Throttle: each(time.Hour), Options: duet.Options{CloseTimeout: -1}}
			throttled(t, s, func(_ context.Context, c *duet.Conn) error {
				nc, err := c.Raw(context.Background())
				if err != nil {
					return err
				}
				io.ReadFull(nc, make([]byte, 1))
				began := time.Now()
				go func() {
					time.Sleep(time.Minute)
					test.interrupt(c, nil)
				}()
				_, err = nc.Read(make([]byte, 1))
				wantErr(t, "Read", err, test.raw)
				if d := time.Since(began); d != time.Minute {
					t.Errorf("Read came back after %v", d)
				}
				return nil
			}, func(p *peer) {
				p.say("12")
				p.wantEOF()
			})
		})
	}
}

// The deadlines and the Close of a raw handler also work while it waits for Throttle.
func TestThrottle_RawDeadlines(t *testing.T) {
	throttled(t, &duet.Server{Throttle: each(time.Hour)}, func(_ context.Context, c *duet.Conn) error {
		nc, err := c.Raw(context.Background())
		if err != nil {
			return err
		}
		one := make([]byte, 1)
		io.ReadFull(nc, one)
		for name, set := range map[string]func(time.Time) error{"SetDeadline": nc.SetDeadline, "SetReadDeadline": nc.SetReadDeadline} {
			for _, early := range []bool{true, false} {
				began := time.Now()
				if early {
					set(began.Add(time.Second))
				} else {
					time.AfterFunc(time.Second, func() { set(time.Now()) })
				}
				_, err = nc.Read(one)
				wantErr(t, name, err, os.ErrDeadlineExceeded)
				if d := time.Since(began); d != time.Second {
					t.Errorf("%s: Read came back after %v", name, d)
				}
				set(time.Time{})
			}
		}
		began := time.Now()
		time.AfterFunc(time.Second, func() { nc.Close() })
		_, err = nc.Read(one)
		wantErr(t, "Close", err, net.ErrClosed)
		if d := time.Since(began); d != time.Second {
			t.Errorf("Read came back after %v", d)
		}
		return nil
	}, func(p *peer) {
		p.say("12")
		p.wantEOF()
	})
}

// Throttle's error ends the conversation as refused, after the bytes that were read.
func TestThrottle_Refuses(t *testing.T) {
	tooFast := errors.New("too fast")
	for name, err := range map[string]error{
		"plain":  tooFast,
		"*Error": &duet.Error{Op: "receive", Addr: "a:1", Reason: duet.EndRefused, Err: tooFast},
	} {
		t.Run(name, func(t *testing.T) {
			throttle := func(_ *duet.Conn, n int) (time.Duration, error) { return 0, err }
			check := func(t *testing.T, call string, err error) {
				t.Helper()
				wantErr(t, call, err, tooFast)
				var de *duet.Error
				if !errors.As(err, &de) || de.Reason != duet.EndRefused || de.Err != tooFast {
					t.Errorf("%s: %#v", call, err)
				}
			}
			end := throttled(t, &duet.Server{Throttle: throttle}, func(ctx context.Context, c *duet.Conn) error {
				wantReceive(t, c, "one")
				wantReceive(t, c, "two")
				_, err := c.Receive(ctx)
				check(t, "Receive", err)
				return err
			}, func(p *peer) {
				p.say("one\ntwo\nthr")
				p.wantEOF()
			})
			if end.reason != duet.EndRefused || end.err != tooFast {
				t.Errorf("ended as %v (%v)", end.reason, end.err)
			}
			end = throttled(t, &duet.Server{Throttle: throttle}, func(ctx context.Context, c *duet.Conn) error {
				nc, err := c.Raw(context.Background())
				if err != nil {
					return err
				}
				b, err := io.ReadAll(nc)
				if string(b) != "one" {
					t.Errorf("read %q", b)
				}
				check(t, "Read", err)
				return err
			}, func(p *peer) {
				p.say("one")
				p.wantEOF()
			})
			if end.reason != duet.EndRefused || end.err != tooFast {
				t.Errorf("raw: ended as %v (%v)", end.reason, end.err)
			}
		})
	}
}

// Idle time begins when the peer is read again. The peer's time after our farewell ends a wait for Throttle.
func TestThrottle_IdleAndFarewell(t *testing.T) {
	throttled(t, &duet.Server{Throttle: each(time.Hour), Options: duet.Options{IdleTimeout: time.Minute}}, func(ctx context.Context, c *duet.Conn) error {
		wantReceive(t, c, "one")
		began := time.Now()
		_, err := c.Receive(ctx)
		wantErr(t, "Receive", err, duet.ErrIdle)
		if d := time.Since(began); !about(d, time.Hour+time.Minute) {
			t.Errorf("idle after %v", d)
		}
		return err
	}, func(p *peer) {
		p.say("one\n")
		p.wantEOF()
	})
	throttled(t, &duet.Server{Throttle: each(time.Hour), Options: duet.Options{Farewell: "bye"}}, func(ctx context.Context, c *duet.Conn) error {
		wantReceive(t, c, "one")
		began := time.Now()
		time.AfterFunc(time.Second, func() { c.SayBye(ctx) })
		_, err := c.Receive(ctx)
		wantErr(t, "Receive", err, io.EOF)
		if d := time.Since(began); d != time.Second+duet.DefaultCloseTimeout {
			t.Errorf("the end came after %v", d)
		}
		return err
	}, func(p *peer) {
		p.say("one\n")
		p.want("bye\n")
		p.wantEOF()
	})
}

// With Throttle, the system does not copy the bytes of Raw by itself. Over a socket nothing is read meanwhile.
func TestThrottle_Sockets(t *testing.T) {
	overSockets(t, func(t *testing.T, n network) {
		read := make(chan int, 1000)
		st := start(t, n, &duet.Server{
			Options: duet.Options{CloseTimeout: -1},
			Throttle: func(_ *duet.Conn, n int) (time.Duration, error) {
				read <- n
				return time.Hour, nil
			},
			Handler: duet.HandlerFunc(func(_ context.Context, c *duet.Conn) error {
				nc, err := c.Raw(context.Background())
				if err != nil {
					return err
				}
				_, err = io.Copy(nc, nc)
				return err
			}),
		})
		p := st.peer(t)
		p.say("x")
		p.want("x")
		p.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := p.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("64 MiB to a peer that does not read: %v", err)
		}
		if len(read) != 1 {
			t.Errorf("%d reads", len(read))
		}
	})
}
