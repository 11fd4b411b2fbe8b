package main

import (
	"io"
	"sync"
	"time"
)

const (
	gatherTime = 2 * time.Millisecond
	gatherMost = 32 << 10 // bytes
)

// A gatherer writes to w what comes now and then at once, and what comes in quick succession together: where thousands connect in a second, a
// system call for each of their notices, and waking whoever reads them, costs as much as greeting them.
//
// It may be used by several at the same time. What is still gathered goes out by Close.
type gatherer struct {
	w io.Writer

	mu    sync.Mutex
	last  time.Time // something was written
	text  []byte
	timer *time.Timer // runs while there is text
}

func gather(w io.Writer) *gatherer { return &gatherer{w: w} }

func (g *gatherer) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if len(g.text) == 0 && now.Sub(g.last) >= gatherTime {
		g.last = now
		return g.w.Write(p)
	}
	if len(g.text) == 0 {
		if g.timer == nil {
			g.timer = time.AfterFunc(gatherTime, g.flush)
		} else {
			g.timer.Reset(gatherTime)
		}
	}
	g.text = append(g.text, p...)
	if len(g.text) >= gatherMost {
		return len(p), g.writeText()
	}
	return len(p), nil
}

func (g *gatherer) flush() {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.writeText()
}

// Close writes what is gathered. It does not close w.
func (g *gatherer) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.writeText()
}

func (g *gatherer) writeText() error {
	if len(g.text) == 0 {
		return nil
	}
	g.timer.Stop()
	g.last = time.Now()
	_, err := g.w.Write(g.text)
	g.text = g.text[:0]
	return err
}
