package handler_test

import (
	"io"
	"os"
	"testing"

	"duet.example/duet"
	"duet.example/duet/handler"
)

// TestForwardDescriptors: however a conversation ends, its descriptors are closed.
func TestForwardDescriptors(t *testing.T) {
	h, dead := &handler.Forward{}, &handler.Forward{Busy: "-"}
	accepted := listenFor(t, h, "tcp")
	listenFor(t, dead, "unix")
	dead.Address.Path += ".gone"
	round := func() {
		for _, end := range []string{"good", "reset", "kicked", "dead"} {
			peer, nc := ends(t, "tcp")
			if end == "dead" {
				s := serve(t, dead, nc, "tcp")
				must(t, peer.Close())
				s.want(t, duet.EndHandlerFailed, os.ErrNotExist)
				continue
			}
			s := serve(t, h, nc, "tcp")
			target := accepted()
			sendText(t, peer, "x")
			wantText(t, target, "x")
			switch end {
			case "good":
				halfClose(t, peer)
				wantAll(t, target, "")
				must(t, target.Close())
				wantAll(t, peer, "")
				s.want(t, duet.EndPeerClosed, io.EOF)
			case "reset":
				cut(t, target)
				s.want(t, duet.EndReset, nil)
			case "kicked":
				(<-s.conn).Kick("")
				s.want(t, duet.EndKicked, nil)
			}
			peer.Close()
			target.Close()
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
