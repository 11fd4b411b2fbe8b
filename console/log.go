package console

import (
	"math"
	"slices"

	"duet.example/duet/internal/screen"
)

// How much of what was said is kept: lines and bytes of one conversation, and bytes of all.
const (
	keepLines = 1000
	keepBytes = 256 << 10
	keepAll   = 16 << 20
	// keepColumns is how much of one line is kept: more than a screen shows.
	keepColumns = 4096
	// lineSize is what a line takes beside its text.
	lineSize = 64
)

// Rooms have numbers of their own in the logs, from firstRoom on. The words of keepRooms of them are kept.
const (
	firstRoom = 1 << 63
	keepRooms = 64
)

// A logLine is a line as it was, or would have been, printed.
type logLine struct {
	seq  uint64 // it goes up
	text string
	own  bool // the operator's own words, which the input line has shown
}

// logs keep the last words of each conversation. Number 0 stands for what duet itself has said.
type logs struct {
	seq   uint64
	bytes int
	of    map[uint64]*log
	rooms map[string]uint64 // the numbers of those that are kept
	last  uint64            // the last number given to a room, less firstRoom
}

type log struct {
	lines []logLine
	bytes int
}

func newLogs() logs { return logs{of: make(map[uint64]*log), rooms: make(map[string]uint64)} }

// room is the number of a room. A room that is new takes the place of the one in which the last word is oldest, where there are enough.
func (l *logs) room(name string) uint64 {
	if n, ok := l.rooms[name]; ok {
		return n
	}
	if len(l.rooms) >= keepRooms {
		quietest, oldest := "", uint64(math.MaxUint64)
		for other, n := range l.rooms {
			if seq := l.lastOf(n); seq < oldest {
				quietest, oldest = other, seq
			}
		}
		l.forget(l.rooms[quietest])
		delete(l.rooms, quietest)
	}
	l.last++
	l.rooms[name] = firstRoom + l.last
	return firstRoom + l.last
}

// lastOf is the number of the last line of n.
func (l *logs) lastOf(n uint64) uint64 {
	one := l.of[n]
	if one == nil || len(one.lines) == 0 {
		return 0
	}
	return one.lines[len(one.lines)-1].seq
}

// add appends lines, and drops the oldest where there is no room: of the same conversation, or of the one that holds most.
func (l *logs) add(n uint64, own bool, lines ...string) {
	one := l.of[n]
	if one == nil {
		one = &log{}
		l.of[n] = one
	}
	if extra := len(lines) - keepLines; extra > 0 {
		l.seq += uint64(extra)
		lines = lines[extra:]
	}
	for _, text := range lines {
		text = screen.Cut(text, keepColumns)
		l.seq++
		one.lines = append(one.lines, logLine{l.seq, text, own})
		one.bytes += len(text) + lineSize
		l.bytes += len(text) + lineSize
	}
	for len(one.lines) > keepLines || one.bytes > keepBytes {
		l.dropOldest(one)
	}
	for l.bytes > keepAll {
		most := one
		for _, other := range l.of {
			if other.bytes > most.bytes {
				most = other
			}
		}
		for half := most.bytes / 2; most.bytes > half && len(most.lines) > 0; {
			l.dropOldest(most)
		}
	}
}

func (l *logs) dropOldest(one *log) {
	size := len(one.lines[0].text) + lineSize
	one.lines[0] = logLine{}
	one.lines = one.lines[1:]
	one.bytes -= size
	l.bytes -= size
}

// forget drops what was said in conversation n.
func (l *logs) forget(n uint64) {
	if one := l.of[n]; one != nil {
		l.bytes -= one.bytes
		delete(l.of, n)
	}
}

// next is the number of the line that comes next.
func (l *logs) next() uint64 { return l.seq + 1 }

// from gives the lines of conversation n from number seq on, without the operator's own; all is false where the first of them are
// not kept any more.
func (l *logs) from(n, seq uint64) (lines []string, all bool) {
	one := l.of[n]
	if one == nil {
		return nil, true
	}
	all = len(one.lines) == 0 || one.lines[0].seq <= seq
	for _, line := range one.lines {
		if line.seq >= seq && !line.own {
			lines = append(lines, line.text)
		}
	}
	return lines, all
}

// merged gives the lines of conversation n and duet's own, in order.
func (l *logs) merged(n uint64) []logLine {
	var a, b []logLine
	if n != 0 && l.of[n] != nil {
		a = l.of[n].lines
	}
	if l.of[0] != nil {
		b = l.of[0].lines
	}
	all := make([]logLine, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0].seq < b[0].seq {
			all, a = append(all, a[0]), a[1:]
		} else {
			all, b = append(all, b[0]), b[1:]
		}
	}
	return slices.Concat(all, a, b)
}
