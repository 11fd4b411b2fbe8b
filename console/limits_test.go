package console

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"duet.example/duet/internal/screen"
)

func TestQueueBytes(t *testing.T) {
	q := newQueue()
	if err := q.put(t.Context(), []string{strings.Repeat("x", maxQueueBytes)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.put(ctx, []string{"no room"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a queue full of bytes: %v", err)
	}
}

func TestOperatorNameIsShort(t *testing.T) {
	if name := operatorName(strings.Repeat("x】", 1000)); screen.Width(name) > nameWidth || !strings.HasPrefix(name, "x?x?") {
		t.Errorf("the name is shown as %q", name)
	}
}

// What is kept of what was said has bounds, for one conversation and for all.
func TestLogsAreBounded(t *testing.T) {
	l := newLogs()
	for range keepLines + 100 {
		l.add(1, false, "x")
	}
	if n := len(l.of[1].lines); n != keepLines {
		t.Errorf("%d lines are kept, want %d", n, keepLines)
	}
	long := strings.Repeat("x", keepColumns)
	for range 2 * keepBytes / keepColumns {
		l.add(2, false, long)
	}
	if n := l.of[2].bytes; n > keepBytes || n < keepBytes/2 {
		t.Errorf("%d bytes are kept, want nearly %d", n, keepBytes)
	}
	for n := range uint64(2 * keepAll / keepBytes) {
		for range keepBytes / keepColumns {
			l.add(n, false, long)
		}
	}
	if l.bytes > keepAll || l.bytes < keepAll/2 {
		t.Errorf("%d bytes are kept of all, want nearly %d", l.bytes, keepAll)
	}
}

// However many rooms there are, the words of some are kept: of those in which was spoken last.
func TestLogsOfRoomsAreBounded(t *testing.T) {
	l := newLogs()
	for n := range 3 * keepRooms {
		l.add(l.room(fmt.Sprint(n)), false, "x")
		l.add(l.room("lobby"), false, "x")
	}
	if len(l.rooms) != keepRooms || len(l.of) != keepRooms {
		t.Errorf("%d rooms have a number, and %d logs are kept, want %d", len(l.rooms), len(l.of), keepRooms)
	}
	if lines, _ := l.from(l.room("lobby"), 0); len(lines) != 3*keepRooms {
		t.Errorf("%d lines of the room that is spoken in are kept, want %d", len(lines), 3*keepRooms)
	}
	if lines, _ := l.from(l.room(fmt.Sprint(3*keepRooms-1)), 0); len(lines) != 1 {
		t.Errorf("%d lines of the last room", len(lines))
	}
}
