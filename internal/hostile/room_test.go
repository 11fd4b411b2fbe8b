//go:build linux

package hostile_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
)

// In a room nobody hears himself: the canary is two members. One says words, the other hears them, in order, among all
// that the hostile ones say there, and answers each.

// A friend is the member who answers.
type friend struct {
	conn net.Conn
	r    *bufio.Reader
	name string // its own
	of   string // the one's to whom it listens
}

var welcome = regexp.MustCompile(`^-- you are (guest-\d+) in lobby; `)

// missed begins what one is told who was too slow for what was said; no peer can begin a line so.
const missed = "… "

// hatchPair begins to talk in a room.
func hatchPair(t *testing.T, s *server) *canary {
	t.Helper()
	one, other := enter(t, s), enter(t, s)
	other.of = one.name
	return begin(t, one.conn, one.r, other, reply)
}

// enter makes a member, and takes the welcome.
func enter(t *testing.T, s *server) *friend {
	t.Helper()
	f := &friend{conn: connect(t, s)}
	f.r = bufio.NewReaderSize(f.conn, 64<<10)
	line, err := f.r.ReadString('\n')
	found := welcome.FindStringSubmatch(line)
	if found == nil {
		t.Fatalf("welcomed with %q, %v", line, err)
	}
	f.name = found[1]
	return f
}

// listen answers until the end of the conversation, and says what went wrong before that.
func (f *friend) listen() error {
	for seq := 0; ; {
		line, err := f.r.ReadString('\n')
		if err != nil {
			return err
		}
		if strings.HasPrefix(line, missed) {
			return fmt.Errorf("its friend was told %q", line)
		}
		said, ok := strings.CutPrefix(line, f.of+": ")
		if !ok {
			continue
		}
		if said != word(seq)+"\n" {
			return fmt.Errorf("its friend heard %q, want %q", said, word(seq))
		}
		if _, err := io.WriteString(f.conn, reply(seq)+"\n"); err != nil {
			return err
		}
		seq++
	}
}
