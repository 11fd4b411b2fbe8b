package console

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
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
	if name := operatorName(strings.Repeat("x】", 1000)); ansi.StringWidth(name) > nameWidth || !strings.HasPrefix(name, "x?x?") {
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
