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

// Bounds of the bytes that stay when a peer vanishes while it is not read, until its handler receives them.
const (
	maxRest      = wire.ChunkSize // of one conversation
	maxRestTotal = 4 << 20        // of all conversations of a server
)

// errUnread goes with the error of a connection that had more to be read than is kept.
var errUnread = errors.New("some of what the peer had said is lost")

// remains is what stays of a connection that has failed. Its descriptor is closed, while the handler still runs.
type remains struct {
	once   sync.Once
	rest   []byte // what the peer had sent and nobody had read; its owner is who reads
	err    error  // what reading gives after rest
	send   error  // what sending gives
	unsent bool   // something was on its way to the peer
	unread bool   // bytes of the peer are lost
	closed error  // the outcome of the close
	freed  bool   // its place is free; under Server.mu

	lost chan struct{} // made by the first Lost; under lifecycle.mu
}

// Lost is closed when the connection has failed: the peer has reset it, or the network answers no more. On Linux that
// is noticed within 100 ms, also while nobody receives or sends; elsewhere, and after Raw, by the next read or write. From then on
// Receive gives the messages that have come before, up to 64 KiB of what was not read yet, and then the error; Send
// and Post fail. The descriptor is closed, and the conversation takes no place of the server's MaxConns any more,
// while its handler goes on. Done is closed when that has returned.
//
// It is also closed when this side has cut the connection: by Abort, by Server.Close, or when the time of a Shutdown is over.
//
// A peer that finishes in good order is not lost.
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

// announceLoss closes the channel of Lost, also of a later call.
func (c *Conn) announceLoss() {
	x := &c.makeExtras().remains
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	if c.life.noteLocked(connLost) && x.lost != nil {
		close(x.lost)
	}
}

// isDead reports whether an error of a connection says that it is of no use any more, in both directions.
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

// lose takes note that the connection has failed, with cause if that is known. Whoever reads at this moment does the
// rest, because bytes must stay in order; otherwise it is done here. Any goroutine may call it.
func (c *Conn) lose(cause error) {
	x := &c.makeExtras().remains
	if first, reads := c.wire.Lose(); first && !reads {
		x.once.Do(func() { c.keepRemains(cause) })
	}
}

// loseRead is lose for the reader, to whom the connection has given the error err.
func (c *Conn) loseRead(err error) {
	if first, _ := c.wire.Lose(); first {
		x := &c.makeExtras().remains
		x.once.Do(func() { c.closeRemains(nil, false, err) })
	}
}

// keepRemains keeps what can still be received, closes the connection, and frees its place. Nobody reads.
func (c *Conn) keepRemains(cause error) {
	rest, unread, err := c.wire.TakeRest(maxRest)
	if s := c.set.server; s != nil && !s.keepRest(len(rest)) {
		rest, unread = nil, true
	}
	switch {
	case err == nil, errors.Is(err, io.EOF) && (unread || isDead(cause) && !errors.Is(cause, syscall.EPIPE)):
		// Who has asked was told of the error once; reading gives an end instead.
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

// closeRemains is keepRemains once the rest is known, and the error that follows.
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
	c.wire.Interrupt() // it may be held by a Throttle
}

// loseQueue has sending fail. Only what was on its way makes that the conversation's end: a peer that had said its
// farewell, or had finished, may want no answer.
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

// remaining is what a lost connection gives next, if the last read has found nothing itself.
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

// got is the outcome of the last read or try; see wire.got.
func (c *Conn) got() ([]byte, error) {
	b, err := c.wire.Got()
	if c.wire.IsLost() {
		return c.readRemains(b, err)
	}
	return b, err
}

// finishLost is how a conversation ends whose connection is closed already.
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

// keepRest counts n bytes more that are kept of vanished peers; false if there is no room for them.
func (s *Server) keepRest(n int) bool {
	if s.rest.Add(int64(n)) <= maxRestTotal || n <= 0 {
		return true
	}
	s.rest.Add(int64(-n))
	return false
}

// vanished frees the place of a conversation whose handler still runs. There are at most as many of these as
// conversations: handlers that do not return must not be without number.
func (s *Server) freePlace(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[c.id] == c && (s.limit <= 0 || s.vanished < s.limit) {
		c.makeExtras().remains.freed = true
		s.vanished++
	}
}

// forgetVanished undoes vanished, and keepRest. s.mu is held.
func (s *Server) forgetVanished(c *Conn) {
	if x := c.extras.Load(); x != nil {
		s.keepRest(-len(x.remains.rest))
		x.remains.rest = nil
		if x.remains.freed {
			s.vanished--
		}
	}
}

// hangupEvery is how often it is looked whether connections have failed that nobody reads, while there are any. Where a
// place or a descriptor is wanted, it is looked at once.
const hangupEvery = 100 * time.Millisecond

// watchHangups has connections watched that fail while nobody reads them, for as long as somebody accepts. What it
// returns ends that. One timer serves the whole server, and only while it has conversations.
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

// expectFailures has the server look within hangupEvery whether c's connection has failed. Until then c costs nothing: watchNew
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

// watchNew registers the conversations that are not watched yet. When it returns, all that had begun before the call are
// watched, also those that another goroutine registers at the same time. It returns nil if the system watches none.
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

// unwatched gives the live conversations whose numbers are above watched. s.mu is held.
func (s *Server) unwatched() (fresh []*Conn) {
	take := func(c *Conn) {
		if c != nil && c.id > s.hangupsUpTo && c.wire.IsSocket() {
			fresh = append(fresh, c)
		}
	}
	if s.lastID-s.hangupsUpTo > uint64(len(s.conns)) { // most of them have ended
		for _, c := range s.conns {
			take(c)
		}
		return fresh
	}
	for id := s.hangupsUpTo + 1; id <= s.lastID; id++ {
		take(s.conns[id])
	}
	return fresh
}

// lookForHangups looks now, and later if there is still somebody.
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

// findLost takes note of connections that have failed. It reports whether there were any.
func (s *Server) findLost() (found bool) {
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
