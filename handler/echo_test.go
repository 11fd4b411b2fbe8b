package handler_test

import (
	"context"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
	"duet.example/duet/handler"
)

// TestEchoTransfers sends and receives at once, and receives the rest after its own FIN.
func TestEchoTransfers(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			peer, nc := ends(t, kind)
			s := serve(t, handler.Echo{}, nc, kind)
			size := bulkSize()
			go func() {
				if _, err := io.Copy(peer, random(1, size)); err != nil {
					t.Error(err)
				}
				halfClose(t, peer)
			}()
			wantSum(t, "echo", peer, 1, size)
			s.want(t, duet.EndPeerClosed, io.EOF)
			if s.stats.BytesIn != size || s.stats.BytesOut != size {
				t.Errorf("counted %d in, %d out, want %d", s.stats.BytesIn, s.stats.BytesOut, size)
			}
			if kind == "traced" && s.wrote != size {
				t.Errorf("the trace saw %d bytes leave, want %d", s.wrote, size)
			}
		})
	}
}

// TestEchoFewBytes: bytes that come a few at a time are counted as they come.
func TestEchoFewBytes(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			peer, nc := ends(t, kind)
			s := serve(t, handler.Echo{}, nc, kind)
			c := <-s.conn
			for i := range int64(3) {
				sendText(t, peer, "few")
				wantText(t, peer, "few")
				until(t, "counted", func() bool { s := c.Stats(); return s.BytesIn == 3*(i+1) && s.BytesOut == s.BytesIn })
			}
			halfClose(t, peer)
			wantAll(t, peer, "")
			s.want(t, duet.EndPeerClosed, io.EOF)
		})
	}
}

func TestEchoHalfClose(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			peer, nc := ends(t, kind)
			s := serve(t, handler.Echo{}, nc, kind)
			sendText(t, peer, "one")
			wantText(t, peer, "one")
			sendText(t, peer, "two")
			halfClose(t, peer)
			wantAll(t, peer, "two")
			s.want(t, duet.EndPeerClosed, io.EOF)
		})
	}
}

func TestEchoFramed(t *testing.T) {
	tests := []struct {
		name, farewell, said, heard string
		end                         duet.EndReason
	}{
		{"lines", "", "one\r\ntwo\nthree", "one\ntwo\nthree\n", duet.EndPeerClosed},
		{"nothing", "", "", "", duet.EndPeerClosed},
		{"no farewell", "", "bye\n", "bye\n", duet.EndPeerClosed},
		{"farewell", "bye", "one\nBYE\ntwo\n", "one\nBye\n", duet.EndFarewell},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, kind := range kinds {
				peer, nc := ends(t, kind)
				s := serve(t, handler.Echo{Framed: true}, nc, kind, func(s *duet.Server) { s.Farewell = tt.farewell })
				sendText(t, peer, tt.said)
				halfClose(t, peer)
				wantAll(t, peer, tt.heard)
				s.want(t, tt.end, nil)
			}
		})
	}
}

// A line that ends with a CR of its own would lose it: the conversation ends, and that is no failure of the handler's.
func TestEchoCannotGoBack(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		peer, nc := ends(t, kind)
		s := serve(t, handler.Echo{Framed: true}, nc, kind)
		sendText(t, peer, "one\nx\r\r\n")
		wantAll(t, peer, "one\n")
		s.want(t, duet.EndClosed, duet.ErrDelimiter)
	}
}

func TestEchoReset(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"tcp", "memory", "traced"} {
		t.Run(kind, func(t *testing.T) {
			peer, nc := ends(t, kind)
			s := serve(t, handler.Echo{}, nc, kind)
			sendText(t, peer, "one")
			wantText(t, peer, "one")
			cut(t, peer)
			s.want(t, duet.EndReset, syscall.ECONNRESET)
		})
	}
}

// TestEchoPeerGone: a peer that closes altogether does not get the rest, which is no good end.
func TestEchoPeerGone(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			peer, nc := ends(t, kind)
			s := serve(t, handler.Echo{}, nc, kind)
			flood(t, peer)
			must(t, peer.Close())
			s.want(t, duet.EndReset, nil)
		})
	}
}

// TestSlowPeerOfFewBytes: a peer that sends a few bytes at a time, and reads none, is too slow as well.
func TestSlowPeerOfFewBytes(t *testing.T) {
	t.Parallel()
	peer, nc := ends(t, "tcp")
	must(t, nc.(*net.TCPConn).SetWriteBuffer(4<<10))
	s := serve(t, handler.Echo{Send: 300 * time.Millisecond}, nc, "tcp")
	c := <-s.conn
	piece := make([]byte, 4<<10)
	for sent, ended := int64(0), false; !ended; {
		if n, err := peer.Write(piece); err == nil {
			sent += int64(n)
		}
		until(t, "read or ended", func() bool {
			ended = isDone(s.done)
			return ended || c.Stats().BytesIn == sent
		})
	}
	s.want(t, duet.EndSlowPeer, duet.ErrSlowPeer)
}

// TestSlowPeer: a peer that does not read is not taken for one that is silent.
func TestSlowPeer(t *testing.T) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			peer, nc := duettest.PipeSize(1 << 10)
			defer peer.Close()
			s := serve(t, handler.Echo{}, nc, "memory")
			sendText(t, peer, "hello")
			wantText(t, peer, "hello")
			time.Sleep(time.Hour) // silent: nothing ends
			begin := time.Now()
			go peer.Write(make([]byte, 1<<20))
			s.want(t, duet.EndSlowPeer, duet.ErrSlowPeer)
			if took := time.Since(begin); took < duet.DefaultSendTimeout || took > duet.DefaultSendTimeout*5/4 {
				t.Errorf("ended after %v", took)
			}
		})
	})
	for _, kind := range []string{"tcp", "unix", "traced"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			peer, nc := ends(t, kind)
			s := serve(t, handler.Echo{Send: 300 * time.Millisecond}, nc, kind)
			flood(t, peer)
			s.want(t, duet.EndSlowPeer, duet.ErrSlowPeer)
		})
	}
}

// TestSlowReader: a peer that takes a little now and then is no slow peer.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, nc := duettest.PipeSize(1 << 10)
		s := serve(t, handler.Echo{}, nc, "memory")
		const size = 256 << 10
		go func() {
			_, _ = io.Copy(peer, random(2, size))
			halfClose(t, peer)
		}()
		wantSum(t, "echo", &sleepy{r: peer, piece: 8 << 10, pause: 2 * time.Second}, 2, size)
		s.want(t, duet.EndPeerClosed, io.EOF)
	})
}

// A sleepy reads a piece, and pauses.
type sleepy struct {
	r     io.Reader
	piece int
	pause time.Duration
}

func (s *sleepy) Read(p []byte) (int, error) {
	time.Sleep(s.pause)
	return io.ReadAtLeast(s.r, p[:min(len(p), s.piece)], 1)
}

func TestIdle(t *testing.T) {
	t.Parallel()
	handlers := map[string]duet.Handler{
		"echo": handler.Echo{Idle: time.Minute}, "discard": handler.Discard{Idle: time.Minute},
		"pipe": &handler.Pipe{Idle: time.Minute},
	}
	for name, h := range handlers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				peer, nc := duettest.Pipe()
				defer peer.Close()
				s := serve(t, h, nc, "memory")
				s.limit = time.Hour
				go io.Copy(io.Discard, peer)
				begin := time.Now()
				for range 5 {
					time.Sleep(50 * time.Second)
					sendText(t, peer, "x")
				}
				s.want(t, duet.EndIdle, duet.ErrIdle)
				if took := time.Since(begin).Round(time.Second); took != 310*time.Second {
					t.Errorf("ended after %v", took)
				}
			})
		})
	}
	for _, kind := range []string{"tcp", "traced"} {
		t.Run(kind, func(t *testing.T) {
			_, nc := ends(t, kind)
			serve(t, handler.Echo{Idle: 50 * time.Millisecond}, nc, kind).want(t, duet.EndIdle, duet.ErrIdle)
		})
	}
}

func TestDiscard(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			peer, nc := ends(t, kind)
			s := serve(t, handler.Discard{}, nc, kind)
			size := bulkSize()
			if _, err := io.Copy(peer, random(1, size)); err != nil {
				t.Fatal(err)
			}
			halfClose(t, peer)
			wantAll(t, peer, "")
			s.want(t, duet.EndPeerClosed, io.EOF)
			if s.stats.BytesIn != size || s.stats.BytesOut != 0 {
				t.Errorf("counted %d in, %d out, want %d and none", s.stats.BytesIn, s.stats.BytesOut, size)
			}

			peer, nc = ends(t, kind)
			s = serve(t, handler.Discard{Framed: true}, nc, kind, func(s *duet.Server) { s.Farewell = "bye" })
			sendText(t, peer, "one\ntwo\nbye\n")
			wantText(t, peer, "Bye\n")
			halfClose(t, peer)
			s.want(t, duet.EndFarewell, nil)
			if s.stats.MessagesIn != 3 {
				t.Errorf("%d messages received", s.stats.MessagesIn)
			}
		})
	}
}

// TestShutdown: handlers that have the bytes leave at once, whatever they wait for.
func TestShutdown(t *testing.T) {
	t.Parallel()
	handlers := map[string]func() duet.Handler{
		"echo":           func() duet.Handler { return handler.Echo{} },
		"discard":        func() duet.Handler { return handler.Discard{} },
		"pipe":           func() duet.Handler { return &handler.Pipe{} },
		"framed echo":    func() duet.Handler { return handler.Echo{Framed: true} },
		"framed discard": func() duet.Handler { return handler.Discard{Framed: true} },
	}
	for name, newHandler := range handlers {
		for _, kind := range kinds {
			t.Run(name+" over "+kind, func(t *testing.T) {
				t.Parallel()
				peer, nc := ends(t, kind)
				s := serve(t, newHandler(), nc, kind)
				sendText(t, peer, "x\n")
				c := <-s.conn
				until(t, "a byte is counted", func() bool { return c.Stats().BytesIn > 0 })
				shutdown(t, s)
				s.want(t, duet.EndShutdown, nil)
			})
		}
	}
	for _, kind := range kinds {
		t.Run("busy echo over "+kind, func(t *testing.T) {
			t.Parallel()
			peer, nc := ends(t, kind)
			s := serve(t, handler.Echo{}, nc, kind)
			go io.Copy(peer, random(1, 1<<40))
			copied := make(chan struct{})
			go func() {
				defer close(copied)
				io.Copy(io.Discard, peer)
			}()
			c := <-s.conn
			until(t, "it is busy", func() bool { return c.Stats().BytesOut > 1<<20 })
			shutdown(t, s)
			s.want(t, duet.EndShutdown, nil)
			peer.Close()
			<-copied
		})
		t.Run("blocked echo over "+kind, func(t *testing.T) {
			t.Parallel()
			peer, nc := ends(t, kind)
			s := serve(t, handler.Echo{Send: -1}, nc, kind)
			flood(t, peer)
			shutdown(t, s)
			s.want(t, duet.EndShutdown, nil)
		})
	}
}

func shutdown(t *testing.T, s *served) {
	t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v after %v", err, time.Since(begin))
	}
}

func TestKick(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]duet.Handler{"echo": handler.Echo{}, "pipe": &handler.Pipe{}, "discard": handler.Discard{}} {
		t.Run(name, func(t *testing.T) {
			_, nc := ends(t, "tcp")
			s := serve(t, h, nc, "tcp")
			(<-s.conn).Kick("")
			s.want(t, duet.EndKicked, nil)
		})
	}
}
