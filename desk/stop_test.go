package desk_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/desk"
)

// Where one who watches takes nothing, a conversation that is kicked, or cut, ends all the same, and what it had said is kept. After Shutdown all is told, in
// the time that the server has.
func TestStuckWatchAndStop(t *testing.T) {
	const lines = 600 // more than a watch has room for, and than it keeps of one conversation that does not wait
	for _, test := range []struct {
		name string
		stop func(t *testing.T, s *duet.Server, c *duet.Conn)
		end  duet.EndReason
		all  bool
	}{
		{"kick", func(_ *testing.T, _ *duet.Server, c *duet.Conn) { c.Kick("") }, duet.EndKicked, false},
		{"close", func(_ *testing.T, s *duet.Server, _ *duet.Conn) { _ = s.Close() }, duet.EndShutdown, false},
		{"shutdown", func(t *testing.T, s *duet.Server, c *duet.Conn) {
			down := make(chan error, 1)
			go func() { down <- s.Shutdown(context.Background()) }()
			t.Cleanup(func() { <-down })
			<-c.Context().Done()
		}, duet.EndShutdown, true},
		{"shutdown, close", func(t *testing.T, s *duet.Server, c *duet.Conn) {
			down := make(chan error, 1)
			go func() { down <- s.Shutdown(context.Background()) }()
			t.Cleanup(func() { <-down })
			<-c.Context().Done()
			_ = s.Close()
		}, duet.EndShutdown, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := new(desk.Desk)
			w := d.Watch()
			t.Cleanup(w.Stop)
			here := make(chan *duet.Conn, 1)
			s := &duet.Server{Handler: d, Options: duet.Options{Trace: &duet.Trace{ConnStart: func(c *duet.Conn) { here <- c }}}}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- s.Serve(l) }()
			t.Cleanup(func() { _ = s.Close(); <-served })
			peer, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = peer.Close() })
			if _, err := io.WriteString(peer, strings.Repeat("x\n", lines)); err != nil {
				t.Fatal(err)
			}
			c := <-here
			for w.Told() < 256 { // then its queue is full
				time.Sleep(time.Millisecond)
			}
			test.stop(t, s, c)
			_ = peer.Close()
			if !test.all {
				<-c.Done()
			} else {
				select {
				case <-c.Done():
					t.Error("it has not waited for the one who watches")
				case <-time.After(50 * time.Millisecond): // it would be there by now
				}
			}
			said := 0
			for {
				e, err := w.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if e.Kind == desk.Said {
					said++
				}
				if e.Kind != desk.Left {
					continue
				}
				if e.Reason != test.end {
					t.Errorf("it has left as %v (%v)", e.Reason, e.Err)
				}
				break
			}
			if test.all && said != lines || said < 256 {
				t.Errorf("%d lines were told", said)
			}
		})
	}
}
