//go:build linux

package hostile_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// A server that has no descriptors left lives, costs next to nothing, says so once, and serves again when some are free.
func TestOutOfDescriptors(t *testing.T) {
	const (
		limit  = 64
		wasted = 30                      // of them are taken, so that there are fewer than the server knows
		held   = 120                     // more than the limit, no more than can wait to be accepted besides
		looked = time.Second             // how long it is stuck
		most   = looked * 5 / 100        // of a processor
		notice = "cannot accept for now" // what it says about it
	)
	for _, st := range stages {
		t.Run(st.name, func(t *testing.T) {
			t.Parallel()
			s, op := st.begin(t, limit, wasted)
			first := st.hatch(t, s, op)
			first.talks(10)

			crowd := make([]net.Conn, held)
			for i := range crowd {
				crowd[i] = connect(t, s)
			}
			if !eventually(t, func() bool { return strings.Contains(s.said(), notice) }) {
				t.Fatalf("with %d connections and %d descriptors it does not say that it %s", held, limit, notice)
			}
			first.pauses()
			before := processorTime(t, s.cmd.Process.Pid)
			time.Sleep(looked)
			used := processorTime(t, s.cmd.Process.Pid) - before
			t.Logf("stuck for %v it used %v of a processor", looked, used)
			if used > most {
				t.Errorf("stuck for %v it used %v of a processor, more than %v", looked, used, most)
			}
			if n := strings.Count(s.said(), notice); n != 1 {
				t.Errorf("said %d times that it %s", n, notice)
			}
			first.goesOn()
			first.wantAll()

			for _, c := range crowd {
				_ = c.Close()
			}
			next := st.hatch(t, s, op)
			next.talks(10)
			next.wantAll()
			first.leaves()
			next.leaves()
			s.wantWell()
			s.wantAccount()
		})
	}
}

func connect(t *testing.T, s *server) net.Conn {
	t.Helper()
	d := net.Dialer{Timeout: patience}
	c, err := d.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// A server that knows how few descriptors it may have stays well when more come than that.
func TestFewDescriptors(t *testing.T) {
	const (
		limit = 64
		held  = 120
	)
	for _, st := range stages {
		t.Run(st.name, func(t *testing.T) {
			t.Parallel()
			s, op := st.begin(t, limit, 0)
			first := st.hatch(t, s, op)
			first.talks(10)
			crowd := make([]net.Conn, held)
			for i := range crowd {
				crowd[i] = connect(t, s)
			}
			// The last is beyond the limit: when it is refused, all before it have been dealt with.
			last := crowd[held-1]
			_ = last.SetReadDeadline(time.Now().Add(patience))
			if _, err := last.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("who is too many is left to wait")
			}
			if sockets, _ := descriptors(t, s.cmd.Process.Pid); sockets >= limit {
				t.Errorf("it has %d sockets", sockets)
			}
			first.wantAll()
			for _, c := range crowd {
				_ = c.Close()
			}
			if !eventually(t, func() bool { in, out := s.account(); return in == out+st.conns() }) {
				t.Fatal("those who left are still in its account")
			}
			next := st.hatch(t, s, op)
			next.talks(10)
			next.wantAll()
			first.leaves()
			next.leaves()
			s.wantWell()
			s.wantAccount()
		})
	}
}
