package bulk

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestCopyFast: these pairings do not fall back to the portable path.
func TestCopyFast(t *testing.T) {
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
				m := &counter{}
				handled, err := copyFast(t.Context(), w, r, m)
				if !handled || err != nil || m.total != int64(len(text)) {
					t.Fatalf("copyFast = %v, %v, %d bytes", handled, err, m.total)
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

// TestCopyFast_AfterWaiting: neither a silent source nor a full destination makes the copy fall back.
func TestCopyFast_AfterWaiting(t *testing.T) {
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
			m := &counter{progress: func(n int64) { moved <- n }}
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
			handled, err := copyFast(t.Context(), w, r, m)
			if !handled || err != nil || m.total != size+20 {
				t.Errorf("copyFast = %v, %v, %d bytes", handled, err, m.total)
			}
			check(t, <-fed)
		})
	}
}

// TestChannelGoesOutFirst: a file in append mode refuses splice. The bytes in the channel are written before the portable path goes on.
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
	first := strings.Repeat("first ", SmallReadSize/2) // so that a channel is used
	a.Write([]byte(first))
	m := &counter{}
	if handled, err := copyFast(t.Context(), w, r, m); handled || err != nil {
		t.Fatalf("copyFast = %v, %v, want a fallback", handled, err)
	}
	a.Write([]byte("second"))
	a.CloseWrite()
	check(t, copyPortable(t.Context(), w, r, m))
	if got, _ := os.ReadFile(name); string(got) != first+"second" || m.total != int64(len(got)) {
		t.Fatalf("file holds %d bytes, counted %d", len(got), m.total)
	}
}

// TestOnlyBlockingCalls copies through descriptors that have no non-blocking calls, and cancels a write.
func TestOnlyBlockingCalls(t *testing.T) {
	in, feed := pipePair(t)
	drain, out := pipePair(t)
	src, err := openRead(in)
	check(t, err)
	defer src.release()
	dst, err := openWrite(out)
	check(t, err)
	defer dst.release()
	src.desc.onlyBlocks, dst.desc.onlyBlocks = true, true
	data := bytes.Repeat([]byte("0123456789"), 30_000)
	go func() { feed.Write(data); feed.Close() }()
	got := make(chan []byte, 1)
	go func() { p, _ := io.ReadAll(io.LimitReader(drain, int64(len(data)))); got <- p }()
	check(t, copyPortable(t.Context(), dst, src, &counter{}))
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

// TestLowWaterMark: the mark is up while bulk flows. It comes down while the reader waits, so that the last bytes of a burst are reported.
func TestLowWaterMark(t *testing.T) {
	for _, paced := range []bool{false, true} {
		a, b := tcpPair(t)
		r, err := openRead(b)
		check(t, err)
		l := newLowWaterMark(r.desc, paced)
		if got := mark(t, b); got > 1 {
			t.Fatalf("paced %v: at first the mark is %d", paced, got)
		}
		for round := range 25 {
			burst(t, l)
			if got := mark(t, b); got < pipeMark {
				t.Fatalf("paced %v, round %d: in bulk the mark is %d", paced, round, got)
			}
			a.Write([]byte("tail"))
			check(t, b.SetReadDeadline(time.Now().Add(time.Second)))
			for l.raised { // a paced reader finds nothing, or little
				if _, err := l.awaitMore(); err != nil {
					t.Fatal(err)
				}
				if paced && l.raised {
					l.lower()
				}
			}
			if err := l.await(); err != nil {
				t.Fatalf("paced %v, round %d: the tail is not reported: %v", paced, round, err)
			}
			if n, err := b.Read(make([]byte, 10)); n != 4 || err != nil {
				t.Fatalf("paced %v, round %d: Read = %d, %v", paced, round, n, err)
			}
			if got := mark(t, b); got > 1 {
				t.Fatalf("paced %v, round %d: afterwards the mark is %d", paced, round, got)
			}
		}
		burst(t, l)
		l.lower()
		if got := mark(t, b); got > 1 {
			t.Fatalf("paced %v: at the end the mark is %d", paced, got)
		}
	}
}

// burst counts bytes until the mark is up.
func burst(t *testing.T, l *lowWaterMark) {
	t.Helper()
	for range 100 { // the machine may be busy for a whole period
		if l.add(raiseAt); l.raised {
			return
		}
	}
	t.Fatal("in bulk the mark was never up")
}

// TestLowWaterMark_StaysUp: the mark stays up while it is reached in time, and few bytes never raise it.
func TestLowWaterMark_StaysUp(t *testing.T) {
	a, b := tcpPair(t)
	r, err := openRead(b)
	check(t, err)
	l := newLowWaterMark(r.desc, false)
	l.add(raiseAt - 1)
	if got := mark(t, b); got > 1 {
		t.Fatalf("below 1 MiB the mark is %d", got)
	}
	burst(t, l)
	half := make([]byte, pipeMark)
	for range 3 {
		a.Write(half)
		for end := time.Now().Add(10 * time.Second); !hasUnread(t, b, pipeMark); {
			if time.Now().After(end) {
				t.Fatal("not all has come")
			}
			runtime.Gosched()
		}
		if more, err := l.awaitMore(); !more || err != nil {
			t.Fatalf("after as many bytes as the mark, awaitMore = %v, %v", more, err)
		}
		if got := mark(t, b); got != pipeMark {
			t.Fatalf("in bulk the mark is %d", got)
		}
		_, err := io.ReadFull(b, half)
		check(t, err)
	}
	if more, err := l.awaitMore(); more || err != nil {
		t.Fatalf("without bytes, awaitMore = %v, %v", more, err)
	}
	if got := mark(t, b); got > 1 {
		t.Fatalf("after a quiet period the mark is %d", got)
	}
}

// TestPace: a paced reader comes back when 2 MiB should have arrived, or at once after a full pipe. It stops when less than 1 MiB comes in 2 ms.
func TestPace(t *testing.T) {
	_, b := tcpPair(t)
	r, err := openRead(b)
	check(t, err)
	l := newLowWaterMark(r.desc, true)
	burst(t, l)
	arrive := func(n int, took time.Duration) {
		l.began = time.Now().Add(-took)
		l.add(n)
	}
	for took, want := range map[time.Duration]time.Duration{100 * time.Microsecond: 800 * time.Microsecond, 1000 * time.Hour: 8 * time.Second} {
		l.arrived = 256 << 10
		if l.measurePace(l.began.Add(took)); l.pace != want {
			t.Errorf("at 256 KiB in %v, 2 MiB should take %v, want %v", took, l.pace, want)
		}
	}
	l.pace = time.Millisecond
	if more, err := l.awaitMore(); !more || err != nil || !l.raised {
		t.Errorf("in bulk, awaitMore = %v, %v", more, err)
	}
	arrive(chunk, time.Microsecond)
	before := shortWaits.Load()
	shortWaits.Store(1 << 20) // no wait is possible now
	more, err := l.awaitMore()
	shortWaits.Store(before)
	if !more || err != nil {
		t.Errorf("after a full pipe, awaitMore = %v, %v", more, err)
	}
	arrive(1000, 10*time.Millisecond)
	if more, err := l.awaitMore(); more || err != nil || l.raised {
		t.Errorf("when little comes, awaitMore = %v, %v", more, err)
	}
	if got := mark(t, b); got > 1 {
		t.Errorf("when little comes, the mark is %d", got)
	}
}

// TestPaceOfFiles: a copy to a file or /dev/null is paced, and a copy to a socket is not.
func TestPaceOfFiles(t *testing.T) {
	_, src := tcpPair(t)
	r, err := openRead(src)
	check(t, err)
	socket, _ := tcpPair(t)
	regular, err := os.Create(filepath.Join(t.TempDir(), "dst"))
	check(t, err)
	defer regular.Close()
	device, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	check(t, err)
	defer device.Close()
	for dst, want := range map[io.Writer]bool{socket: false, regular: true, device: true} {
		w, err := openWrite(dst)
		check(t, err)
		if got := newChannelCopy(w, r.desc, &counter{}).mark.paced; got != want {
			t.Errorf("to %T of kind %d: paced %v, want %v", dst, w.desc.kind, got, want)
		}
	}
}

// TestShortWait_Few: only few copies hold a thread each while they wait.
func TestShortWait_Few(t *testing.T) {
	_, b := tcpPair(t)
	r, err := openRead(b)
	check(t, err)
	s := newShortWait(r.desc, unix.POLLIN)
	if waited, ready, err := s.wait(time.Microsecond); !waited || ready || err != nil {
		t.Errorf("wait = %v, %v, %v", waited, ready, err)
	}
	limit := int32(2 * runtime.GOMAXPROCS(0))
	shortWaits.Add(limit)
	defer shortWaits.Add(-limit)
	if waited, ready, err := s.wait(time.Hour); waited || ready || err != nil {
		t.Errorf("beside many waits, wait = %v, %v, %v", waited, ready, err)
	}
	l := newLowWaterMark(r.desc, false)
	burst(t, l)
	if more, err := l.awaitMore(); more || err != nil || mark(t, b) > 1 {
		t.Errorf("beside many waits, awaitMore = %v, %v, and the mark is %d", more, err, mark(t, b))
	}
}

// hasUnread reports whether b has n bytes to be read.
func hasUnread(t *testing.T, b *net.TCPConn, n int) bool {
	t.Helper()
	raw, err := b.SyscallConn()
	check(t, err)
	there := 0
	check(t, raw.Control(func(fd uintptr) { there, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }))
	check(t, err)
	return there >= n
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

// TestNothingStaysCorked: the last bytes leave at once, also if they fill 16 buffers of a pipe exactly, or end a file. splice(2) and
// sendfile(2) can leave them in the socket's queue for 200 ms, as if more were to come.
func TestNothingStaysCorked(t *testing.T) {
	const rounds, stall = 10, 200 * time.Millisecond
	packet := bytes.Repeat([]byte("x"), 100)
	for name, test := range map[string]struct {
		size int
		send func(t *testing.T, dst *net.TCPConn) (finish func())
	}{
		"pipe":    {16 * len(packet), func(t *testing.T, dst *net.TCPConn) func() { return sendPipe(t, dst, packets(t, 16, packet)) }},
		"channel": {16 * len(packet), func(t *testing.T, dst *net.TCPConn) func() { return sendChannel(t, dst, packets(t, 16, packet)) }},
		"file":    {1<<20 + 16<<12, func(t *testing.T, dst *net.TCPConn) func() { return sendFile(t, dst, 1<<20+16<<12) }},
	} {
		t.Run(name, func(t *testing.T) {
			dst, peer := tcpPair(t)
			var took time.Duration
			for range rounds {
				began := time.Now()
				received := make(chan error, 1)
				go func() {
					_, err := io.ReadFull(peer, make([]byte, test.size))
					received <- err
				}()
				finish := test.send(t, dst)
				check(t, <-received)
				took += time.Since(began)
				finish()
			}
			if took > rounds*stall/2 {
				t.Errorf("%d bursts took %v", rounds, took)
			}
		})
	}
}

// packets returns the read end of a pipe that holds n packets, each in a buffer of its own.
func packets(t *testing.T, n int, packet []byte) *os.File {
	t.Helper()
	var p [2]int
	check(t, unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_DIRECT))
	r, w := os.NewFile(uintptr(p[0]), "r"), os.NewFile(uintptr(p[1]), "w")
	t.Cleanup(func() { r.Close(); w.Close() })
	for range n {
		_, err := w.Write(packet)
		check(t, err)
	}
	return r
}

func sendPipe(t *testing.T, dst *net.TCPConn, src *os.File) (finish func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := Copy(ctx, dst, src, nil); done <- err }()
	return func() {
		cancel()
		if err := <-done; err != context.Canceled {
			t.Error(err)
		}
	}
}

// sendChannel sends what src holds through the channel that a copy between sockets uses.
func sendChannel(t *testing.T, dst *net.TCPConn, src *os.File) (finish func()) {
	_, silent := tcpPair(t)
	r, err := openRead(silent)
	check(t, err)
	w, err := openWrite(dst)
	check(t, err)
	c := newChannelCopy(w, r.desc, &counter{})
	c.c, err = newChannel()
	check(t, err)
	c.c.held, err = splice(int(src.Fd()), c.c.w, chunk)
	check(t, err)
	check(t, w.desc.control(c.pour))
	check(t, c.err)
	return c.c.close
}

func sendFile(t *testing.T, dst *net.TCPConn, size int) (finish func()) {
	name := filepath.Join(t.TempDir(), "src")
	check(t, os.WriteFile(name, make([]byte, size), 0o600))
	f, err := os.Open(name)
	check(t, err)
	t.Cleanup(func() { f.Close() })
	_, err = Copy(t.Context(), dst, f, nil)
	check(t, err)
	return func() {}
}

// TestDescriptorsComeBack: a Copy leaves no descriptor open, however it ends.
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
		a.Write([]byte("x")) // b and c get a channel
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

// TestIdleHoldsNoPipe: silent copies between sockets share a few pipes.
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
	if held := openDescriptors(t) - before; held > 2*(maxChannels+2) {
		t.Errorf("%d idle copies hold %d descriptors", copies, held)
	}
	cancel()
	for range copies {
		if err := <-done; err != context.Canceled {
			t.Error(err)
		}
	}
	if held := openDescriptors(t) - before; held != 0 {
		t.Errorf("%d descriptors are left open", held)
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	check(t, err)
	return len(names)
}

// TestFilesWithoutASize: files of the kernel refuse sendfile or report the size zero.
func TestFilesWithoutASize(t *testing.T) {
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
