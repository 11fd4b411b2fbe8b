package handler

import (
	"errors"
	"net"
	"sync/atomic"

	"duet.example/duet/internal/bulk"
)

// gaugePiece is how much a gauge writes at once, so that a slow peer is seen to take it.
const gaugePiece = 32 << 10

// A gauge measures a connection that the system cannot be asked about: one in memory, or one that
// is watched. The kernel does not copy these in any case.
type gauge struct {
	net.Conn
	f       *flow
	writing atomic.Bool
	reading atomic.Bool
}

func (g *gauge) Read(p []byte) (int, error) {
	g.reading.Store(true)
	defer g.reading.Store(false)
	return g.Conn.Read(p)
}

// AwaitRead waits like the connection's own, where it has one.
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
		n, err := g.f.write(g.Conn, p[done:min(len(p), done+gaugePiece)])
		done += n
		if err != nil || done == len(p) {
			return done, err
		}
		g.f.took()
	}
}

func (g *gauge) state() state {
	return state{readable: !g.reading.Load(), full: g.writing.Load(), queue: -1}
}

func (g *gauge) broken(probe bool) error {
	if !probe {
		return nil
	}
	_, err := g.Conn.Write(nil)
	return err
}

func (g *gauge) refuses() error {
	if g.writing.Load() {
		return nil
	}
	return g.broken(true)
}

// failedSide is which side of a copy failed.
func failedSide(err error) string {
	var side *bulk.SideError
	if errors.As(err, &side) {
		return side.Op
	}
	return ""
}
