package desk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"testing"

	"duet.example/duet"
	"duet.example/duet/desk"
	"duet.example/duet/duettest"
)

// However a handler ends, its conversation leaves the desk, and the desk tells of the same ending as the server.
func TestNextEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		next func(c *duet.Conn) error
		want duet.EndReason
	}{
		{"well", func(*duet.Conn) error { return nil }, duet.EndClosed},
		{"with an error", func(*duet.Conn) error { return errors.New("broken") }, duet.EndHandlerFailed},
		{"with an error of its own ending", func(*duet.Conn) error {
			return &duet.Error{Op: "copy", Reason: duet.EndIdle, Err: duet.ErrIdle}
		}, duet.EndIdle},
		{"with an error after the peer's end", func(c *duet.Conn) error {
			if _, err := c.Receive(t.Context()); err != io.EOF {
				t.Errorf("received %v, want io.EOF", err)
			}
			return errors.New("broken")
		}, duet.EndHandlerFailed},
		{"with an error that was kicked", func(c *duet.Conn) error { c.Kick(""); return errors.New("broken") }, duet.EndKicked},
		{"in a panic", func(*duet.Conn) error { panic("broken") }, duet.EndHandlerFailed},
		{"without returning", func(*duet.Conn) error { runtime.Goexit(); return nil }, duet.EndHandlerFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &desk.Desk{Next: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
				if _, err := c.Receive(ctx); err != nil {
					return err
				}
				return tt.next(c)
			})}
			w := d.Watch()
			defer w.Stop()
			ended := make(chan duet.EndReason, 1)
			s := duettest.NewServer(t, d, func(s *duet.Server) {
				s.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
				s.Trace = duet.JoinTraces(d.Trace(), &duet.Trace{
					ConnEnd: func(_ *duet.Conn, r duet.EndReason, _ error) { ended <- r },
				})
			})
			c := s.Dial(t)
			send(t, c, "go")
			if err := c.CloseWrite(t.Context()); err != nil {
				t.Error(err)
			}
			if e := untilLeft(t, w); e.Reason != tt.want {
				t.Errorf("the desk says that it left as %v (%v), want %v", e.Reason, e.Err, tt.want)
			}
			if n := d.Numbers(); len(n) != 0 {
				t.Errorf("still at the desk: %v", n)
			}
			_ = c.Close()
			if r := <-ended; r != tt.want {
				t.Errorf("the server says that it ended as %v, want %v", r, tt.want)
			}
		})
	}
}

func ExampleParseEncoding() {
	e, err := desk.ParseEncoding("gb18030")
	if err != nil {
		panic(err)
	}
	d := &desk.Desk{Encoding: e} // the Handler of a duet.Server
	err = d.Say(context.Background(), 1, "你好")
	fmt.Println(err)
	// Output: 1: no such conversation
}
