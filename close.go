package duet

import (
	"errors"
	"math"
	"os"
	"strings"
	"time"

	"duet.example/duet/internal/wire"
)

// Close ends the conversation: what is queued is still sent, then FIN; what the
// peer still says is read and thrown away until its end, for the close timeout or 1 MiB
// at the most; then the connection is closed. A Receive that waits returns ErrClosed. Close returns when all
// that is done; a second Close waits for the first. The error is that of sending.
//
// A connection that cannot be half-closed is read until 100 ms of silence, within the same bounds. It is closed at once if it
// is in memory.
func (c *Conn) Close() error {
	return c.finish(EndClosed, nil)
}

// stop asks the conversation to end for the reason why: the receiving goroutine gets it as its error.
func (c *Conn) stop(why EndReason) {
	if c.stopped.CompareAndSwap(uint32(EndNone), uint32(why)) {
		c.wire.SetEnding()
		c.interruptAll()
		c.stopTransfer(c.stopError(why))
		c.endContext()
	}
}

// interruptAll interrupts Receive, and the reads and writes of what Raw returned.
func (c *Conn) interruptAll() {
	c.wire.Interrupt()
	if c.rawTaken.Load() {
		c.wire.Stop(c.endsAtOnce(c.stopReason()))
	}
}

// endsAtOnce reports whether the connection is about to be closed as it is.
func (c *Conn) endsAtOnce(why EndReason) bool { return why == EndClosed || c.wantsAbort() }

// Kick ends the conversation as `kicked`, from outside its handler. The handler's Receive fails with ErrKicked. What was posted is
// still sent, and so is a message that is on its way; any other Send fails with ErrKicked.
//
// The peer gets the reason as a message, if it is not empty, and then the farewell, if the conversation has one. It gets neither after Raw.
// Line ends in the reason become blanks. The error of Result and of Receive then names the reason; for errors.Is it is ErrKicked.
func (c *Conn) Kick(reason string) {
	// The reason is one message in every framing. [C-17]
	reason = strings.TrimSpace(strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ", "\x00", " ").Replace(reason))
	if reason != "" && c.stopReason() == EndNone {
		c.rarely().kicked.CompareAndSwap(nil, &reason)
	}
	c.stop(EndKicked)
	if c.stopReason() == EndKicked {
		c.dropWaiting()
	}
}

// finish is the one way in which a conversation is closed. A Close with unread input
// makes the system send a reset, which destroys what was written and not yet read (RFC
// 1122, 4.2.2.13); so: send what is queued, half-close, read to the peer's end, close.
func (c *Conn) finish(r EndReason, cause error) error {
	if c.closing.Swap(true) {
		<-c.Done()
		return nil
	}
	if why := c.stopReason(); why != EndNone {
		c.setEnd(why, c.stopCause(why)) // whatever the handler made of it
	}
	c.setEnd(r, cause)
	reason, _ := c.Result()
	c.wire.SetEnding()
	c.breakTransfer()
	c.endContext()
	c.stopReceiving()
	defer c.recv.mu.Unlock()

	switch reclaimed := c.reclaim(); {
	case c.wire.IsLost():
		return c.closeLost()
	case !reclaimed:
		c.closeNow(true)
		return nil
	case !mayLinger(reason):
		c.resetOnClose()
		c.closeNow(true)
		return nil
	}
	if c.queueLastWords(reason) {
		defer c.boundSending().Stop()
	}
	unread := c.drain(c.wire.Now())
	err := c.awaitWriter()
	if err != nil {
		// Half a message may have left: an ending that looks like a good one would make a whole of it.
		c.resetOnClose()
		unread = true
	}
	c.closeNow(unread)
	return err
}

// boundSending gives what is still to be sent three send timeouts in all: a peer that takes a
// byte now and then must not hold an ending for ever.
func (c *Conn) boundSending() *time.Timer {
	d := 3 * c.set.SendTimeout
	if d <= 0 {
		d = math.MaxInt64
	}
	return time.AfterFunc(d, func() {
		c.out.mu.Lock()
		defer c.out.mu.Unlock()
		if c.out.writing {
			c.failSending(ErrSlowPeer)
		}
	})
}

// mayLinger: whether the peer can still be served an orderly end.
func mayLinger(r EndReason) bool {
	switch r {
	case EndReset, EndTimeout, EndSlowPeer, EndOverload:
		return false
	}
	return true
}

// queueLastWords queues the farewell, where it is this side that ends a conversation that goes on, and FIN.
// It reports whether somebody is writing now.
func (c *Conn) queueLastWords(r EndReason) (writing bool) {
	if c.rawTaken.Load() {
		_ = c.finishWriting()
		return false
	}
	var last []byte
	if (r == EndShutdown || r == EndKicked || r == EndIdle) && c.set.Farewell != "" && !c.out.saidBye.Swap(true) {
		last = []byte(farewellAnswer(c.set.Farewell))
	}
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if r == EndKicked {
		c.queueWords()
	}
	if !o.shut && o.drainFeed() || last != nil || o.shut || o.err != nil || !o.acquire() {
		_ = c.queueLast(last)
		return o.writing
	}
	// Only FIN is left, which never waits and needs no writer.
	o.shut = true
	o.mu.Unlock()
	if !c.closeFinishes() {
		_ = c.finishWriting()
	}
	o.mu.Lock()
	c.release()
	return false
}

// closeFinishes reports whether the close that follows sends FIN as well as a half-close would, so that it can be spared: the
// peer has finished, so nothing is left unread that would make it a reset, and nobody watches.
func (c *Conn) closeFinishes() bool {
	return c.recv.fin && c.wire.IsSocket() && c.set.trace.HalfClosed == nil
}

// queueWords queues what Kick is to say. o.mu is held.
func (c *Conn) queueWords() {
	x := c.seldom.Load()
	if x == nil || x.kicked.Load() == nil || c.out.shut || c.out.err != nil {
		return
	}
	m := &item{}
	if c.encode(m, []byte(*x.kicked.Load()), asMessage) == nil {
		c.enqueue(m)
	}
}

// awaitWriter waits for what is queued. Each write in it has the send timeout, so the wait is bounded.
func (c *Conn) awaitWriter() error {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.writing && o.err == nil {
		o.awaitFree()
	}
	if o.err != nil {
		return c.error("send", o.err)
	}
	return nil
}

// drain reads and throws away until the peer's end; true where it stopped before
// that. It goes on while the queue is still being sent, because a peer that cannot get rid of
// its words may not read ours; the limits count from our FIN.
func (c *Conn) drain(began wire.Moment) (unread bool) {
	left := drainLimit
	last := began // when bytes last came
	for !c.recv.fin && !c.hasReadEOF() {
		if c.wantsAbort() {
			return true
		}
		var until wire.Moment
		fin, failed := c.sent()
		switch {
		case failed:
			return true
		case fin != 0:
			// A half-close of long ago gave the peer no time; SayBye did.
			if began > fin && !c.out.saidBye.Load() {
				fin = began
			}
			until = fin.After(c.set.CloseTimeout)
			if !c.wire.CanHalfClose() {
				if c.wire.IsInMemory() {
					return false
				}
				until = min(until, max(fin, last).After(silenceLimit))
			}
			if left <= 0 || c.wire.Now() >= until {
				return c.wire.HasUnread()
			}
		}
		if !c.wire.Arm(until, false) {
			continue
		}
		c.wire.Read(wire.ChunkSize)
		b, err := c.got()
		n := len(b)
		c.wire.Done()
		if n > 0 {
			last = c.wire.Now()
		}
		if fin != 0 {
			left -= n
		}
		c.bytesIn.Add(int64(n))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		c.traceRead(n, err)
		if err != nil {
			return false
		}
	}
	return false
}

// hasReadEOF reports whether what Raw returned was read to the peer's end.
func (c *Conn) hasReadEOF() bool {
	x := c.seldom.Load()
	return x != nil && x.rawEOF.Load()
}

// sent tells when FIN left, zero if it has not, and whether sending has failed.
func (c *Conn) sent() (fin wire.Moment, failed bool) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.finAt, c.out.err != nil
}

// wantsAbort: the server is cut off, there is no time for the peer.
func (c *Conn) wantsAbort() bool { return c.set.server != nil && c.set.server.cut.Load() }

// resetOnClose makes the close a reset: what is queued in the system for a peer that does not read is given up at once.
func (c *Conn) resetOnClose() {
	if c.wire.IsLost() {
		return
	}
	possible, err := c.wire.ResetOnClose()
	if f := c.set.trace.Reset; possible && f != nil {
		f(c, err)
	}
}

func (c *Conn) closeNow(unread bool) {
	err := c.closeWire()
	if f := c.set.trace.Closed; f != nil {
		f(c, unread, err)
	}
	// The writer has lost its connection by now, if it had not ended.
	o := &c.out
	o.mu.Lock()
	if o.err == nil {
		o.err = ErrClosed
	}
	for o.writing {
		o.awaitFree()
	}
	feed := o.feed
	o.mu.Unlock()
	if feed != nil {
		feed.detach()
	}
	c.releaseHeld()

	c.endMu.Lock()
	c.ended = true
	reason, cause := c.reason, c.endErr
	if c.done != nil {
		close(c.done)
	}
	c.endMu.Unlock()
	if f := c.set.trace.ConnEnd; f != nil {
		f(c, reason, cause)
	}
}

// cutOff closes at once, from any goroutine: whoever reads or writes fails, and
// finish, which the conversation's own goroutine still calls, is quick.
func (c *Conn) cutOff() {
	c.setEnd(EndShutdown, nil)
	c.stop(EndShutdown)
	c.wire.Abandon()
	_ = c.wire.Close()
	c.tellLost()
}
