package handler_test

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"duet.example/duet"
	"duet.example/duet/duettest"
)

// TestMain has more tests run at once than there are processors: most of them only wait.
func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		_ = flag.Set("test.parallel", "8")
	}
	goleak.VerifyTestMain(m)
}

// soon is the time for prompt events on a busy machine.
const soon = 30 * time.Second

// kinds are the connections that handlers are tested over; "traced" is TCP that somebody watches.
var kinds = []string{"tcp", "unix", "memory", "traced"}

// ends returns a connection: the peer's end and the one that is served.
func ends(t testing.TB, kind string) (peer, served net.Conn) {
	t.Helper()
	if kind == "memory" {
		peer, served = duettest.Pipe()
	} else {
		network, address := "tcp", "127.0.0.1:0"
		if kind == "unix" {
			dir := get(os.MkdirTemp("", "h"))(t)
			t.Cleanup(func() { os.RemoveAll(dir) })
			network, address = "unix", filepath.Join(dir, "s")
		}
		l := get(net.Listen(network, address))(t)
		defer l.Close()
		peer = get(net.Dial(network, l.Addr().String()))(t)
		served = get(l.Accept())(t)
	}
	t.Cleanup(func() { peer.Close() })
	return peer, served
}

// A served is a conversation that a handler answers.
type served struct {
	*duet.Server
	conn   chan *duet.Conn
	done   chan struct{}
	reason duet.EndReason
	err    error
	stats  duet.Stats
	wrote  int64
	limit  time.Duration // how long its end is waited for
}

// serve has h answer nc. Opts set fields of the server.
func serve(t testing.TB, h duet.Handler, nc net.Conn, kind string, opts ...func(*duet.Server)) *served {
	s := &served{conn: make(chan *duet.Conn, 1), done: make(chan struct{}), limit: 4 * soon}
	s.Server = &duet.Server{
		Options: duet.Options{
			CloseTimeout: 100 * time.Millisecond,
			Trace: &duet.Trace{
				ConnStart: func(c *duet.Conn) { s.conn <- c },
				ConnEnd: func(c *duet.Conn, reason duet.EndReason, err error) {
					s.reason, s.err, s.stats = reason, err, c.Stats()
				},
			},
		},
		Handler: h,
		Logger:  slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	if kind == "traced" {
		var mu sync.Mutex
		s.Server.Trace.Wrote = func(_ *duet.Conn, n int, _ error) {
			mu.Lock()
			defer mu.Unlock()
			s.wrote += int64(n)
		}
	}
	for _, opt := range opts {
		opt(s.Server)
	}
	go func() {
		defer close(s.done)
		_ = s.ServeNetConn(nc)
	}()
	return s
}

// want waits for the end of the conversation and compares its reason and its cause.
func (s *served) want(t testing.TB, reason duet.EndReason, cause error) {
	t.Helper()
	select {
	case <-s.done:
	case <-time.After(s.limit):
		t.Fatal("the conversation does not end")
	}
	if s.reason != reason || cause != nil && !errors.Is(s.err, cause) {
		t.Errorf("ended as %v (%v), want %v (%v)", s.reason, s.err, reason, cause)
	}
	var de *duet.Error
	switch {
	case s.err == io.EOF:
	case cause == nil && s.err == nil: // this side has ended it
	case !errors.As(s.err, &de):
		t.Errorf("error is %T %v, want a *duet.Error", s.err, s.err)
	case de.Reason != reason || de.Op == "" || de.Addr == "":
		t.Errorf("error lacks what failed, with whom, and how it ended: %#v", de)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func get[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// bulkSize is how much the transfers move each way.
func bulkSize() int64 {
	if os.Getenv("DUET_LONG") == "1" {
		return 1<<30 + 1
	}
	return 8<<20 + 1
}

// random gives size bytes that differ with seed.
func random(seed byte, size int64) io.Reader {
	if blocks[seed].Load() == nil {
		b := make([]byte, period)
		_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
		blocks[seed].Store(&b)
	}
	return &repeated{block: *blocks[seed].Load(), left: size}
}

// period is a prime: no buffer is a multiple of it.
const period = 262_139

// blocks holds the random blocks by seed, because making one is slow under the race detector.
var blocks [256]atomic.Pointer[[]byte]

// A repeated is a block of bytes, again and again.
type repeated struct {
	block []byte
	at    int
	left  int64
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), r.left)], r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	r.left -= int64(n)
	return n, nil
}

// sum describes all that r gives.
func sum(r io.Reader) (string, error) {
	h := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{r}, make([]byte, 256<<10))
	return fmt.Sprintf("%d bytes, %x", n, h.Sum(nil)), err
}

func wantSum(t testing.TB, what string, r io.Reader, seed byte, size int64) {
	t.Helper()
	got, err := sum(r)
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if want := sumOf(seed, size); got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

// sums holds the results of sumOf.
var sums sync.Map

// sumOf describes size bytes of seed.
func sumOf(seed byte, size int64) string {
	type key struct {
		seed byte
		size int64
	}
	known, ok := sums.Load(key{seed, size})
	if !ok {
		s, _ := sum(random(seed, size))
		known, _ = sums.LoadOrStore(key{seed, size}, s)
	}
	return known.(string)
}

func halfClose(t testing.TB, c any) {
	t.Helper()
	must(t, c.(interface{ CloseWrite() error }).CloseWrite())
}

// cut resets a connection.
func cut(t testing.TB, c net.Conn) {
	t.Helper()
	switch c := c.(type) {
	case *net.TCPConn:
		must(t, c.SetLinger(0))
		must(t, c.Close())
	case duettest.Conn:
		must(t, c.Reset())
	default:
		t.Fatalf("%T cannot be reset", c)
	}
}

// sendText writes a text that is too small to wait.
func sendText(t testing.TB, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// wantText reads exactly as many bytes as want has.
func wantText(t testing.TB, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("received %q, %v, want %q", got[:n], err, want)
	}
}

// wantAll reads to the end.
func wantAll(t testing.TB, r io.Reader, want string) {
	t.Helper()
	if got, err := io.ReadAll(r); err != nil || string(got) != want {
		t.Fatalf("received %q, %v, want %q and the end", got, err, want)
	}
}

// until waits for cond.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(soon); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// flood writes until w takes nothing for a while, and goes on until w fails. The while is counted in times that this
// process was run, since it may stand still altogether.
func flood(t testing.TB, w io.Writer) {
	t.Helper()
	progress, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
			select {
			case progress <- struct{}{}:
			default:
			}
		}
	}()
	t.Cleanup(func() {
		if c, ok := w.(io.Closer); ok {
			c.Close()
		}
		<-done
	})
	for quiet := 0; quiet < 20; {
		select {
		case <-progress:
			quiet = 0
		case <-time.After(5 * time.Millisecond):
			quiet++
		}
	}
}
