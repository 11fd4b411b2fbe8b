package duet_test

import (
	"context"
	"io"
	"testing"

	"duet.example/duet"
	"duet.example/duet/framing"
)

// Kick tells the peer why, in one message before the farewell.
func TestKick_C17(t *testing.T) {
	for _, test := range []struct {
		name, words string
		framing     framing.Framing
		peer, cause string
	}{
		{"words", "too loud", nil, "too loud\nBye\n", "ended by an operator: too loud"},
		{"several lines", " too\r\nloud\nreally\x00 \n", nil, "too loud really\nBye\n", "ended by an operator: too loud really"},
		{"no framing", "too loud", framing.Raw, "too loudBye", "ended by an operator: too loud"},
		{"nothing", " \n", nil, "Bye\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			overEach(t, func(t *testing.T, n network) {
				here := make(chan *duet.Conn, 1)
				st := start(t, n, &duet.Server{Options: duet.Options{Framing: test.framing, Farewell: "bye"}, Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
					here <- c
					_, err := c.Receive(ctx)
					wantErr(t, "Receive", err, duet.ErrKicked)
					return err
				})})
				p := st.peer(t)
				c := <-here
				c.Kick(test.words)
				c.Kick("once more")
				p.want(test.peer)
				p.wantEOF()
				p.Close()
				e := st.wantEnd(t, duet.EndKicked)
				if test.cause == "" {
					return
				}
				wantErr(t, "cause", e.err, duet.ErrKicked)
				if e.err.Error() != test.cause {
					t.Errorf("cause %q", e.err)
				}
			})
		})
	}
}

// After Raw the peer gets exactly the handler's bytes; the ending has the words.
func TestKick_Raw(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		here := make(chan *duet.Conn, 1)
		st := start(t, n, &duet.Server{Options: duet.Options{Farewell: "bye"}, Handler: duet.HandlerFunc(func(_ context.Context, c *duet.Conn) error {
			nc, err := c.Raw(context.Background())
			if err != nil {
				return err
			}
			here <- c
			_, err = io.Copy(io.Discard, nc)
			return err
		})})
		p := st.peer(t)
		(<-here).Kick("too loud")
		p.wantEOF()
		p.Close()
		if e := st.wantEnd(t, duet.EndKicked); e.err == nil || e.err.Error() != "ended by an operator: too loud" {
			t.Errorf("cause %v", e.err)
		}
	})
}
