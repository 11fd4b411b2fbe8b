package duettest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"
)

const (
	chunkSize  = 32 << 10
	queueDepth = 32 // the most chunks under way in one direction; it bounds the memory, and Latency × throughput
)

// item is one thing that goes through a pump: bytes, a FIN or a RST.
type item struct {
	due  time.Time
	body []byte
	end  ending
}

type ending int

const (
	noEnd ending = iota
	fin
	rst
)

// pump carries one direction of a link. The goroutine of read notes for each chunk when it is due. The goroutine of write
// does the rest.
type pump struct {
	link     *link
	src, dst net.Conn
	reverse  *pump
	faults   func() Direction

	queue   chan item
	done    chan struct{} // closed when write has ended: no more bytes go this way
	dstGone chan struct{} // closed when a write to dst has failed

	readRand *rand.Rand // only for read

	// These belong to write. The reverse pump also reads delivered.
	rand      *rand.Rand
	cut       func([]byte) []int
	nextByte  time.Time // when Rate lets the next byte pass
	finSent   bool      // FIN has been sent; later bytes are dropped
	delivered atomic.Int64
}

func newPump(l *link, src, dst net.Conn, faults func() Direction, seed, stream uint64) *pump {
	return &pump{
		link: l, src: src, dst: dst, faults: faults,
		queue:    make(chan item, queueDepth),
		done:     make(chan struct{}),
		dstGone:  make(chan struct{}),
		readRand: rand.New(rand.NewPCG(seed, 2*stream)),
		rand:     rand.New(rand.NewPCG(seed, 2*stream+1)),
	}
}

func (p *pump) read() {
	buf := make([]byte, chunkSize)
	for {
		n, err := p.src.Read(buf)
		f := p.faults()
		delay := f.Latency
		if f.Jitter > 0 {
			delay += time.Duration(p.readRand.Int64N(int64(f.Jitter)))
		}
		due := time.Now().Add(delay)
		if n > 0 && !p.put(item{due: due, body: bytes.Clone(buf[:n])}) {
			return
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, io.EOF):
			p.put(item{due: due, end: fin})
		default:
			p.put(item{due: due, end: rst})
		}
		return
	}
}

// put queues an item. It returns false if the writer has ended.
func (p *pump) put(i item) bool {
	select {
	case p.queue <- i:
		return true
	case <-p.done:
	case <-p.link.closed:
	}
	return false
}

func (p *pump) write() {
	defer close(p.done)
	if !p.applyOffsets(p.faults()) {
		return
	}
	for {
		var i item
		select {
		case i = <-p.queue:
		case <-p.link.closed:
			return
		}
		if !p.link.sleepUntil(i.due) {
			return
		}
		switch f := p.faults(); {
		case p.link.isCut() && i.end != noEnd:
			return
		case f.BlackHoleAfter.reached(p.delivered.Load()) && i.end != noEnd && !p.finSent:
			p.swallow()
			return
		case i.end == fin:
			if !p.finSent {
				closeWrite(p.dst)
			}
			return
		case i.end == rst:
			p.link.reset()
			return
		case !p.pass(f, i.body):
			return
		}
	}
}

// pass writes b to dst with the faults of f. It returns false if the pump has ended.
func (p *pump) pass(f Direction, b []byte) bool {
	var lengths []int
	switch {
	case f.Cut != nil:
		if p.cut == nil {
			p.cut = f.Cut(p.rand)
		}
		lengths = p.cut(b)
	default:
		lengths = f.Pieces.cut(nil, len(b), p.rand)
	}
	for len(b) > 0 {
		n := len(b)
		if len(lengths) > 0 {
			n, lengths = min(n, lengths[0]), lengths[1:]
		}
		if !p.passPiece(f, b[:n]) {
			return false
		}
		b = b[n:]
	}
	return true
}

func (p *pump) passPiece(f Direction, b []byte) bool {
	for len(b) > 0 {
		at := p.delivered.Load()
		if p.finSent || p.link.isCut() || f.BlackHoleAfter.reached(at) {
			return true
		}
		n := len(b)
		for _, o := range []Offset{f.ResetAfter, f.CutAfter, f.HalfCloseAfter, f.BlackHoleAfter} {
			if left := int64(o) - at; left > 0 {
				n = int(min(int64(n), left))
			}
		}
		if f.Rate > 0 {
			n = min(n, max(1, f.Rate/50))
			if !p.link.sleepUntil(p.nextByte) {
				return false
			}
			if now := time.Now(); p.nextByte.Before(now) {
				p.nextByte = now
			}
			p.nextByte = p.nextByte.Add(time.Duration(n) * time.Second / time.Duration(f.Rate))
		}
		if i := f.FlipByte - 1 - at; i >= 0 && i < int64(n) {
			b[i] ^= 1
		}
		if _, err := p.dst.Write(b[:n]); err != nil {
			if p.link.isCut() {
				return true
			}
			p.resetBack()
			return false
		}
		b = b[n:]
		p.delivered.Add(int64(n))
		if !p.applyOffsets(f) {
			return false
		}
	}
	return true
}

// applyOffsets applies the fault that begins after the bytes delivered so far. It returns false if the pump has ended.
func (p *pump) applyOffsets(f Direction) bool {
	at := p.delivered.Load()
	switch {
	case f.ResetAfter.reached(at):
		p.link.reset()
		return false
	case f.CutAfter.reached(at):
		p.link.cut()
	case f.HalfCloseAfter.reached(at) && !p.finSent:
		p.finSent = true
		closeWrite(p.dst)
	}
	return true
}

// resetBack resets src because dst is closed: a kernel answers bytes to a closed connection with a RST. The bytes that dst
// sent before reach src first.
func (p *pump) resetBack() {
	close(p.dstGone)
	released := p.link.released
	if p.link.resetting.Load() {
		released = nil
	}
	select {
	case <-released: // src is closed, too, or the owner has closed dst, which is no reset
		return
	default:
	}
	if r := p.reverse; r.faults().BlackHoleAfter.reached(r.delivered.Load()) {
		p.swallow()
		return
	}
	select {
	case <-p.reverse.done:
	case <-p.reverse.dstGone:
	case <-time.After(deliveryLimit):
	case <-p.link.closed:
	case <-released:
		return
	}
	p.link.reset()
}

// swallow keeps the connection open until the other direction has ended, and drops all items.
func (p *pump) swallow() {
	for {
		select {
		case <-p.queue:
		case <-p.reverse.done:
			return
		case <-p.link.released:
			return
		case <-p.link.closed:
			return
		}
	}
}

// closeWrite half-closes c. If c has no CloseWrite, it closes c, because the peer must see an end.
func closeWrite(c net.Conn) {
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite() // fails if the peer has reset; then read fails, too
		return
	}
	c.Close()
}

// reset closes c, with a RST if c can send one.
func reset(c net.Conn) {
	switch c := c.(type) {
	case interface{ Reset() error }:
		_ = c.Reset()
		return
	case interface{ SetLinger(sec int) error }:
		_ = c.SetLinger(0)
	}
	c.Close()
}
