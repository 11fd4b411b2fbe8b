//go:build linux

package hostile_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"sync"
	"testing"
)

// An operator reads the canary's words on the console, and answers each.
type operator struct {
	s      *server
	typing chan string

	mu      sync.Mutex
	arrived map[string]int // numbers, by the ports that the console names
	highest int            // of them
	port    string         // the canary's
	number  int            // the canary's; 0: not known yet
	next    int
	err     error
}

var (
	canaryLine  = regexp.MustCompile(`^【Client(?: (\d+))?】 (canary \d+ .*)\n$`)
	arrivalLine = regexp.MustCompile(`^The Server has received a connection from \S+: (\d+)(?: \(client (\d+)\))?`)
)

// begin starts to type answers, for as long as the server lives.
func (o *operator) begin(s *server) {
	o.s = s
	s.helpers.Go(func() {
		for {
			select {
			case line := <-o.typing:
				if s.types(line) != nil {
					return
				}
			case <-s.done:
				return
			}
		}
	})
}

// follow has the operator answer another canary, which has not spoken yet.
func (o *operator) follow(c net.Conn) {
	_, port, _ := net.SplitHostPort(c.LocalAddr().String())
	o.mu.Lock()
	defer o.mu.Unlock()
	o.port, o.number, o.next = port, 0, 0
}

func (o *operator) hear(line []byte) {
	if m := arrivalLine.FindSubmatch(line); m != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		n, err := strconv.Atoi(string(m[2]))
		if err != nil {
			n = o.highest + 1 // one who is alone and next in turn is not numbered
		}
		o.arrived[string(m[1])] = n
		o.highest = max(o.highest, n)
		return
	}
	if !bytes.HasPrefix(line, []byte(label)) || !bytes.Contains(line, []byte("】 canary ")) {
		return
	}
	if m := canaryLine.FindSubmatch(line); m != nil {
		o.heard(string(m[1]), string(m[2]))
	}
}

// heard: somebody with this number, which is not shown of one who is alone, spoke as the canary does.
func (o *operator) heard(number, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.number == 0 {
		o.number = o.arrived[o.port]
	}
	if number != "" && number != strconv.Itoa(o.number) {
		return
	}
	if text != word(o.next) && o.err == nil {
		o.err = fmt.Errorf("the console shows %q, want %q", text, word(o.next))
	}
	select {
	case o.typing <- fmt.Sprintf("/to %d %s", o.number, reply(o.next)):
	default:
		o.err = errors.New("the console does not read what is typed")
	}
	o.next++
}

// wantAll: the console has shown every word of the canary, in order.
func (o *operator) wantAll(t *testing.T, c *canary) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		t.Error(o.err)
	}
	if o.next != len(c.sent) {
		t.Errorf("the console has shown %d words of the canary, which said %d", o.next, len(c.sent))
	}
}
