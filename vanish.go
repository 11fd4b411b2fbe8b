package duet

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"duet.example/duet/internal/wire"
)

// Bounds of the bytes that are kept of vanished peers until their handlers receive them.
const (
	maxRest      = wire.ChunkSize // of one conversation
	maxRestTotal = 4 << 20        // of all conversations of a server
)

// errUnread is part of the error of a lost connection if more bytes had arrived than are kept.
var errUnread = errors.New("some bytes of the peer are lost")

// remains hold the rest of a lost connection. Its descriptor is closed, while its handler still runs.
type remains struct {
	once   sync.Once
	rest   []byte // bytes that had arrived and were not read; used by the goroutine that reads
	err    error  // of reading, after rest
	send   error  // of sending
	unsent bool   // a message was on its way to the peer
	unread bool   // bytes of the peer are lost
	closed error  // of the close
	freed  bool   // its place is free; under Server.mu

	lost chan struct{} // made by the first Lost; under lifecycle.mu
}

// Lost returns a channel that is closed when the connection has failed: the peer has reset it, or the network no longer answers. On
// Linux that is noticed within 100 ms, also while no goroutine receives or sends. On other systems and after Raw, the next read or
// write notices it.
//
// From then on, Receive returns the messages that had arrived, up to 64 KiB of bytes that were not read yet, and then the error. Send
// and Post fail. The descriptor is closed and the conversation no longer counts for Server.MaxConns, while its handler goes on.
// Done is closed when the handler has returned.
//
// The channel is also closed when this side has cut the connection: after Abort, Server.Close, or a Shutdown whose context has ended.
// It is not closed when the peer finishes in good order.
func (c *Conn) Lost() <-chan struct{} {
	x := &c.makeExtras().remains
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	if x.lost == nil {
		x.lost = make(chan struct{})
		if c.life.has(connLost) {
			close(x.lost)
		}
	}
	return x.lost
}

// announceLoss closes the channel of Lost. A later call of Lost returns a closed channel.
func (c *Conn) announceLoss() {
	x := &c.makeExtras().remains
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	if c.life.noteLocked(connLost) && x.lost != nil {
		close(x.lost)
	}
}

// isDead reports whether err means that a connection has failed in both directions.
func isDead(err error) bool {
	for _, e := range []error{
		syscall.ECONNRESET, syscall.EPIPE, syscall.ETIMEDOUT, syscall.ECONNABORTED, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// lose notes that the connection has failed. cause is nil if it is not known. If a goroutine is reading, that goroutine does the
// rest, because bytes must stay in order. Otherwise lose does it. Any goroutine may call lose.
func (c *Conn) lose(cause error) {
	x := &c.makeExtras().remains
	if first, reads := c.wire.Lose(); first && !reads {
		x.once.Do(func() { c.keepRemains(cause) })
	}
}

// loseRead is lose for the goroutine that reads, after a read that failed with err.
func (c *Conn) loseRead(err error) {
	if first, _ := c.wire.Lose(); first {
		x := &c.makeExtras().remains
		x.once.Do(func() { c.closeRemains(nil, false, err) })
	}
}

// keepRemains keeps the bytes that can still be received, closes the connection, and frees its place. No goroutine reads.
func (c *Conn) keepRemains(cause error) {
	rest, unread, err := c.wire.ReadRest(maxRest)
	if s := c.set.server; s != nil && !s.keepRest(len(rest)) {
		rest, unread = nil, true
	}
	switch {
	case err == nil, errors.Is(err, io.EOF) && (unread || isDead(cause) && !errors.Is(cause, syscall.EPIPE)):
		// The system reports an error once. After that, reading returns an end.
		err = cause
	}
	if err == nil {
		err = syscall.ECONNRESET
	}
	if unread {
		err = fmt.Errorf("%w; %w", err, errUnread)
	}
	c.closeRemains(rest, unread, err)
}

// closeRemains is keepRemains for a rest that was read already, and the error that follows it.
func (c *Conn) closeRemains(rest []byte, unread bool, err error) {
	x := &c.makeExtras().remains
	x.rest, x.unread, x.err, x.send = rest, unread, err, err
	if errors.Is(err, io.EOF) {
		x.send = syscall.EPIPE // the peer had finished before
	}
	c.loseQueue(x)
	x.closed = c.wire.Close()
	if c.set.server != nil {
		c.set.server.freePlace(c)
	}
	c.announceLoss()
	c.wire.Interrupt() // it may wait for a Throttle
}

// loseQueue makes sending fail. That decides the ending only if a message was on its way: a peer that had said its
// farewell or had finished may not want an answer.
func (c *Conn) loseQueue(x *remains) {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.err != nil, o.finAt != 0: // there is nothing more to be sent
	case o.writing || len(o.queue) > 0:
		x.unsent = true
		c.failSending(x.send)
	default:
		o.err = x.send
	}
}

// readRemains returns the next bytes and the error of a lost connection. b and err are those of the last read. If it has found
// something, that comes first.
//
//go:noinline
func (c *Conn) readRemains(b []byte, err error) ([]byte, error) {
	x := &c.makeExtras().remains
	found := err != nil && (isDead(err) || errors.Is(err, io.EOF))
	x.once.Do(func() {
		if found {
			c.closeRemains(nil, false, err)
		} else {
			c.keepRemains(nil)
		}
	})
	switch {
	case len(b) > 0, found:
		return b, err
	case len(x.rest) > 0:
		b, x.rest = x.rest, nil
		if c.set.server != nil {
			c.set.server.keepRest(-len(b))
		}
		return b, nil
	}
	return nil, x.err
}

// got returns the bytes and the error of the last read, as wire.Conn.Got does, also for a lost connection.
func (c *Conn) got() ([]byte, error) {
	b, err := c.wire.Got()
	if c.wire.IsLost() {
		return c.readRemains(b, err)
	}
	return b, err
}

// finishLost is finish for a lost connection, which is closed already.
func (c *Conn) finishLost() error {
	x := &c.makeExtras().remains
	x.once.Do(func() { c.keepRemains(nil) })
	if !c.recv.fin {
		c.traceRead(0, x.err)
	}
	c.closeNow(x.unread || len(x.rest) > 0)
	if x.unsent {
		return c.error("send", x.send)
	}
	return nil
}

// closeWire closes the connection, unless it was lost before.
func (c *Conn) closeWire() error {
	if c.wire.Detach() {
		err := c.wire.Close()
		c.wire.AwaitEnd()
		return err
	}
	x := &c.makeExtras().remains
	x.once.Do(func() { c.keepRemains(nil) })
	return x.closed
}

// keepRest counts n bytes more that are kept of vanished peers. It returns false if there is no room for them.
func (s *Server) keepRest(n int) bool {
	if s.rest.Add(int64(n)) <= maxRestTotal || n <= 0 {
		return true
	}
	s.rest.Add(int64(-n))
	return false
}

// freePlace frees the place of a conversation whose handler still runs. At most limit conversations without a place may exist, so
// that the number of handlers that do not return is bounded.
func (s *Server) freePlace(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[c.id] == c && (s.limit <= 0 || s.vanished < s.limit) {
		c.makeExtras().remains.freed = true
		s.vanished++
	}
}

// forgetVanished undoes freePlace and keepRest. s.mu is held.
func (s *Server) forgetVanished(c *Conn) {
	if x := c.extras.Load(); x != nil {
		s.keepRest(-len(x.remains.rest))
		x.remains.rest = nil
		if x.remains.freed {
			s.vanished--
		}
	}
}

// hangupEvery is how often a server with conversations looks for connections that have failed. It looks at once if it needs a place or
// a descriptor.
const hangupEvery = 100 * time.Millisecond

// watchHangups makes the server look for connections that fail while no goroutine reads them, until stop is called. One timer serves the whole
// server, and runs only while there are conversations.
func (s *Server) watchHangups() (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepting++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.accepting--; s.accepting == 0 && s.hangups != nil {
			s.hangupTimer.Stop()
			s.hangups.close()
			s.hangups, s.hangupTimer = nil, nil
		}
	}
}

// expectFailures makes the server look within hangupEvery whether c's connection has failed. Until then c costs nothing: watchNew
// registers it at the first look, if it still lives. s.mu is held.
func (s *Server) expectFailures(c *Conn) {
	if !c.wire.IsSocket() || s.accepting == 0 {
		return
	}
	if s.hangups == nil {
		h, err := newHangups()
		if err != nil {
			return // no descriptors now, or another system
		}
		s.hangups, s.hangupTimerRuns = h, true
		s.hangupTimer = time.AfterFunc(hangupEvery, s.lookForHangups)
	}
	if !s.hangupTimerRuns {
		s.hangupTimerRuns = true
		s.hangupTimer.Reset(hangupEvery)
	}
}

// watchNew registers the conversations that are not watched yet. When it returns, all conversations that had begun before the call are
// watched, even if another goroutine registers some at the same time. It returns nil if none can be watched.
func (s *Server) watchNew() *hangups {
	s.hangupsMu.Lock()
	defer s.hangupsMu.Unlock()
	s.mu.Lock()
	h := s.hangups
	var fresh []*Conn
	if h != nil {
		fresh = s.unwatched()
		s.hangupsUpTo = s.lastID
	}
	s.mu.Unlock()
	for _, c := range fresh {
		h.add(c.wire.Descriptor(), c.id)
	}
	return h
}

// unwatched returns the live conversations whose numbers are above hangupsUpTo. s.mu is held.
func (s *Server) unwatched() (fresh []*Conn) {
	add := func(c *Conn) {
		if c != nil && c.id > s.hangupsUpTo && c.wire.IsSocket() {
			fresh = append(fresh, c)
		}
	}
	if s.lastID-s.hangupsUpTo > uint64(len(s.conns)) { // most of them have ended
		for _, c := range s.conns {
			add(c)
		}
		return fresh
	}
	for id := s.hangupsUpTo + 1; id <= s.lastID; id++ {
		add(s.conns[id])
	}
	return fresh
}

// lookForHangups looks now, and again after hangupEvery if there are still conversations.
func (s *Server) lookForHangups() {
	s.findLost()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hangupTimer == nil {
		return
	}
	if s.hangupTimerRuns = len(s.conns) > 0; s.hangupTimerRuns {
		s.hangupTimer.Reset(hangupEvery)
	}
}

// findLost looks for connections that have failed, and reports whether there were any. One goroutine at a time does it: another that calls it
// meanwhile needs the places that are being freed. If a goroutine reads one of the connections, that goroutine frees its place, soon.
func (s *Server) findLost() (found bool) {
	s.lossesMu.Lock()
	defer s.lossesMu.Unlock()
	h := s.watchNew()
	if h == nil {
		return false
	}
	for ids := h.failed(); len(ids) > 0; ids = h.failed() {
		found = true
		for _, id := range ids {
			s.mu.Lock()
			c := s.conns[id]
			s.mu.Unlock()
			if c != nil {
				c.lose(nil)
			}
		}
	}
	return found
}
