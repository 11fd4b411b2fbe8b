package handler

import (
	"net"
	"sync/atomic"
)

// An inspector asks for the state of a connection.
type inspector interface {
	state() connState
	// pendingError returns the error that the next Write would return. It may be called with probe only before the half-close.
	pendingError(probe bool) error
	// writeError returns the error with which the connection would refuse a Write; nil also if that cannot be asked now. It may be
	// called only before the half-close.
	writeError() error
}

// A connState is what the system knows about a connection.
type connState struct {
	readable bool // bytes or the peer's end wait to be read, or were read a moment ago: the peer is not idle
	full     bool // a Write waits for the peer, or would wait
	queue    int  // bytes that the system still holds for the peer; -1: unknown
}

// gaugePiece is how much a gauge writes at once, so that a slow peer is seen to take it.
const gaugePiece = 32 << 10

// A gauge inspects a connection that the system cannot be asked about: one in memory, or one that somebody observes. The system copies
// for neither.
type gauge struct {
	net.Conn
	d       *watchdog
	writing atomic.Bool
	reading atomic.Bool
}

func (g *gauge) Read(p []byte) (int, error) {
	g.reading.Store(true)
	defer g.reading.Store(false)
	return g.Conn.Read(p)
}

// AwaitRead waits like that of the connection, if the connection has one.
func (g *gauge) AwaitRead() error {
	w, ok := g.Conn.(interface{ AwaitRead() error })
	if !ok {
		return nil
	}
	g.reading.Store(true)
	defer g.reading.Store(false)
	return w.AwaitRead()
}

func (g *gauge) Write(p []byte) (int, error) {
	g.writing.Store(true)
	defer g.writing.Store(false)
	done := 0
	for {
		n, err := g.d.write(g.Conn, p[done:min(len(p), done+gaugePiece)])
		done += n
		if err != nil || done == len(p) {
			return done, err
		}
		g.d.noteSent(int64(n))
	}
}

func (g *gauge) state() connState {
	return connState{readable: !g.reading.Load(), full: g.writing.Load(), queue: -1}
}

func (g *gauge) pendingError(probe bool) error {
	if !probe {
		return nil
	}
	_, err := g.Conn.Write(nil)
	return err
}

func (g *gauge) writeError() error {
	if g.writing.Load() {
		return nil
	}
	return g.pendingError(true)
}
