package main

import (
	"bufio"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
)

// A hall says to all others what one says, each line as spoil makes it for a member. Members are counted from 0 in
// whatever order they came to be known.
type hall struct {
	mu      sync.Mutex
	members []net.Conn
	spoil   func(line string, member int) string
}

func (h *hall) serve(nc net.Conn) {
	h.mu.Lock()
	h.members = append(h.members, nc)
	h.mu.Unlock()
	for in := bufio.NewReader(nc); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		h.mu.Lock()
		for i, to := range h.members {
			if to != nc {
				_, _ = to.Write([]byte("name: " + h.spoil(line, i)))
			}
		}
		h.mu.Unlock()
	}
}

// The load of a room finds a line that one member does not get, gets twice, or gets another one.
func TestRoomLoadCompares(t *testing.T) {
	path := loads(t, "roomload")[0]
	const tenth = "00000010 "
	for _, c := range []struct {
		name  string
		spoil func(line string, member int) string
		wrong bool
	}{
		{"right", func(line string, _ int) string { return line }, false},
		{"a changed byte", func(line string, _ int) string {
			if strings.HasPrefix(line, tenth) {
				return strings.Replace(line, "now", "not", 1)
			}
			return line
		}, true},
		{"twice", func(line string, member int) string {
			// One of the two may be the speaker, who does not get it.
			if strings.HasPrefix(line, tenth) && (member == 2 || member == 3) {
				return line + line
			}
			return line
		}, true},
	} {
		for _, work := range [][]string{{"blast", "0.05"}, {"one", "20"}} {
			t.Run(c.name+", "+work[0], func(t *testing.T) {
				port := served(t, (&hall{spoil: c.spoil}).serve)
				r, err := runLoad(t.Context(), path, append([]string{port, "5"}, work...)...)
				if errors.Is(err, errWrong) != c.wrong || !c.wrong && (err != nil || r.numbers["count"] < 20) {
					t.Errorf("%+v, %v; want a wrong result: %v", r, err, c.wrong)
				}
			})
		}
	}
}
