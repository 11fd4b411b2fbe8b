//go:build linux

package interop_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// A member is one of a room's, as the checker sees it: what it gets, byte for byte.
type member struct {
	conn  *net.TCPConn
	guest string // the name it came with
	name  string // the one it has
	wire  wire
	// stream is what it must get from the mark on, as all with the same line ends do; nil: everything is kept.
	stream *stream

	whole chan struct{} // closed when it has got all of the stream
	done  chan struct{} // closed when nothing more comes

	mu    sync.Mutex
	more  sync.Cond
	kept  []byte // what it got: all, or without a stream's part
	ends  int    // LFs in kept
	at    int    // how much of the stream it got; -1: the mark has not come
	after int    // where in kept that is which came behind the stream
	over  bool   // nothing more comes
	err   error  // why not; nil is FIN
}

var welcome = regexp.MustCompile(`^-- you are (guest-\d+) in lobby; `)

// enter connects and reads the welcome.
func enter(t *testing.T, port string, w wire) *member {
	t.Helper()
	c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, patience)
	if err != nil {
		t.Fatal(err)
	}
	m := &member{conn: c.(*net.TCPConn), wire: w, whole: make(chan struct{}), done: make(chan struct{}), at: -1}
	m.more.L = &m.mu
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(3 * patience))
	line, err := m.readLine()
	if err != nil {
		t.Fatal(err)
	}
	found := welcome.FindStringSubmatch(line)
	if found == nil {
		t.Fatalf("welcomed with %q", line)
	}
	m.guest, m.name = found[1], found[1]
	return m
}

// readLine reads one line that ends with LF, before the member listens, and nothing behind it.
func (m *member) readLine() (string, error) {
	var line []byte
	var b [1]byte
	for {
		if _, err := io.ReadFull(m.conn, b[:]); err != nil {
			return "", fmt.Errorf("after %q: %w", line, err)
		}
		if b[0] == '\n' {
			return string(line), nil
		}
		line = append(line, b[0])
	}
}

// follow has the member follow a stream instead of keeping what comes; before listen.
func (m *member) follow(s *stream) *member {
	m.stream = s
	return m
}

// buffers are shared by all members: few read at the same time.
var buffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

// listen takes what comes until the end, in a goroutine that ends with the test. A member that listens holds no buffer while nothing comes.
func (m *member) listen(t *testing.T) *member {
	t.Helper()
	rc, err := m.conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(m.done)
		var end error
		err := rc.Read(func(fd uintptr) bool {
			b := *buffers.Get().(*[]byte)
			defer buffers.Put(&b)
			for {
				switch n, err := readInto(fd, b); {
				case errors.Is(err, syscall.EAGAIN):
					return false
				case errors.Is(err, syscall.EINTR):
				case err != nil || n == 0:
					end = err
					return true
				default:
					m.take(b[:n])
				}
			}
		})
		m.mu.Lock()
		defer m.mu.Unlock()
		m.over = true
		if m.err == nil {
			m.err = errors.Join(err, end)
		}
		m.more.Broadcast()
	}()
	t.Cleanup(func() {
		_ = m.conn.Close()
		<-m.done
	})
	return m
}

func (m *member) take(b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at >= 0 && m.at < m.stream.size {
		b = m.compare(b)
	}
	if len(b) == 0 {
		return
	}
	m.kept = append(m.kept, b...)
	m.ends += bytes.Count(b, []byte("\n"))
	m.more.Broadcast()
	if m.stream == nil || m.at >= 0 {
		return
	}
	from := max(0, len(m.kept)-len(b)-len(m.stream.mark)) // the mark may have begun before b
	i := bytes.Index(m.kept[from:], m.stream.mark)
	if i < 0 {
		return
	}
	i += from + len(m.stream.mark)
	rest := bytes.Clone(m.kept[i:])
	m.kept, m.at, m.after = m.kept[:i], 0, i
	m.kept = append(m.kept, m.compare(rest)...)
}

// compare takes what belongs to the stream off b. m.mu is held.
func (m *member) compare(b []byte) []byte {
	if m.err != nil {
		return nil // one fault is enough
	}
	n := min(len(b), m.stream.size-m.at)
	m.err = m.stream.compare(m.at, b[:n])
	m.at += n
	if m.at == m.stream.size || m.err != nil {
		close(m.whole)
	}
	return b[n:]
}

// awaitLines waits until n lines have come, which end with LF.
func (m *member) awaitLines(t *testing.T, n int) bool {
	t.Helper()
	_ = m.conn.SetReadDeadline(time.Now().Add(2 * patience))
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.ends < n && !m.over {
		m.more.Wait()
	}
	if m.ends < n {
		t.Errorf("%s got %d lines of %d: %v", m.name, m.ends, n, m.err)
	}
	return m.ends >= n
}

// awaitWhole waits until all of the stream has come, or a fault.
func (m *member) awaitWhole(t *testing.T) error {
	t.Helper()
	select {
	case <-m.whole:
	case <-m.done:
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.err != nil:
		return fmt.Errorf("%s (%s): %w", m.name, m.wire.name, m.err)
	case m.at < m.stream.size:
		return fmt.Errorf("%s (%s) got %d bytes of %d", m.name, m.wire.name, m.at, m.stream.size)
	}
	return nil
}

// awaitEnd waits until nothing more comes, and gives what was kept, and why it ended: nil is FIN.
func (m *member) awaitEnd() (kept []byte, err error) {
	<-m.done
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept, m.err
}

// says writes whole lines in the member's own way.
func (m *member) says(t *testing.T, lines ...string) {
	t.Helper()
	var b []byte
	for _, line := range lines {
		b = m.wire.append(b, line)
	}
	if _, err := m.conn.Write(b); err != nil {
		t.Errorf("%s cannot say: %v", m.name, err)
	}
}

// same is bytes.Equal without a look at each byte by the race detector. Both are of the same length, and not empty.
func same(a, b []byte) bool {
	return unsafe.String(&a[0], len(a)) == unsafe.String(&b[0], len(b))
}

// A stream is what all whose lines end in the same way must get from a mark on, byte for byte. Who is ahead extends
// it, the others are compared with it; what it holds in the end is judged once.
type stream struct {
	wire wire
	mark []byte
	size int // how long it will be

	known atomic.Int64 // bytes of buf, which do not change any more
	mu    sync.Mutex   // held by who extends it
	buf   []byte
}

func newStream(w wire, mark string, size int) *stream {
	return &stream{wire: w, mark: w.append(nil, mark), size: size, buf: make([]byte, size)}
}

// compare holds b against the stream, of which it is the part at at.
func (s *stream) compare(at int, b []byte) error {
	for len(b) > 0 {
		known := int(s.known.Load())
		if at < known {
			n := min(known-at, len(b))
			if !same(s.buf[at:at+n], b[:n]) {
				return s.difference(at, b)
			}
			at, b = at+n, b[n:]
			continue
		}
		s.mu.Lock()
		if int(s.known.Load()) == at {
			at += copy(s.buf[at:], b)
			s.known.Store(int64(at))
			b = nil
		}
		s.mu.Unlock()
	}
	return nil
}

// difference says in which line b, which came at at, is not what others got, and what has become of it.
func (s *stream) difference(at int, b []byte) error {
	known := s.buf[:s.known.Load()]
	i := 0
	for i < len(b) && at+i < len(known) && b[i] == known[at+i] {
		i++
	}
	// The line begins behind the last whole one.
	begin, rest := 0, known[:at+i]
	for {
		_, after, ok := s.wire.cut(rest)
		if !ok {
			break
		}
		begin += len(rest) - len(after)
		rest = after
	}
	others, _, _ := s.wire.cut(known[begin:])
	mine := append(bytes.Clone(known[begin:at+i]), b[i:]...)
	line, _, whole := s.wire.cut(mine)
	if !whole {
		line = mine
	}
	what := "which nobody else had got by then"
	if whole {
		switch found := bytes.Index(known, s.wire.append(nil, string(line))); {
		case found > begin:
			what = "which comes later: lines are missing, or out of order"
		case found >= 0:
			what = "which came before: it is doubled, or out of order"
		}
	}
	return fmt.Errorf("after %d bytes, where others got %q, it got %q, %s", begin, clip(string(others)), clip(string(line)), what)
}
