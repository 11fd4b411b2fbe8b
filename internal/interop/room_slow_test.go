//go:build linux

package interop_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// How much is said while one does not read: more than the 16 MiB that a member may be behind, and what the system holds for it, so
// that it misses something each time.
const (
	slowLine  = 1000   // bytes
	slowLines = 60_000 // in all
	slowParts = 2      // after each of which it reads again
)

// slowMembers is how many get it all. The long form has a thousand: 40 GB.
func slowMembers() int {
	if os.Getenv("DUET_LONG") != "" {
		return 1000
	}
	return 30
}

func longLine(n int) string {
	head := fmt.Sprintf("%d ", n)
	return head + strings.Repeat("慢", (slowLine-len(head))/len("慢"))
}

// One member does not read. The others get everything; what it missed it is told, and what it got and what it missed is all.
func TestRoom_Skip(t *testing.T) {
	room := newSlowRoom(t, "skip", "5m")
	for part := range slowParts {
		room.talks(t, part)
		room.stalled.readTo(t, fmt.Sprintf("s0: end of part %d", part))
	}
	room.wantOthers(t)
	s := room.stalled
	t.Logf("the one who did not read got %d lines, and missed %v: %d of %d", s.got, s.gaps, s.next, slowLines)
	if len(s.gaps) < slowParts {
		t.Errorf("%d gaps: so much did not wait for it", len(s.gaps))
	}
}

// The same, where who is too slow is ended: that is told by name, and the others get everything.
func TestRoom_End(t *testing.T) {
	room := newSlowRoom(t, "end", "5s")
	for part := range slowParts {
		room.talks(t, part)
	}
	room.wantOthers(t)
	s := room.stalled
	room.srv.says("The conversation with " + s.address + " has ended: slow-peer")
	err := s.read(t, "s0: end of part 0")
	if err == nil {
		t.Error("it got all")
	}
	t.Logf("it got %d lines and then %v", s.got, err)
	if len(s.gaps) > 0 {
		t.Errorf("it was told that it missed %v", s.gaps)
	}
}

// left is how the others are told that the stalled member, the second that came, has been ended. That may be before the
// last line is said, or after.
const left = "-- guest-2 has left: slow-peer"

type slowRoom struct {
	ends    bool // the stalled member
	srv     *program
	sender  *member
	others  []*member
	stalled *stalled
}

// newSlowRoom is a room with a sender, members who read and one who does not.
func newSlowRoom(t *testing.T, slow, limit string) *slowRoom {
	t.Helper()
	room := &slowRoom{ends: slow == "end"}
	var port, control string
	// How long a peer may hold up what is sent is another limit: who reads nothing at all does not come to the one of the room.
	room.srv, port, control = roomServer(t, "--room", "-v", "--slow", slow, "--send-timeout", limit)
	room.sender = enter(t, port, lfWire)
	remoteTo(t, control).frames(room.sender.guest, "lf") // whose lines no pause ends
	room.stalled = enterStalled(t, port)
	size := len("s0: ") + len("end of part 0\n")
	size *= slowParts
	for n := range slowLines {
		size += len("s0: ") + len(longLine(n)) + 1
	}
	if room.ends {
		size += len(left) + 1
	}
	stream := newStream(lfWire, "-- "+room.sender.guest+" is s0 from now on", size)
	for range slowMembers() {
		room.others = append(room.others, enter(t, port, silentWire).follow(stream).listen(t))
	}
	room.sender.listen(t)
	room.sender.says(t, "/nick s0")
	room.sender.heard(" is s0 from now on\n")
	return room
}

// talks has a part of the lines said, and waits until the others have them.
func (room *slowRoom) talks(t *testing.T, part int) {
	t.Helper()
	began := time.Now()
	const each = slowLines / slowParts
	w := bufio.NewWriterSize(room.sender.conn, 64<<10)
	for n := part * each; n < (part+1)*each; n++ {
		fmt.Fprintf(w, "%s\n", longLine(n))
	}
	fmt.Fprintf(w, "end of part %d\n", part)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	size := (part + 1) * room.others[0].stream.size / slowParts
	for _, m := range room.others {
		if part == slowParts-1 {
			break
		}
		m.awaitStream(size * 9 / 10)
	}
	t.Logf("part %d was said in %v", part, time.Since(began).Round(time.Millisecond))
}

// wantOthers: all who read got every line.
func (room *slowRoom) wantOthers(t *testing.T) {
	t.Helper()
	for _, m := range room.others {
		if err := m.awaitWhole(t); err != nil {
			t.Error(err)
		}
	}
	s := room.others[0].stream
	lines, _ := s.wire.lines(s.buf)
	n, ends, told := 0, 0, 0
	for _, line := range lines {
		switch {
		case line == "s0: "+longLine(n):
			n++
		case line == fmt.Sprintf("s0: end of part %d", ends):
			ends++
		case line == left:
			told++
		default:
			t.Fatalf("line %d is %q", n, clip(line))
		}
	}
	if n != slowLines || ends != slowParts {
		t.Errorf("the others got %d lines and %d ends", n, ends)
	}
	if want := map[bool]int{true: 1}[room.ends]; told != want {
		t.Errorf("the others were told %d times that the stalled member has left, want %d", told, want)
	}
}

// awaitStream waits until so much of the stream has come.
func (m *member) awaitStream(n int) {
	for {
		m.mu.Lock()
		enough := m.at >= n || m.over || m.err != nil
		m.mu.Unlock()
		if enough {
			return
		}
		select {
		case <-m.done:
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// A stalled member does not read, until it is told to.
type stalled struct {
	address string // as the server shows it
	r       *bufio.Reader
	next    int   // the number of the next line
	got     int   // lines it got
	gaps    []int // what it missed, as it was told
}

func enterStalled(t *testing.T, port string) *stalled {
	t.Helper()
	c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(4 * patience))
	host, from, _ := net.SplitHostPort(c.LocalAddr().String())
	s := &stalled{address: host + ": " + from, r: bufio.NewReader(c)}
	if line, err := s.r.ReadString('\n'); !welcome.MatchString(line) {
		t.Fatalf("welcomed with %q, %v", line, err)
	}
	return s
}

func (s *stalled) readTo(t *testing.T, last string) {
	t.Helper()
	if err := s.read(t, last); err != nil {
		t.Fatal(err)
	}
}

var gapLine = regexp.MustCompile(`^… (\d+) messages? missed$`)

// read reads up to last. Each line must be the one that is next in turn, after as many as it was told that it missed.
func (s *stalled) read(t *testing.T, last string) error {
	t.Helper()
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			if errors.Is(err, io.EOF) && line != "" {
				return fmt.Errorf("after a part of line %d: %w", s.next, io.ErrUnexpectedEOF)
			}
			return fmt.Errorf("after %d lines and gaps of %v, when line %d was next: %w", s.got, s.gaps, s.next, err)
		}
		line = strings.TrimSuffix(line, "\n")
		found := gapLine.FindStringSubmatch(line)
		switch {
		case found != nil:
			n, _ := strconv.Atoi(found[1])
			s.gaps = append(s.gaps, n)
			s.next += n
		case strings.HasPrefix(line, "-- "):
			// somebody joined, or has a name now
		case line == last:
			return nil
		case line == "s0: "+longLine(s.next):
			s.next++
			s.got++
		default:
			return fmt.Errorf("got %q, want line %d (it was told that it missed %v)", clip(line)[:min(40, len(line))], s.next, s.gaps)
		}
	}
}
