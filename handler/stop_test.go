package handler_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
	"duet.example/duet/handler"
)

// TestPipeStopsAtOnce: Kick and Shutdown end a Pipe at once, also while it touches the peer in neither direction.
func TestPipeStopsAtOnce(t *testing.T) {
	stops := map[string]func(s *duet.Server, c *duet.Conn){
		"kick":     func(_ *duet.Server, c *duet.Conn) { c.Kick("") },
		"shutdown": func(s *duet.Server, _ *duet.Conn) { go func() { _ = s.Shutdown(context.Background()) }() },
	}
	waits := map[string]func(peer net.Conn){
		"silent":          func(net.Conn) {},
		"output full":     func(peer net.Conn) { _, _ = peer.Write(make([]byte, 1<<10)) },
		"peer has closed": func(peer net.Conn) { _ = peer.(duettest.Conn).CloseWrite() },
	}
	for how, stop := range stops {
		for what, begin := range waits {
			t.Run(how+", "+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					peer, nc := duettest.Pipe()
					in, feed := duettest.Pipe()
					out, sink := duettest.PipeSize(1)
					h := &handler.Pipe{In: in, Out: out, HalfOpen: -1}
					here := make(chan *duet.Conn, 1)
					var returned time.Time
					s := &duet.Server{Handler: duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
						here <- c
						err := h.ServeConn(ctx, c)
						returned = time.Now()
						return err
					})}
					done := make(chan struct{})
					go func() {
						defer close(done)
						_ = s.ServeNetConn(nc)
					}()
					begin(peer)
					synctest.Wait()
					time.Sleep(10 * time.Millisecond) // off the beat of whatever looks from time to time
					stopped := time.Now()
					stop(s, <-here)
					synctest.Wait()
					peer.Close()
					<-done
					if d := returned.Sub(stopped); d != 0 {
						t.Errorf("it returned %v later", d)
					}
					for _, nc := range []net.Conn{in, feed, out, sink} {
						nc.Close()
					}
				})
			})
		}
	}
}
