package handler_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
	"duet.example/duet/handler"
)

// A distant connection in memory has no method of a socket, and looks as if it came over a network.
type distant struct{ net.Conn }

func (distant) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }
func (distant) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 2} }

// TestPipeWithoutHalfClose: the end of the input sends nothing. The peer is received from until its end, or until it has been
// silent for the half-open time. [C-10]
func TestPipeWithoutHalfClose(t *testing.T) {
	const halfOpen = 3 * time.Second
	for _, tt := range []struct {
		name string
		peer func(p net.Conn)
		ends bool
		want string
		took time.Duration
	}{
		{"the peer ends", func(p net.Conn) {
			time.Sleep(halfOpen / 2)
			io.WriteString(p, "answer")
			p.Close()
		}, true, "answer", halfOpen / 2},
		{"the peer is silent", func(net.Conn) {}, false, "", halfOpen},
		{"the peer falls silent", func(p net.Conn) {
			for range 3 {
				time.Sleep(halfOpen / 2)
				io.WriteString(p, "x")
			}
		}, false, "xxx", 3*halfOpen/2 + halfOpen},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, y := duettest.Pipe()
				var out bytes.Buffer
				began := time.Now()
				s := serve(t, &handler.Pipe{In: strings.NewReader("question"), Out: &out, HalfOpen: halfOpen}, distant{x}, "memory")
				defer func() { y.Close(); <-s.done }()
				wantText(t, y, "question")
				go tt.peer(y)
				select {
				case <-s.done:
				case <-time.After(time.Hour):
					t.Fatal("the conversation does not end")
				}
				if s.reason != duet.EndPeerClosed && (s.reason != duet.EndClosed || tt.ends) {
					t.Errorf("ended as %v (%v)", s.reason, s.err)
				}
				// The close that follows may give the peer its time once more.
				if took := time.Since(began); took < tt.took || took > tt.took+500*time.Millisecond {
					t.Errorf("ended after %v, want %v", took, tt.took)
				}
				if got := out.String(); got != tt.want {
					t.Errorf("received %q, want %q", got, tt.want)
				}
				if !tt.ends {
					wantAll(t, y, "")
				}
			})
		})
	}
}
