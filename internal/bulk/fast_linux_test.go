package bulk

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestKernelCopies holds the pairings which must not fall back in silence.
func TestKernelCopies(t *testing.T) {
	text := []byte("a few bytes")
	sources := map[string]func() io.Reader{
		"file": func() io.Reader {
			name := filepath.Join(t.TempDir(), "src")
			check(t, os.WriteFile(name, text, 0o600))
			f, err := os.Open(name)
			check(t, err)
			t.Cleanup(func() { f.Close() })
			return f
		},
		"pipe": func() io.Reader {
			r, w := pipePair(t)
			w.Write(text)
			w.Close()
			return r
		},
		"stdin": func() io.Reader {
			r, w := pipePair(t)
			w.Write(text)
			w.Close()
			s, err := NewStdin(r)
			check(t, err)
			t.Cleanup(func() { s.Close() })
			return s
		},
		"tcp": func() io.Reader {
			a, b := tcpPair(t)
			a.Write(text)
			a.CloseWrite()
			return b
		},
	}
	sinks := map[string]func() (io.Writer, func() io.Reader){
		"null": func() (io.Writer, func() io.Reader) {
			f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			check(t, err)
			t.Cleanup(func() { f.Close() })
			return f, nil
		},
		"file": func() (io.Writer, func() io.Reader) {
			f, err := os.Create(filepath.Join(t.TempDir(), "dst"))
			check(t, err)
			t.Cleanup(func() { f.Close() })
			return f, func() io.Reader { f.Seek(0, io.SeekStart); return f }
		},
		"pipe": func() (io.Writer, func() io.Reader) {
			r, w := pipePair(t)
			return w, func() io.Reader { w.Close(); return r }
		},
		"tcp": func() (io.Writer, func() io.Reader) {
			a, b := tcpPair(t)
			return a, func() io.Reader { a.CloseWrite(); return b }
		},
	}
	for from, newSource := range sources {
		for to, newSink := range sinks {
			if from == "file" && (to == "file" || to == "null") {
				continue
			}
			t.Run(from+"→"+to, func(t *testing.T) {
				dst, out := newSink()
				r, err := openRead(newSource())
				check(t, err)
				defer r.release()
				w, err := openWrite(dst)
				check(t, err)
				defer w.release()
				m := &meter{}
				handled, err := fast(t.Context(), w, r, m)
				if !handled || err != nil || m.total != int64(len(text)) {
					t.Fatalf("fast = %v, %v, %d bytes", handled, err, m.total)
				}
				if out == nil {
					return
				}
				if got, err := io.ReadAll(out()); err != nil || !bytes.Equal(got, text) {
					t.Fatalf("arrived: %q, %v", got, err)
				}
			})
		}
	}
}

// TestKernelCopiesAfterWaiting: neither a source that is silent for a while nor
// a destination that is full makes the copy fall back.
func TestKernelCopiesAfterWaiting(t *testing.T) {
	type ends struct {
		src, dst, feed, out any
	}
	for name, e := range map[string]func() ends{
		"pipe→tcp": func() ends { r, w := pipePair(t); a, b := tcpPair(t); return ends{r, a, w, b} },
		"tcp→pipe": func() ends { a, b := tcpPair(t); r, w := pipePair(t); return ends{b, w, a, r} },
		"tcp→tcp":  func() ends { a, b := tcpPair(t); c, d := tcpPair(t); return ends{b, c, a, d} },
	} {
		t.Run(name, func(t *testing.T) {
			e := e()
			r, err := openRead(e.src.(io.Reader))
			check(t, err)
			defer r.release()
			w, err := openWrite(e.dst.(io.Writer))
			check(t, err)
			defer w.release()
			feed, out := e.feed.(io.WriteCloser), e.out.(io.Reader)
			moved, fed := make(chan int64, 1<<20), make(chan error, 1)
			m := &meter{tell: func(n int64) { moved <- n }}
			const size = 16 << 20
			go func() {
				defer feed.Close()
				for range 20 { // silent until each byte has passed
					if _, err := feed.Write([]byte("x")); err != nil {
						fed <- err
						return
					}
					<-moved
					io.ReadFull(out, make([]byte, 1))
				}
				go func() {
					for range 20 { // full until the reader goes on
						time.Sleep(5 * time.Millisecond)
						io.ReadFull(out, make([]byte, 256<<10))
					}
					io.Copy(io.Discard, out)
				}()
				_, err := feed.Write(make([]byte, size))
				fed <- err
			}()
			handled, err := fast(t.Context(), w, r, m)
			if !handled || err != nil || m.total != size+20 {
				t.Errorf("fast = %v, %v, %d bytes", handled, err, m.total)
			}
			check(t, <-fed)
		})
	}
}

// TestChannelGoesOutFirst: where dst refuses splice, as a file in append mode
// does, what is in the channel is written before the portable path goes on.
func TestChannelGoesOutFirst(t *testing.T) {
	a, b := tcpPair(t)
	name := filepath.Join(t.TempDir(), "dst")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	check(t, err)
	defer f.Close()
	r, err := openRead(b)
	check(t, err)
	w, err := openWrite(f)
	check(t, err)
	first := strings.Repeat("first ", LittleMost/2) // much
	a.Write([]byte(first))
	m := &meter{}
	if handled, err := fast(t.Context(), w, r, m); handled || err != nil {
		t.Fatalf("fast = %v, %v, want to be told to go on", handled, err)
	}
	a.Write([]byte("second"))
	a.CloseWrite()
	check(t, portable(t.Context(), w, r, m))
	if got, _ := os.ReadFile(name); string(got) != first+"second" || m.total != int64(len(got)) {
		t.Fatalf("file holds %d bytes, counted %d", len(got), m.total)
	}
}

// TestBlindDescriptor copies through descriptors that have no non-blocking
// calls, and cancels them.
func TestBlindDescriptor(t *testing.T) {
	in, feed := pipePair(t)
	drain, out := pipePair(t)
	src, err := openRead(in)
	check(t, err)
	defer src.release()
	dst, err := openWrite(out)
	check(t, err)
	defer dst.release()
	src.desc.blind, dst.desc.blind = true, true
	data := bytes.Repeat([]byte("0123456789"), 30_000)
	go func() { feed.Write(data); feed.Close() }()
	got := make(chan []byte, 1)
	go func() { p, _ := io.ReadAll(io.LimitReader(drain, int64(len(data)))); got <- p }()
	check(t, portable(t.Context(), dst, src, &meter{}))
	if !bytes.Equal(<-got, data) {
		t.Fatal("what arrived is not what was sent")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	defer context.AfterFunc(ctx, dst.interrupt)()
	n, err := dst.writer.Write(make([]byte, 1<<20))
	if n == 0 || n == 1<<20 || err != errInterrupted {
		t.Fatalf("Write into a full pipe = %d, %v", n, err)
	}
}

// TestLowWater: the mark is up while bulk flows, and comes down by itself, so
// that the tail of a burst is reported while the connection stays open.
func TestLowWater(t *testing.T) {
	a, b := tcpPair(t)
	r, err := openRead(b)
	check(t, err)
	l := newLowWater(r.desc)
	defer l.close()
	if got := mark(t, b); got > 1 {
		t.Fatalf("at first the mark is %d", got)
	}
	up := 0
	for round := range 25 {
		l.add(lowWaterBulk)
		if mark(t, b) == lowWaterMark {
			up++ // unless the machine was busy for a whole period
		}
		a.Write([]byte("tail"))
		check(t, b.SetReadDeadline(time.Now().Add(time.Second)))
		if err := r.desc.wait(); err != nil {
			t.Fatalf("round %d: the tail is not reported: %v", round, err)
		}
		if n, err := b.Read(make([]byte, 10)); n != 4 || err != nil {
			t.Fatalf("round %d: Read = %d, %v", round, n, err)
		}
		if got := mark(t, b); got > 1 {
			t.Fatalf("round %d: afterwards the mark is %d", round, got)
		}
	}
	if up == 0 {
		t.Fatal("in bulk the mark was never up")
	}
	l.add(lowWaterBulk)
	l.close()
	if got := mark(t, b); got > 1 {
		t.Fatalf("once closed the mark is %d", got)
	}
}

// TestLowWaterStaysUp: the mark comes down only after a period with less than
// 1 MiB in it, and a trickle never raises it.
func TestLowWaterStaysUp(t *testing.T) {
	_, b := tcpPair(t)
	r, err := openRead(b)
	check(t, err)
	l := newLowWater(r.desc)
	defer l.close()
	l.add(lowWaterBulk - 1)
	if got := mark(t, b); got > 1 {
		t.Fatalf("below 1 MiB the mark is %d", got)
	}
	l.add(1)
	l.timer.Stop() // the test ticks
	for range 3 {
		l.add(lowWaterBulk)
		l.tick()
		if got := mark(t, b); got != lowWaterMark {
			t.Fatalf("in bulk the mark is %d", got)
		}
	}
	l.timer.Stop()
	l.tick()
	if got := mark(t, b); got > 1 {
		t.Fatalf("after a quiet period the mark is %d", got)
	}
}

func mark(t *testing.T, c *net.TCPConn) (v int) {
	t.Helper()
	raw, err := c.SyscallConn()
	check(t, err)
	check(t, raw.Control(func(fd uintptr) { v, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT) }))
	check(t, err)
	return v
}

func pipePair(t *testing.T) (r, w *os.File) {
	t.Helper()
	var p [2]int
	check(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
	r, w = os.NewFile(uintptr(p[0]), "r"), os.NewFile(uintptr(p[1]), "w")
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// TestNothingStaysCorked sends what takes 16 buffers of a pipe exactly, which
// splice(2) alone would leave in the socket's queue for 200 ms.
func TestNothingStaysCorked(t *testing.T) {
	const buffers, rounds, stall = 16, 10, 200 * time.Millisecond
	var p [2]int
	// Packet mode: each write is a buffer.
	check(t, unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_DIRECT))
	in, feed := os.NewFile(uintptr(p[0]), "r"), os.NewFile(uintptr(p[1]), "w")
	defer in.Close()
	defer feed.Close()
	a, b := tcpPair(t)
	part := bytes.Repeat([]byte("x"), 100)
	var took time.Duration
	for range rounds {
		for range buffers {
			if _, err := feed.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		begin := time.Now()
		go func() { _, err := Copy(ctx, a, in, nil); done <- err }()
		if _, err := io.ReadFull(b, make([]byte, buffers*len(part))); err != nil {
			t.Fatal(err)
		}
		took += time.Since(begin)
		cancel()
		if err := <-done; err != context.Canceled {
			t.Error(err)
		}
	}
	if took > rounds*stall/2 {
		t.Errorf("%d small bursts took %v", rounds, took)
	}
}

// TestDescriptorsComeBack: a Copy leaves no descriptor behind, however it ends.
func TestDescriptorsComeBack(t *testing.T) {
	a, b := tcpPair(t)
	c, d := tcpPair(t)
	in, _ := pipePair(t)
	_, out := pipePair(t)
	before := openDescriptors(t)
	for range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 3)
		moved := make(chan int64, 1)
		go func() { _, err := Copy(ctx, c, b, func(n int64) { moved <- n }); done <- err }()
		go func() { _, err := Copy(ctx, a, in, nil); done <- err }()
		go func() { _, err := Copy(ctx, out, d, nil); done <- err }()
		a.Write([]byte("x")) // the channel between b and c is made
		<-moved
		cancel()
		for range cap(done) {
			if err := <-done; err != context.Canceled {
				t.Fatal(err)
			}
		}
		s, err := NewStdin(in)
		check(t, err)
		check(t, s.Close())
	}
	if after := openDescriptors(t); after != before {
		t.Fatalf("%d descriptors were open, now %d", before, after)
	}
}

// TestIdleHoldsNoPipe: copies between sockets that have spoken and say nothing share a few pipes, and hold none each.
func TestIdleHoldsNoPipe(t *testing.T) {
	const copies = 40
	ctx, cancel := context.WithCancel(t.Context())
	var conns []*net.TCPConn
	for range copies {
		a, b := tcpPair(t)
		conns = append(conns, a, b)
	}
	before := openDescriptors(t)
	done := make(chan error, copies)
	for i := range copies {
		b := conns[2*i+1]
		go func() { _, err := Copy(ctx, b, b, nil); done <- err }()
	}
	for range 3 {
		for i := range copies {
			a := conns[2*i]
			if _, err := a.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(a, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if held := openDescriptors(t) - before; held > 2*(maxSpare+2) {
		t.Errorf("%d idle copies hold %d descriptors", copies, held)
	}
	cancel()
	for range copies {
		if err := <-done; err != context.Canceled {
			t.Error(err)
		}
	}
	if held := openDescriptors(t) - before; held != 0 {
		t.Errorf("%d descriptors are held by nobody", held)
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	check(t, err)
	return len(names)
}

// TestFilesThatTellNoSize: the kernel's own files refuse sendfile or say that
// they are empty.
func TestFilesThatTellNoSize(t *testing.T) {
	f, err := os.Open("/proc/self/maps")
	check(t, err)
	defer f.Close()
	a, b := tcpPair(t)
	got := make(chan []byte, 1)
	go func() { p, _ := io.ReadAll(b); got <- p }()
	n, err := Copy(t.Context(), a, f, nil)
	check(t, err)
	a.CloseWrite()
	if p := <-got; n == 0 || int64(len(p)) != n || !bytes.Contains(p, []byte("[stack]")) {
		t.Fatalf("copied %d bytes, %d arrived", n, len(p))
	}
}
