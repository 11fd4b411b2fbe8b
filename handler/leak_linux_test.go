package handler_test

import (
	"io"
	"os"
	"testing"

	"duet.example/duet"
	"duet.example/duet/handler"
)

// TestDescriptors: a conversation closes the descriptors that it opens, also if its input and output stay.
func TestDescriptors(t *testing.T) {
	in, _ := filePipe(t)
	_, out := filePipe(t)
	pipe := &handler.Pipe{In: in, Out: out, HalfOpen: 1}
	round := func() {
		for _, h := range []duet.Handler{handler.Echo{}, handler.Discard{}, pipe} {
			peer, nc := ends(t, "tcp")
			s := serve(t, h, nc, "tcp")
			sendText(t, peer, "x")
			halfClose(t, peer)
			if _, err := io.ReadAll(peer); err != nil {
				t.Error(err)
			}
			must(t, peer.Close())
			s.want(t, duet.EndPeerClosed, io.EOF)
		}
	}
	round()
	before := len(get(os.ReadDir("/proc/self/fd"))(t))
	for range 10 {
		round()
	}
	if after := len(get(os.ReadDir("/proc/self/fd"))(t)); after > before+5 {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}
