package room_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/room"
)

// stuck is a room of which one member does not read, while lines are said to it and to one that does.
func stuck(t *testing.T, h *room.Hall, timeout time.Duration, lines int) (slow *net.TCPConn, healthy *bufio.Reader, pad string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, address := serveOn(t, narrow{l}, h, func(s *duet.Server) { s.SendTimeout = timeout })
	slow = dial(t, address)
	_ = slow.SetReadBuffer(64 << 10)
	well := dial(t, address)
	healthy = bufio.NewReader(well)
	until(t, healthy, "/help shows the commands")
	sender := dial(t, address)
	until(t, healthy, " has joined")
	pad = strings.Repeat("x", 1000)
	go func() {
		w := bufio.NewWriter(sender)
		for i := range lines {
			_, _ = fmt.Fprintf(w, "%d %s\n", i, pad)
		}
		if err := w.Flush(); err != nil {
			t.Error(err)
		}
	}()
	return slow, healthy, pad
}

// until takes lines up to one that ends so.
func until(t *testing.T, in *bufio.Reader, end string) {
	t.Helper()
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("waiting for %q: %v", end, err)
		}
		if strings.HasSuffix(line, end+"\n") {
			return
		}
		if strings.Contains(line, " has left: ") {
			t.Fatalf("waiting for %q: %q", end, line)
		}
	}
}

// said takes the number of a line that was said; gap is how many are missing before it, as the hall says.
func said(t *testing.T, in *bufio.Reader, pad string) (number, gap int) {
	t.Helper()
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		_, words, found := strings.Cut(line, ": ")
		switch {
		case strings.HasPrefix(line, "… "):
			if _, err := fmt.Sscanf(line, "… %d messages missed\n", &gap); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			continue
		case !found || !strings.HasSuffix(words, pad+"\n"):
			continue
		}
		if _, err := fmt.Sscan(words, &number); err != nil {
			t.Fatal(err)
		}
		return number, gap
	}
}

func TestSlowMemberIsToldWhatItMissed(t *testing.T) {
	const lines = 5000
	h := &room.Hall{Limit: 512 << 10}
	slow, healthy, pad := stuck(t, h, -1, lines)
	for want := range lines {
		if got, _ := said(t, healthy, pad); got != want {
			t.Fatalf("the healthy one: line %d, want %d", got, want)
		}
	}
	in, last, gaps := bufio.NewReader(slow), -1, 0
	for last < lines-1 {
		number, gap := said(t, in, pad)
		// The joining of the sender may be among what is missing, but it was announced before.
		if number != last+1+gap {
			t.Fatalf("line %d after %d, and told of %d missing", number, last, gap)
		}
		last = number
		gaps += gap
	}
	if gaps == 0 {
		t.Error("nothing was missed: the test is too small")
	}
}

func TestSlowMemberIsEnded(t *testing.T) {
	for timeout, h := range map[time.Duration]*room.Hall{
		-1:          {Limit: 512 << 10, Slow: room.End},
		time.Second: {Limit: 512 << 10},
	} {
		const lines = 5000
		slow, healthy, pad := stuck(t, h, timeout, lines)
		left := false
		for want := 0; want < lines; {
			line, err := healthy.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case strings.HasSuffix(line, pad+"\n"):
				want++
			case strings.HasPrefix(line, "-- guest-1 has left: "):
				if left = true; line != "-- guest-1 has left: slow-peer\n" {
					t.Errorf("%q", line)
				}
			}
		}
		if timeout < 0 {
			for range 10 { // it takes a little, and learns that it is too far behind
				_, _ = slow.Read(make([]byte, 1<<20))
			}
		}
		if !left {
			until(t, healthy, "-- guest-1 has left: slow-peer")
		}
	}
}

// In a relay a slow one is ended, whatever Slow says.
func TestSlowMemberOfRelayIsEnded(t *testing.T) {
	h := &room.Hall{Relay: true, Limit: 1 << 20}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	reason := make(chan duet.EndReason, 1)
	_, address := serveOn(t, narrow{l}, h, func(s *duet.Server) {
		s.SendTimeout = -1
		s.Trace = &duet.Trace{ConnEnd: func(c *duet.Conn, r duet.EndReason, _ error) {
			if c.ID() == 1 {
				reason <- r
			}
		}}
	})
	slow := dial(t, address)
	untilMember(t, h, slow)
	healthy, sender := dial(t, address), dial(t, address)
	untilMember(t, h, healthy)
	untilMember(t, h, sender)
	const size = 32 << 20
	go func() { _, _ = sender.Write(make([]byte, size)) }()
	if _, err := io.CopyN(io.Discard, healthy, size); err != nil {
		t.Fatal(err)
	}
	_ = slow.SetReadDeadline(time.Now().Add(patience))
	if n, err := io.Copy(io.Discard, slow); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("it goes on after %d bytes of %d", n, size)
	}
	if r := <-reason; r != duet.EndSlowPeer {
		t.Errorf("ended as %v", r)
	}
}

// A member that asks for more than it takes is ended, and holds nobody.
func TestOneWhoDoesNotReadItsAnswers(t *testing.T) {
	h := new(room.Hall)
	_, address := serve(t, h, func(s *duet.Server) { s.SendTimeout = time.Second })
	greedy := dial(t, address)
	well := bufio.NewReader(dial(t, address))
	until(t, well, "/help shows the commands")
	go func() {
		all := strings.Repeat("/help\n", 1000)
		for {
			if _, err := io.WriteString(greedy, all); err != nil {
				return
			}
		}
	}()
	until(t, well, "-- guest-1 has left: slow-peer")
}
