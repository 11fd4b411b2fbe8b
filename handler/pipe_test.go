package handler_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
	"duet.example/duet/handler"
)

// filePipe makes a pipe of the system: r reads the bytes that w writes.
func filePipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return r, w
}

// TestPipeTransfers moves much both ways at once, between the peer and each kind of input and output.
func TestPipeTransfers(t *testing.T) {
	tests := []struct {
		kind, in, out string
	}{
		{"tcp", "pipe", "pipe"},
		{"tcp", "file", "file"},
		{"tcp", "socket", "socket"},
		{"tcp", "reader", "writer"},
		{"unix", "pipe", "pipe"},
		{"unix", "file", "writer"},
		{"memory", "pipe", "pipe"},
		{"memory", "memory", "memory"},
		{"traced", "pipe", "pipe"},
		{"traced", "reader", "file"},
	}
	for _, tt := range tests {
		t.Run(tt.kind+" "+tt.in+" "+tt.out, func(t *testing.T) {
			size := bulkSize()
			peer, nc := ends(t, tt.kind)
			in := newInput(t, tt.in, size)
			out, drain := newOutput(t, tt.out)
			s := serve(t, &handler.Pipe{In: in, Out: out}, nc, tt.kind)
			said := make(chan struct{})
			go func() {
				defer close(said)
				if _, err := io.Copy(peer, random(2, size+1)); err != nil {
					t.Errorf("peer: %v", err)
				}
				halfClose(t, peer)
			}()
			heard := make(chan struct{})
			go func() {
				defer close(heard)
				drain(size + 1)
			}()
			wantSum(t, "the peer heard", peer, 1, size)
			<-said
			s.want(t, duet.EndPeerClosed, io.EOF)
			if c, ok := out.(io.Closer); ok {
				must(t, c.Close())
			}
			<-heard
			if s.stats.BytesIn != size+1 || s.stats.BytesOut != size {
				t.Errorf("counted %d in, %d out, want %d and %d", s.stats.BytesIn, s.stats.BytesOut, size+1, size)
			}
		})
	}
}

// newInput gives size bytes of seed 1.
func newInput(t *testing.T, kind string, size int64) io.Reader {
	feed := func(w io.WriteCloser) {
		go func() {
			defer w.Close()
			if _, err := io.Copy(w, random(1, size)); err != nil {
				t.Errorf("input: %v", err)
			}
		}()
	}
	switch kind {
	case "pipe":
		r, w := filePipe(t)
		feed(w)
		return r
	case "file":
		f := get(os.Create(filepath.Join(t.TempDir(), "in")))(t)
		t.Cleanup(func() { f.Close() })
		get(io.Copy(f, random(1, size)))(t)
		get(f.Seek(0, io.SeekStart))(t)
		return f
	case "socket", "memory":
		w, r := ends(t, map[string]string{"socket": "tcp", "memory": "memory"}[kind])
		t.Cleanup(func() { r.Close() })
		feed(w)
		return r
	}
	return struct{ io.Reader }{random(1, size)}
}

// newOutput's drain wants size bytes of seed 2 to have come out.
func newOutput(t *testing.T, kind string) (w io.Writer, drain func(size int64)) {
	from := func(r io.Reader) func(int64) {
		return func(size int64) { wantSum(t, "the output", r, 2, size) }
	}
	switch kind {
	case "pipe":
		r, w := filePipe(t)
		return w, from(r)
	case "file":
		name := filepath.Join(t.TempDir(), "out")
		f := get(os.Create(name))(t)
		return f, func(size int64) {
			until(t, "the file is whole", func() bool { return get(os.Stat(name))(t).Size() >= size })
			r := get(os.Open(name))(t)
			defer r.Close()
			wantSum(t, "the output", r, 2, size)
		}
	case "socket", "memory":
		r, w := ends(t, map[string]string{"socket": "tcp", "memory": "memory"}[kind])
		return w, from(r)
	}
	r, pw := io.Pipe()
	return pw, from(r)
}

// TestPipeOurEndFirst: the end of In is FIN, and the answer to it is heard.
func TestPipeOurEndFirst(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			peer, nc := ends(t, kind)
			var out bytes.Buffer
			s := serve(t, &handler.Pipe{In: strings.NewReader("question"), Out: &out}, nc, kind)
			wantAll(t, peer, "question")
			sendText(t, peer, "an")
			sendText(t, peer, "swer")
			halfClose(t, peer)
			s.want(t, duet.EndPeerClosed, io.EOF)
			if out.String() != "answer" {
				t.Errorf("output: %q", &out)
			}
		})
	}
}

// TestPipePeersEndFirst: In goes on after the peer's FIN, and its end ends it.
func TestPipePeersEndFirst(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			peer, nc := ends(t, kind)
			in, feed := filePipe(t)
			r, out := filePipe(t)
			s := serve(t, &handler.Pipe{In: in, Out: out, HalfOpen: -1}, nc, kind)
			sendText(t, peer, "question")
			halfClose(t, peer)
			wantText(t, r, "question")
			for range 3 {
				sendText(t, feed, "answer")
				wantText(t, peer, "answer")
			}
			must(t, feed.Close())
			wantAll(t, peer, "")
			s.want(t, duet.EndPeerClosed, io.EOF)
		})
	}
}

// TestPipeHalfOpen: after the peer's FIN a silent In ends it.
func TestPipeHalfOpen(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		halfOpen time.Duration
		said     []time.Duration // when In delivers, after the peer's FIN
		ends     time.Duration
	}{
		{"silent", 0, nil, time.Second},
		{"longer", time.Minute, nil, time.Minute},
		{"delivers", 0, []time.Duration{900 * time.Millisecond, 1800 * time.Millisecond, 2700 * time.Millisecond}, 3700 * time.Millisecond},
		{"shorter", time.Millisecond, nil, time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				peer, nc := duettest.Pipe()
				in, feed := duettest.Pipe()
				s := serve(t, &handler.Pipe{In: in, HalfOpen: tt.halfOpen}, nc, "memory")
				s.limit = time.Hour
				time.Sleep(time.Hour) // before the peer's FIN silence is nothing
				begin := time.Now()
				halfClose(t, peer)
				for _, d := range tt.said {
					time.Sleep(time.Until(begin.Add(d)))
					sendText(t, feed, "x")
				}
				wantAll(t, peer, strings.Repeat("x", len(tt.said)))
				s.want(t, duet.EndPeerClosed, io.EOF)
				if took := time.Since(begin); took != tt.ends {
					t.Errorf("ended after %v, want %v", took, tt.ends)
				}
			})
		})
	}
	t.Run("for ever", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			peer, nc := duettest.Pipe()
			in, feed := duettest.Pipe()
			s := serve(t, &handler.Pipe{In: in, HalfOpen: -1, Idle: time.Minute}, nc, "memory")
			halfClose(t, peer)
			time.Sleep(time.Hour)
			sendText(t, feed, "still here")
			must(t, feed.Close())
			wantAll(t, peer, "still here")
			s.want(t, duet.EndPeerClosed, io.EOF)
		})
	})
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			peer, nc := ends(t, kind)
			in, _ := filePipe(t)
			s := serve(t, &handler.Pipe{In: in, HalfOpen: 50 * time.Millisecond}, nc, kind)
			halfClose(t, peer)
			wantAll(t, peer, "")
			s.want(t, duet.EndPeerClosed, io.EOF)
		})
	}
}

// TestPipeHalfOpenIsNotSilence: an In whose bytes the peer does not take is not silent, and a cut is no good end.
func TestPipeHalfOpenIsNotSilence(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			peer, nc := ends(t, kind)
			in, feed := filePipe(t)
			s := serve(t, &handler.Pipe{In: in, HalfOpen: 300 * time.Millisecond, Send: 2 * time.Second}, nc, kind)
			flood(t, feed)
			halfClose(t, peer)
			s.want(t, duet.EndSlowPeer, duet.ErrSlowPeer)
		})
	}
}

func TestPipeReset(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"tcp", "memory", "traced"} {
		t.Run(kind, func(t *testing.T) {
			peer, nc := ends(t, kind)
			in, feed := filePipe(t)
			r, out := filePipe(t)
			s := serve(t, &handler.Pipe{In: in, Out: out}, nc, kind)
			sendText(t, feed, "one")
			wantText(t, peer, "one")
			sendText(t, peer, "two")
			wantText(t, r, "two")
			cut(t, peer)
			s.want(t, duet.EndReset, syscall.ECONNRESET)
		})
		t.Run("busy "+kind, func(t *testing.T) {
			peer, nc := ends(t, kind)
			in, feed := filePipe(t)
			s := serve(t, &handler.Pipe{In: in}, nc, kind)
			flood(t, feed)
			cut(t, peer)
			s.want(t, duet.EndReset, nil)
		})
	}
}

// TestPipePeerGone: the peer closes altogether while In has bytes, or before it has. Out still gets its bytes.
func TestPipePeerGone(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run("unread "+kind, func(t *testing.T) {
			t.Parallel()
			peer, nc := ends(t, kind)
			in, feed := filePipe(t)
			var out bytes.Buffer
			s := serve(t, &handler.Pipe{In: in, Out: &out}, nc, kind)
			flood(t, feed)
			sendText(t, peer, "enough")
			must(t, peer.Close())
			s.want(t, duet.EndReset, nil)
			if out.String() != "enough" {
				t.Errorf("output: %q", &out)
			}
		})
		t.Run("late "+kind, func(t *testing.T) {
			t.Parallel()
			peer, nc := ends(t, kind)
			in, feed := filePipe(t)
			r, out := filePipe(t)
			s := serve(t, &handler.Pipe{In: in, Out: out, HalfOpen: 2 * time.Second}, nc, kind)
			sendText(t, peer, "enough")
			must(t, peer.Close())
			wantText(t, r, "enough")
			sendText(t, feed, "this is lost")
			s.want(t, duet.EndReset, nil)
		})
		t.Run("late, and then the end of In "+kind, func(t *testing.T) {
			t.Parallel()
			peer, nc := ends(t, kind)
			in, feed := filePipe(t)
			s := serve(t, &handler.Pipe{In: in, HalfOpen: -1}, nc, kind)
			must(t, peer.Close())
			sendText(t, feed, "this is lost")
			c := <-s.conn
			until(t, "it has left, or failed", func() bool {
				return c.Stats().BytesOut > 0 || c.Stats().BytesIn < 0 || isDone(s.done)
			})
			must(t, feed.Close())
			s.want(t, duet.EndReset, nil)
		})
	}
}

// TestPipeDeafPeer: a peer that takes nothing any more, and stays silent itself, is gone.
func TestPipeDeafPeer(t *testing.T) {
	t.Parallel()
	peer, nc := ends(t, "unix")
	in, feed := filePipe(t)
	s := serve(t, &handler.Pipe{In: in}, nc, "unix")
	must(t, peer.(*net.UnixConn).CloseRead())
	sendText(t, feed, "this is lost")
	s.want(t, duet.EndReset, syscall.EPIPE)
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestPipeSlowPeer(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			_, nc := ends(t, kind)
			in, feed := filePipe(t)
			s := serve(t, &handler.Pipe{In: in, Send: 400 * time.Millisecond}, nc, kind)
			flood(t, feed)
			s.want(t, duet.EndSlowPeer, duet.ErrSlowPeer)
		})
	}
	t.Run("default", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, nc := duettest.Pipe()
			s := serve(t, &handler.Pipe{In: random(1, 1<<30)}, nc, "memory")
			begin := time.Now()
			s.want(t, duet.EndSlowPeer, duet.ErrSlowPeer)
			if took := time.Since(begin); took < duet.DefaultSendTimeout || took > duet.DefaultSendTimeout*5/4 {
				t.Errorf("ended after %v", took)
			}
		})
	})
	t.Run("never", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			peer, nc := duettest.PipeSize(10)
			s := serve(t, &handler.Pipe{In: random(1, 1000), Send: -1}, nc, "memory")
			time.Sleep(time.Hour)
			wantSum(t, "the peer heard", peer, 1, 1000)
			must(t, peer.Close())
			s.want(t, duet.EndPeerClosed, io.EOF)
		})
	})
}

// TestPipeSlowReader: slow is not stuck.
func TestPipeSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, nc := duettest.PipeSize(1 << 10)
		const size = 300 << 10
		s := serve(t, &handler.Pipe{In: random(1, size)}, nc, "memory")
		s.limit = time.Hour
		begin := time.Now()
		wantSum(t, "the peer heard", &sleepy{r: peer, piece: 1 << 10, pause: 200 * time.Millisecond}, 1, size)
		halfClose(t, peer)
		s.want(t, duet.EndPeerClosed, io.EOF)
		if time.Since(begin) < duet.DefaultSendTimeout {
			t.Error("the peer was not slow")
		}
	})
}

// TestPipeSlowReaderTCP: a peer that empties the system's buffer is not too slow, although the buffer takes no more for longer than Send.
func TestPipeSlowReaderTCP(t *testing.T) {
	t.Parallel()
	peer, nc := ends(t, "tcp")
	must(t, nc.(*net.TCPConn).SetWriteBuffer(512<<10))
	must(t, peer.(*net.TCPConn).SetReadBuffer(32<<10))
	const size = 1400 << 10
	s := serve(t, &handler.Pipe{In: newInput(t, "pipe", size), Send: 1500 * time.Millisecond}, nc, "tcp")
	wantSum(t, "the peer heard", &sleepy{r: peer, piece: 16 << 10, pause: 100 * time.Millisecond}, 1, size)
	must(t, peer.Close())
	s.want(t, duet.EndPeerClosed, io.EOF)
}

// TestPipeFullOutput: a peer whose bytes wait for Out is not idle.
func TestPipeFullOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, nc := duettest.Pipe()
		out, r := duettest.PipeSize(100)
		s := serve(t, &handler.Pipe{Out: out, Idle: time.Second}, nc, "memory")
		s.limit = time.Hour
		sendText(t, peer, strings.Repeat("x", 1000))
		time.Sleep(time.Minute)
		halfClose(t, peer)
		wantText(t, r, strings.Repeat("x", 1000))
		s.want(t, duet.EndPeerClosed, io.EOF)
	})
}

// TestPipeStops: the end of the conversation ends every wait.
func TestPipeStops(t *testing.T) {
	t.Parallel()
	waits := map[string]func(t *testing.T, kind string) *served{
		"silent": func(t *testing.T, kind string) *served {
			_, nc := ends(t, kind)
			in, _ := filePipe(t)
			_, out := filePipe(t)
			return serve(t, &handler.Pipe{In: in, Out: out}, nc, kind)
		},
		"half-open": func(t *testing.T, kind string) *served {
			peer, nc := ends(t, kind)
			in, _ := filePipe(t)
			r, out := filePipe(t)
			s := serve(t, &handler.Pipe{In: in, Out: out, HalfOpen: -1, Send: -1}, nc, kind)
			sendText(t, peer, "x")
			halfClose(t, peer)
			wantText(t, r, "x")
			return s
		},
		"output full": func(t *testing.T, kind string) *served {
			peer, nc := ends(t, kind)
			in, _ := filePipe(t)
			_, out := filePipe(t)
			s := serve(t, &handler.Pipe{In: in, Out: out, Send: -1}, nc, kind)
			flood(t, peer)
			return s
		},
		"peer full": func(t *testing.T, kind string) *served {
			_, nc := ends(t, kind)
			in, feed := filePipe(t)
			s := serve(t, &handler.Pipe{In: in, Send: -1}, nc, kind)
			flood(t, feed)
			return s
		},
	}
	for name, wait := range waits {
		for _, kind := range kinds {
			t.Run("shutdown, "+name+", "+kind, func(t *testing.T) {
				t.Parallel()
				s := wait(t, kind)
				<-s.conn
				shutdown(t, s)
				s.want(t, duet.EndShutdown, nil)
			})
			t.Run("close, "+name+", "+kind, func(t *testing.T) {
				t.Parallel()
				s := wait(t, kind)
				<-s.conn
				must(t, s.Close())
				s.want(t, duet.EndShutdown, nil)
			})
		}
	}
}

// TestPipeContext: the end of ctx ends it as closed, and names ctx's end as the cause.
func TestPipeContext(t *testing.T) {
	t.Parallel()
	in, feed := filePipe(t)
	client, nc := ends(t, "tcp")
	c := (&duet.Dialer{Options: duet.Options{CloseTimeout: 100 * time.Millisecond}}).NewConn(nc)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- (&handler.Pipe{In: in}).ServeConn(ctx, c) }()
	sendText(t, feed, "x")
	wantText(t, client, "x")
	cancel()
	select {
	case err := <-done:
		if duet.ReasonOf(err) != duet.EndClosed || !errors.Is(err, context.Canceled) {
			t.Errorf("ServeConn: %v", err)
		}
	case <-time.After(soon):
		t.Fatal("ServeConn does not return")
	}
	must(t, client.Close())
	must(t, c.Close())
	// The input is as it was.
	sendText(t, feed, "y")
	wantText(t, in, "y")
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }

var errFails = errors.New("fails")

// TestPipeOutputFails: its reader has gone, or it cannot be written.
func TestPipeOutputFails(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			peer, nc := ends(t, kind)
			in, _ := filePipe(t)
			r, out := filePipe(t)
			must(t, r.Close())
			s := serve(t, &handler.Pipe{In: in, Out: out}, nc, kind)
			sendText(t, peer, "x")
			s.want(t, duet.EndClosed, syscall.EPIPE)
			if s.err != nil && !strings.Contains(s.err.Error(), "output: ") {
				t.Errorf("error does not name the output: %v", s.err)
			}

			peer, nc = ends(t, kind)
			s = serve(t, &handler.Pipe{In: in, Out: failing{errFails}}, nc, kind)
			sendText(t, peer, "x")
			s.want(t, duet.EndHandlerFailed, errFails)
		})
	}
}

// TestPipeInputFails: the peer must not take its part for the whole.
func TestPipeInputFails(t *testing.T) {
	t.Parallel()
	peer, nc := ends(t, "tcp")
	s := serve(t, &handler.Pipe{In: io.MultiReader(strings.NewReader("half"), failing{errFails})}, nc, "tcp")
	s.want(t, duet.EndHandlerFailed, errFails)
	if _, err := io.ReadAll(peer); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the peer reads to %v, want a reset", err)
	}

	f, _ := filePipe(t)
	must(t, f.Close())
	_, nc = ends(t, "tcp")
	serve(t, &handler.Pipe{In: f}, nc, "tcp").want(t, duet.EndHandlerFailed, os.ErrClosed)
}

// TestPipeOneAfterAnother: the second conversation goes on where the first left the input; a second one at the same time is refused.
func TestPipeOneAfterAnother(t *testing.T) {
	t.Parallel()
	in, feed := filePipe(t)
	r, out := filePipe(t)
	h := &handler.Pipe{In: in, Out: out, HalfOpen: 50 * time.Millisecond}
	for _, text := range []string{"one", "two"} {
		peer, nc := ends(t, "tcp")
		s := serve(t, h, nc, "tcp")
		sendText(t, feed, text)
		wantText(t, peer, text)

		_, other := ends(t, "tcp")
		second := serve(t, h, other, "tcp")
		second.want(t, duet.EndRefused, nil)

		sendText(t, peer, text)
		wantText(t, r, text)
		halfClose(t, peer)
		wantAll(t, peer, "")
		s.want(t, duet.EndPeerClosed, io.EOF)
	}
	must(t, feed.Close())
	for range 2 {
		peer, nc := ends(t, "tcp")
		s := serve(t, h, nc, "tcp")
		wantAll(t, peer, "")
		must(t, peer.Close())
		s.want(t, duet.EndPeerClosed, io.EOF)
	}
}

func TestZeroPipe(t *testing.T) {
	peer, nc := ends(t, "tcp")
	s := serve(t, new(handler.Pipe), nc, "tcp")
	wantAll(t, peer, "")
	sendText(t, peer, "whatever")
	must(t, peer.Close())
	s.want(t, duet.EndPeerClosed, io.EOF)
}

// TestReadAhead: bytes that were read before Raw are not lost.
func TestReadAhead(t *testing.T) {
	for _, kind := range kinds {
		peer, nc := ends(t, kind)
		h := duet.HandlerFunc(func(ctx context.Context, c *duet.Conn) error {
			if m, err := c.Receive(ctx); err != nil || string(m.Body) != "first" {
				return errors.New("not the first line")
			}
			return handler.Echo{}.ServeConn(ctx, c)
		})
		s := serve(t, h, nc, kind)
		sendText(t, peer, "first\nsecond\nthi")
		halfClose(t, peer)
		wantAll(t, peer, "second\nthi")
		s.want(t, duet.EndPeerClosed, io.EOF)
	}
}
