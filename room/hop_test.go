package room_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"duet.example/duet"
	"duet.example/duet/duettest"
	"duet.example/duet/room"
)

// A hopper goes from room to room and does not read, while another fills each room.
type hopper struct {
	member, filler *peer
	name           string // of the member
	lines          int    // that the filler said in all
	others         int    // other lines for the member
	pad            string
}

const (
	hopLimit = 256 << 10 // Hall.Limit
	hopFill  = hopLimit * 3 / 4
	hopLine  = 1 << 10
)

// hop has two join h, as guest-n and the next.
func hop(t *testing.T, h *room.Hall, n int) *hopper {
	t.Helper()
	noTimeout := func(s *duet.Server) { s.SendTimeout = -1 }
	return &hopper{
		member: join(t, h, noTimeout), filler: join(t, h, noTimeout),
		name:   fmt.Sprint("guest-", n),
		others: 1, // the filler has joined
		pad:    strings.Repeat("x", hopLine),
	}
}

// fill has the member go to a room, and the filler say lines there.
func (p *hopper) fill(t *testing.T, name string) {
	t.Helper()
	p.filler.say("/join " + name)
	p.filler.expectEnd("nobody else is here")
	p.member.say("/join " + name)
	p.others += 2 // the filler has left the room before, and the welcome
	p.filler.skip("-- " + p.name + " has joined")
	p.said(t, name)
}

// said has the filler fill the room in which both are.
func (p *hopper) said(t *testing.T, name string) {
	t.Helper()
	for range hopFill / hopLine {
		p.filler.say(fmt.Sprintf("%d %s", p.lines, p.pad))
		p.lines++
	}
	p.filler.say("/topic") // so that all of it has been said
	p.filler.skip("-- " + name + " has no topic")
}

// read has the member read to the end, and holds what it gets against what was said: each line once and in order, or counted as missed.
func (p *hopper) read(t *testing.T) (got int) {
	t.Helper()
	p.member.say("/me is done")
	p.filler.skip("* " + p.name + " is done")
	p.filler.say("over")
	next, others, missed := 0, 0, 0
	for {
		line := p.member.next()
		var n int
		switch {
		case line == "guest-2: over":
			if all := p.lines + p.others; got+others+missed != all {
				t.Errorf("it got %d lines and %d others and missed %d, of %d", got, others, missed, all)
			}
			return got
		case strings.HasPrefix(line, "… "):
			if _, err := fmt.Sscanf(line, "… %d message", &n); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			missed += n
		case strings.HasSuffix(line, p.pad):
			if _, err := fmt.Sscanf(line, "guest-2: %d ", &n); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if n < next {
				t.Fatalf("line %d after %d", n, next-1)
			}
			next = n + 1
			got++
		default:
			others++
		}
	}
}

// live is how many bytes are in use.
func live() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// One limit holds for what a member has not read in all rooms.
func TestHoppingMemberIsBounded(t *testing.T) {
	p := hop(t, &room.Hall{Limit: hopLimit}, 1)
	p.fill(t, "first")
	before := live()
	const rooms = 16
	for i := range rooms {
		p.fill(t, fmt.Sprint("r", i))
	}
	if grown := live() - before; grown > 2*hopLimit {
		t.Errorf("%d rooms hold %d KiB more at a limit of %d KiB", rooms, grown>>10, hopLimit>>10)
	}
	if got := p.read(t); got*hopLine < hopLimit/4 || got*hopLine > hopLimit+duettest.DefaultBuffer*3 {
		t.Errorf("it got %d lines, want as many as are within the limit and on their way", got)
	}
}

// What a room that was left still has goes first if all of it is within the limit; nothing is missed.
func TestHoppingMemberMissesNothing(t *testing.T) {
	p := hop(t, &room.Hall{Limit: 8 * hopLimit}, 1)
	for i := range 8 {
		p.fill(t, fmt.Sprint("r", i))
	}
	if got := p.read(t); got != p.lines {
		t.Errorf("it got %d lines of %d", got, p.lines)
	}
}

// What is said in the room where it is counts, too.
func TestStayingMemberIsBounded(t *testing.T) {
	var held atomic.Int64
	p := hop(t, &room.Hall{Limit: hopLimit, Held: func(n int64) { held.Add(n) }}, 1)
	p.fill(t, "first")
	p.fill(t, "second")
	for range 20 {
		p.said(t, "second")
	}
	if n := held.Load(); n > hopLimit*3/2 { // a block more than the limit, and what is written to now
		t.Errorf("two rooms hold %d KiB at a limit of %d KiB", n>>10, hopLimit>>10)
	}
	p.read(t)
}

// Where a slow member is ended, one that hops is.
func TestHoppingMemberIsEnded(t *testing.T) {
	p := hop(t, &room.Hall{Limit: hopLimit, Slow: room.End}, 1)
	for i := range 8 {
		p.fill(t, fmt.Sprint("r", i))
	}
	for p.member.bytes(1) > 0 { // it takes a little, and learns that it is too far behind
	}
	if reason := p.member.gone(); reason != duet.EndSlowPeer {
		t.Errorf("ended as %v", reason)
	}
}

// All rooms have one limit, whichever members hold what is in them, and nothing is held when all have gone.
func TestRoomsAreBounded(t *testing.T) {
	var held atomic.Int64
	h := &room.Hall{Limit: hopLimit, TotalLimit: 2 * hopLimit, Held: func(n int64) { held.Add(n) }}
	var all []*hopper
	most := int64(0)
	for i := range 6 {
		p := hop(t, h, 2*i+1)
		all = append(all, p)
		p.fill(t, fmt.Sprint("r", i))
		most = max(most, held.Load())
	}
	if most < hopLimit || most > 3*hopLimit {
		t.Errorf("the rooms held %d KiB at a limit of %d KiB", most>>10, h.TotalLimit>>10)
	}
	for _, p := range all {
		p.member.conn.Abort()
		p.filler.conn.Abort()
		p.member.gone()
		p.filler.gone()
	}
	if n := held.Load(); n != 0 {
		t.Errorf("all have gone, and %d bytes are held", n)
	}
}

// The lines that rooms hold for their members count in the server's budget until nobody has to read them any more.
func TestRingsCountInTheBudget(t *testing.T) {
	p := hop(t, &room.Hall{Limit: hopLimit}, 1)
	budget := p.member.server.Budget()
	p.fill(t, "first")
	// The system takes what it likes of it, up to more than half.
	if n := budget.Used(); n < hopFill/4 {
		t.Errorf("%d KiB are held, of %d that a member has not read", n>>10, hopFill>>10)
	}
	p.read(t)
	p.member.conn.Abort()
	p.filler.conn.Abort()
	p.member.gone()
	p.filler.gone()
	if n := budget.Used(); n != 0 {
		t.Errorf("all have gone, and %d bytes are held", n)
	}
}
