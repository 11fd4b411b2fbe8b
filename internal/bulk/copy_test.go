//go:build unix

package bulk_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"duet.example/duet/internal/bulk"
)

// soon bounds each wait for an event that must happen at once.
const soon = 10 * time.Second

func randomBytes(seed uint64, n int) []byte {
	p := make([]byte, n)
	var key [32]byte
	key[0] = byte(seed)
	rand.NewChaCha8(key).Read(p)
	return p
}

func TestEveryPairingIsExact(t *testing.T) {
	for _, from := range sourceKinds {
		for _, to := range sinkKinds {
			t.Run(from+"→"+to, func(t *testing.T) {
				t.Parallel()
				testExact(t, from, to)
			})
		}
	}
}

// testExact copies bytes that are cut at random points to a reader that pauses. Then it writes to dst, which Copy must not have ended.
func testExact(t *testing.T, from, to string) {
	data := randomBytes(1, 2<<20+4097)
	const more = "and dst is still open"
	src, dst := newSource(t, from, data), newSink(t, to)
	if src.feed != nil {
		go func() {
			defer src.feed.Close()
			for rest := data; len(rest) > 0; {
				n := min(len(rest), 1+rand.IntN(1<<rand.IntN(19)))
				if _, err := src.feed.Write(rest[:n]); err != nil {
					t.Error("feed:", err)
					return
				}
				rest = rest[n:]
			}
		}()
	}
	sum := make(chan []byte, 1)
	if dst.out != nil && !dst.later {
		go func() { sum <- digestSlowly(t, dst.out()) }()
	}
	var counted int64
	n, err := bulk.Copy(t.Context(), dst.w, src.r, func(n int64) {
		if n <= 0 {
			t.Errorf("counted %d", n)
		}
		counted += n
	})
	if strings.HasSuffix(from, "terminal") && errors.Is(err, syscall.EIO) {
		err = nil // so a terminal ends under a read
	}
	if err != nil || n != int64(len(data)) || counted != n {
		t.Fatalf("Copy = %d, %v, want %d bytes; counted %d", n, err, len(data), counted)
	}
	if _, err := io.WriteString(dst.w, more); err != nil {
		t.Fatal("after Copy:", err)
	}
	dst.finish()
	if dst.out == nil {
		return
	}
	if dst.later {
		sum <- digestSlowly(t, dst.out())
	}
	want := sha256.Sum256(append(data, more...))
	if got := <-sum; !bytes.Equal(got, want[:]) {
		t.Fatal("what arrived is not what was sent")
	}
}

func digestSlowly(t *testing.T, r io.Reader) []byte {
	h := sha256.New()
	buf := make([]byte, 300_000)
	for i := 0; ; i++ {
		n, err := r.Read(buf[:1+rand.IntN(len(buf))])
		h.Write(buf[:n])
		if err == io.EOF {
			return h.Sum(nil)
		}
		if err != nil {
			t.Error("drain:", err)
			return nil
		}
		if i%16 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

type outcome struct {
	n   int64
	err error
}

// start runs a Copy. Its outcome comes through the channel.
func start(ctx context.Context, dst io.Writer, src io.Reader, progress func(int64)) chan outcome {
	done := make(chan outcome, 1)
	go func() {
		n, err := bulk.Copy(ctx, dst, src, progress)
		done <- outcome{n, err}
	}()
	return done
}

func await(t *testing.T, done chan outcome) outcome {
	t.Helper()
	select {
	case o := <-done:
		return o
	case <-time.After(soon):
		t.Fatal("Copy does not return")
		panic("unreachable")
	}
}

// cancelAndAwait ends ctx and fails unless Copy returns within a second.
func cancelAndAwait(t *testing.T, cancel context.CancelFunc, done chan outcome) {
	t.Helper()
	begin := time.Now()
	cancel()
	o := await(t, done)
	if took := time.Since(begin); took > time.Second {
		t.Errorf("Copy took %v to return", took)
	}
	var side *bulk.SideError
	if !errors.Is(o.err, context.Canceled) || errors.As(o.err, &side) {
		t.Errorf("Copy = %v, want the context's own error", o.err)
	}
}

// TestCancelWhileSourceIsSilent: Copy returns, and the next Copy reads the byte that comes later.
func TestCancelWhileSourceIsSilent(t *testing.T) {
	for _, from := range sourceKinds {
		if from == "file" || from == "stdin-file" || from == "plain" {
			continue
		}
		for _, to := range []string{"file", "null", "pipe", "blocking-pipe", "tcp", "memory"} {
			t.Run(from+"→"+to, func(t *testing.T) {
				t.Parallel()
				src, dst := newSource(t, from, nil), newSink(t, to)
				if dst.out != nil && !dst.later {
					go io.Copy(io.Discard, dst.out())
					defer dst.finish()
				}
				for range 2 {
					ctx, cancel := context.WithCancel(t.Context())
					moved := make(chan int64, 1)
					done := start(ctx, dst.w, src.r, func(n int64) { moved <- n })
					if _, err := src.feed.Write([]byte("x")); err != nil {
						t.Fatal(err)
					}
					if n := <-moved; n != 1 {
						t.Fatalf("moved %d, want 1", n)
					}
					cancelAndAwait(t, cancel, done)
				}
			})
		}
	}
}

func TestCancelWhileDestinationIsFull(t *testing.T) {
	for _, from := range []string{"file", "pipe", "stdin-pipe", "tcp", "stdin-socket", "plain"} {
		for _, to := range []string{"pipe", "blocking-pipe", "tcp", "unix", "blocking-socket", "memory"} {
			t.Run(from+"→"+to, func(t *testing.T) {
				t.Parallel()
				src, dst := newSource(t, from, make([]byte, 32<<20)), newSink(t, to)
				if src.feed != nil {
					fed := make(chan struct{})
					go func() {
						defer close(fed)
						block := make([]byte, 64<<10)
						for {
							if _, err := src.feed.Write(block); err != nil {
								return
							}
						}
					}()
					defer func() {
						src.feed.Close()
						if c, ok := src.r.(io.Closer); ok {
							c.Close()
						}
						if from != "stdin-pipe" && from != "stdin-socket" {
							<-fed
						}
					}()
				}
				ctx, cancel := context.WithCancel(t.Context())
				progress := make(chan struct{}, 1)
				done := start(ctx, dst.w, src.r, func(int64) {
					select {
					case progress <- struct{}{}:
					default:
					}
				})
				for quiet := false; !quiet; {
					select {
					case <-progress:
					case o := <-done:
						t.Fatalf("Copy = %v, %v", o.n, o.err)
					case <-time.After(100 * time.Millisecond):
						quiet = true
					}
				}
				cancelAndAwait(t, cancel, done)
			})
		}
	}
}

// TestCancelWhileBytesFlow: a copy that never has to wait is stopped too.
func TestCancelWhileBytesFlow(t *testing.T) {
	data := make([]byte, 8<<20)
	flow := func(ctx context.Context, t *testing.T, from, to string, stop func(source)) outcome {
		src, dst := newSource(t, from, data), newSink(t, to)
		if src.feed != nil {
			go func() {
				src.feed.Write(data)
				src.feed.Close()
			}()
		}
		if dst.out != nil {
			go io.Copy(io.Discard, dst.out())
			defer dst.finish()
		}
		stopped := false
		o := await(t, start(ctx, dst.w, src.r, func(int64) {
			if stopped {
				t.Error("Copy goes on")
			}
			stopped = true
			stop(src)
		}))
		if c, ok := src.r.(io.Closer); ok && src.feed != nil {
			c.Close()
		}
		return o
	}
	for _, pair := range [][2]string{
		{"file", "tcp"},
		{"file", "pipe"},
		{"pipe", "null"},
		{"tcp", "null"},
		{"tcp", "tcp"},
		{"tcp", "pipe"},
		{"memory", "plain"},
		{"file", "memory"},
	} {
		t.Run(pair[0]+"→"+pair[1], func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			o := flow(ctx, t, pair[0], pair[1], func(source) { cancel() })
			if o.err != context.Canceled {
				t.Errorf("Copy = %d, %v", o.n, o.err)
			}
		})
	}
	t.Run("Stdin.Cancel", func(t *testing.T) {
		for _, to := range []string{"tcp", "memory"} {
			stop := func(s source) { s.r.(*bulk.Stdin).Cancel() }
			wantSide(t, flow(t.Context(), t, "stdin-file", to, stop).err, "read", bulk.ErrCanceled)
		}
	})
}

func TestContextThatHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n, err := bulk.Copy(ctx, io.Discard, strings.NewReader("x"), nil)
	if n != 0 || err != context.Canceled {
		t.Fatalf("Copy = %d, %v", n, err)
	}
}

// TestDeadlineIsClearedAfterCancel: the connection goes on after a canceled Copy.
func TestDeadlineIsClearedAfterCancel(t *testing.T) {
	a, b := sockets(t, "tcp")
	sink := newSink(t, "null")
	ctx, cancel := context.WithCancel(t.Context())
	done := start(ctx, sink.w, a, nil)
	cancelAndAwait(t, cancel, done)
	if _, err := b.Write([]byte("still here")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	if _, err := io.ReadFull(a, buf); err != nil || string(buf) != "still here" {
		t.Fatalf("read %q, %v", buf, err)
	}
}

func TestErrorsNameTheSide(t *testing.T) {
	reset := func(t *testing.T, c net.Conn) {
		must(t, c.(*net.TCPConn).SetLinger(0))
		must(t, c.Close())
	}
	t.Run("source reset", func(t *testing.T) {
		for _, to := range []string{"pipe", "blocking-pipe", "null", "tcp", "plain"} {
			src, dst := newSource(t, "tcp", nil), newSink(t, to)
			reset(t, src.feed.(net.Conn))
			_, err := bulk.Copy(t.Context(), dst.w, src.r, nil)
			wantSide(t, err, "read", syscall.ECONNRESET)
		}
	})
	t.Run("reader of the pipe gone", func(t *testing.T) {
		for _, from := range []string{"file", "pipe", "stdin-pipe", "tcp", "memory"} {
			src := newSource(t, from, []byte("text"))
			r, w := blockingPipe(t)
			must(t, r.Close())
			if src.feed != nil {
				go src.feed.Write([]byte("text"))
			}
			_, err := bulk.Copy(t.Context(), w, src.r, nil)
			wantSide(t, err, "write", syscall.EPIPE)
		}
	})
	t.Run("closed destination", func(t *testing.T) {
		src, dst := newSource(t, "pipe", nil), newSink(t, "tcp")
		must(t, dst.w.(io.Closer).Close())
		src.feed.Write([]byte("text"))
		_, err := bulk.Copy(t.Context(), dst.w, src.r, nil)
		wantSide(t, err, "write", net.ErrClosed)
	})
	t.Run("closed source", func(t *testing.T) {
		src, dst := newSource(t, "tcp", nil), newSink(t, "pipe")
		must(t, src.r.(io.Closer).Close())
		_, err := bulk.Copy(t.Context(), dst.w, src.r, nil)
		wantSide(t, err, "read", net.ErrClosed)
	})
	t.Run("short write", func(t *testing.T) {
		n, err := bulk.Copy(t.Context(), shortWriter{}, strings.NewReader("text"), nil)
		wantSide(t, err, "write", io.ErrShortWrite)
		if n != 1 {
			t.Errorf("delivered %d, want 1", n)
		}
	})
	t.Run("reader without progress", func(t *testing.T) {
		_, err := bulk.Copy(t.Context(), io.Discard, idleReader{}, nil)
		wantSide(t, err, "read", io.ErrNoProgress)
	})
}

type shortWriter struct{}

func (shortWriter) Write([]byte) (int, error) { return 1, nil }

type idleReader struct{}

func (idleReader) Read([]byte) (int, error) { return 0, nil }

func wantSide(t *testing.T, err error, op string, target error) {
	t.Helper()
	var side *bulk.SideError
	if !errors.As(err, &side) || side.Op != op || !errors.Is(err, target) {
		t.Errorf("error is %v, want %s: %v", err, op, target)
	}
}

// TestCloseWhileWaiting: a Copy that waits does not hold the connection, so the FIN goes out at once.
func TestCloseWhileWaiting(t *testing.T) {
	for _, from := range []string{"pipe", "stdin-pipe"} {
		t.Run("source "+from+" silent", func(t *testing.T) {
			src, dst := newSource(t, from, nil), newSink(t, "tcp")
			moved := make(chan int64, 1)
			done := start(t.Context(), dst.w, src.r, func(n int64) { moved <- n })
			src.feed.Write([]byte("x"))
			<-moved
			must(t, dst.w.(io.Closer).Close())
			peer := dst.out().(net.Conn)
			must(t, peer.SetReadDeadline(time.Now().Add(time.Second)))
			if got, err := io.ReadAll(peer); err != nil || string(got) != "x" {
				t.Fatalf("peer reads %q, %v, want the byte and the end", got, err)
			}
			must(t, src.feed.Close())
			await(t, done)
		})
	}
	t.Run("destination full", func(t *testing.T) {
		src, dst := newSource(t, "tcp", nil), newSink(t, "blocking-pipe")
		go func() {
			for {
				if _, err := src.feed.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}()
		ctx, cancel := context.WithCancel(t.Context())
		progress := make(chan struct{}, 1)
		done := start(ctx, dst.w, src.r, func(int64) {
			select {
			case progress <- struct{}{}:
			default:
			}
		})
		for quiet := false; !quiet; {
			select {
			case <-progress:
			case <-time.After(50 * time.Millisecond):
				quiet = true
			}
		}
		begin := time.Now()
		must(t, src.r.(io.Closer).Close())
		if took := time.Since(begin); took > time.Second {
			t.Errorf("Close took %v", took)
		}
		cancel()
		await(t, done)
	})
}

// TestBothWaysAtOnce runs the two directions of pipe mode over one connection.
func TestBothWaysAtOnce(t *testing.T) {
	a, b := sockets(t, "tcp")
	up, down := randomBytes(2, 8<<20+1), randomBytes(3, 8<<20+3)
	type end struct {
		c    net.Conn
		send []byte
		want []byte
	}
	done := make(chan error, 8)
	for _, e := range []end{{a, up, down}, {b, down, up}} {
		in, feed := blockingPipe(t)
		drain, out := blockingPipe(t)
		src := stdin(t, in)
		go func() {
			_, err := feed.Write(e.send)
			done <- errors.Join(err, feed.Close())
		}()
		go func() {
			_, err := bulk.Copy(t.Context(), e.c, src, nil)
			done <- errors.Join(err, e.c.(*net.TCPConn).CloseWrite())
		}()
		go func() {
			_, err := bulk.Copy(t.Context(), out, e.c, nil)
			done <- errors.Join(err, out.Close())
		}()
		go func() {
			got, err := io.ReadAll(drain)
			if !bytes.Equal(got, e.want) {
				err = errors.Join(err, errors.New("what arrived is not what was sent"))
			}
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestClosedFiles(t *testing.T) {
	r, w, err := os.Pipe()
	must(t, err)
	must(t, r.Close())
	must(t, w.Close())
	_, err = bulk.Copy(t.Context(), io.Discard, r, nil)
	wantSide(t, err, "read", os.ErrClosed)
	_, err = bulk.Copy(t.Context(), w, strings.NewReader("x"), nil)
	wantSide(t, err, "write", os.ErrClosed)
	if _, err := bulk.NewStdin(r); !errors.Is(err, os.ErrClosed) {
		t.Errorf("NewStdin of a closed file: %v", err)
	}
}

// TestEcho copies a connection onto itself.
func TestEcho(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		a, b := sockets(t, network)
		done := start(t.Context(), b, b, nil)
		data := randomBytes(5, 4<<20+5)
		go func() {
			a.Write(data)
			a.(interface{ CloseWrite() error }).CloseWrite()
		}()
		got := make([]byte, len(data))
		if _, err := io.ReadFull(a, got); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%s: what came back is not what was sent: %v", network, err)
		}
		if o := await(t, done); o.err != nil || o.n != int64(len(data)) {
			t.Fatalf("%s: Copy = %d, %v", network, o.n, o.err)
		}
	}
}

// A watchedConn has an AwaitRead method.
type watchedConn struct {
	net.Conn
	wait func() error
}

func (w watchedConn) AwaitRead() error { return w.wait() }

// TestSilentConnectionHoldsNoBuffer: a copy holds no buffer while its source is silent.
func TestSilentConnectionHoldsNoBuffer(t *testing.T) {
	for name, wrap := range map[string]func(net.Conn) io.Reader{
		"plain": func(c net.Conn) io.Reader { return c },
		"watched": func(c net.Conn) io.Reader {
			raw, err := c.(*net.TCPConn).SyscallConn()
			must(t, err)
			return watchedConn{c, func() error {
				return raw.Read(func(fd uintptr) bool {
					_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
					return err != syscall.EAGAIN && err != syscall.EINTR
				})
			}}
		},
	} {
		t.Run(name, func(t *testing.T) { testHoldsNoBuffer(t, wrap) })
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // frees the buffers that the pools gave up at the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestSilentPipeHoldsNoBuffer is TestSilentConnectionHoldsNoBuffer for pipes.
func TestSilentPipeHoldsNoBuffer(t *testing.T) {
	const pipes = 64
	ctx, cancel := context.WithCancel(t.Context())
	var srcs []source
	var dsts []sink
	for range pipes {
		srcs, dsts = append(srcs, newSource(t, "pipe", nil)), append(dsts, newSink(t, "tcp"))
	}
	before := heap()
	var copies []chan outcome
	for i, src := range srcs {
		moved := make(chan int64, 1)
		copies = append(copies, start(ctx, dsts[i].w, src.r, func(n int64) { moved <- n }))
		src.feed.Write([]byte("x"))
		<-moved
	}
	grown := heap() - before
	for end := time.Now().Add(soon); grown > pipes*16<<10 && time.Now().Before(end); {
		grown = heap() - before // some copies may be on their way to the wait
	}
	if grown > pipes*16<<10 {
		t.Errorf("%d silent copies hold %d bytes", pipes, grown)
	}
	cancel()
	for _, done := range copies {
		await(t, done)
	}
}

func testHoldsNoBuffer(t *testing.T, wrap func(net.Conn) io.Reader) {
	const conns = 64
	ctx, cancel := context.WithCancel(t.Context())
	var srcs, dsts []net.Conn
	for range conns {
		a, b := sockets(t, "tcp")
		c, d := net.Pipe()
		closeLater(t, c, d)
		go io.Copy(io.Discard, d)
		srcs, dsts = append(srcs, a, b), append(dsts, c)
	}
	before := heap()
	var copies []chan outcome
	for i, dst := range dsts {
		moved := make(chan int64, 1)
		copies = append(copies, start(ctx, dst, wrap(srcs[2*i+1]), func(n int64) { moved <- n }))
		srcs[2*i].Write([]byte("x"))
		<-moved
	}
	if grown := heap() - before; grown > conns*16<<10 {
		t.Errorf("%d silent copies hold %d bytes", conns, grown)
	}
	cancel()
	for _, done := range copies {
		await(t, done)
	}
}
