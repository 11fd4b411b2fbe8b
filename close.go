package duet

import (
	"context"
	"errors"
	"math"
	"os"
	"strings"
	"syscall"
	"time"

	"duet.example/duet/internal/wire"
)

// drainLimit is the number of bytes of a peer that are read and thrown away before its connection is closed.
const drainLimit = 1 << 20

// silenceLimit is how long a peer may be silent before a connection that cannot be half-closed is closed. Its peer does not learn that
// this side has finished, so its end may never come.
const silenceLimit = 100 * time.Millisecond

// Close ends the conversation. It sends the queue and FIN. Then it reads and throws away the peer's bytes until the peer's
// end, for at most the close timeout and 1 MiB, and closes the connection. A Receive that waits returns ErrClosed.
//
// Close returns when all that is done. A second Close waits for the first one. The error is that of sending.
//
// A connection that cannot be half-closed is read until 100 ms of silence, within the same bounds. A connection in
// memory that cannot be half-closed is closed at once.
func (c *Conn) Close() error {
	return c.finish(EndClosed, nil)
}

// Abort closes the connection at once. The queue is lost, and the peer gets no farewell. Calls of Receive and Send
// fail with ErrClosed. The owner of the conversation still ends it with Close, or by returning from its handler.
func (c *Conn) Abort() error {
	return c.cut(EndClosed)
}

// requestEnd asks the conversation to end for the reason why. Calls that wait in it are interrupted and fail. Their error is cause, or
// the one that stands for why if cause is nil. Only the first request counts. Any goroutine may call requestEnd.
func (c *Conn) requestEnd(why EndReason, cause error) {
	if c.life.requestEnd(why, cause) {
		c.obeyRequest()
	}
}

// obeyRequest interrupts the calls that wait in a conversation that is to end.
func (c *Conn) obeyRequest() {
	c.wire.SetEnding()
	c.interruptAll()
	c.stopTransfer(c.life.requestError())
	c.endContext()
}

// endBecause asks the conversation to end because of err. Receive, Send and Result then return err.
func (c *Conn) endBecause(err error) {
	why := ReasonOf(err)
	c.setEnd(why, err)
	c.requestEnd(why, err)
}

// interruptAll interrupts Receive, and the reads and writes of the connection that Raw returned.
func (c *Conn) interruptAll() {
	c.wire.Interrupt()
	if c.life.has(rawTaken) {
		c.wire.Stop(c.life.request() == EndClosed || c.wantsAbort())
	}
}

// Kick ends the conversation as `kicked`, from outside its handler. The handler's Receive fails with ErrKicked. Posted messages
// are still sent, and so is a message that is on its way. Any other Send fails with ErrKicked.
//
// The peer receives the reason as a message if it is not empty, and then the farewell if the conversation has one. After Raw it receives
// neither. Line ends in the reason become blanks. The error of Result and of Receive contains the reason; for errors.Is it is ErrKicked.
func (c *Conn) Kick(reason string) {
	// A reason without line ends is one message in every framing. [C-17]
	reason = strings.TrimSpace(strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ", "\x00", " ").Replace(reason))
	var cause error
	if reason != "" {
		cause = kickError(reason)
	}
	c.requestEnd(EndKicked, cause)
	if c.life.request() == EndKicked {
		c.dropWaiting()
	}
}

// A kickError is ErrKicked with the reason that Kick was given.
type kickError string

func (e kickError) Error() string { return ErrKicked.Error() + ": " + string(e) }

func (e kickError) Unwrap() error { return ErrKicked }

// finish is the one function that closes a conversation. It sends the queue, half-closes, reads to the peer's end and closes.
// Without that, a close with unread input would make the system send a reset, which destroys bytes that the peer has not read
// yet (RFC 1122, 4.2.2.13).
func (c *Conn) finish(r EndReason, cause error) error {
	reason, first := c.life.beginClosing(r, cause)
	if !first {
		<-c.Done()
		return nil
	}
	c.wire.SetEnding()
	c.breakTransfer()
	c.endContext()
	c.stopReceiving()
	defer c.recv.mu.Unlock()

	switch reclaimed := c.reclaim(); {
	case c.wire.IsLost():
		return c.finishLost()
	case !reclaimed:
		c.closeNow(true)
		return nil
	case !mayDrain(reason):
		c.resetOnClose()
		c.closeNow(true)
		return nil
	}
	if c.queueEnding(reason) {
		defer c.boundSending().Stop()
	}
	unread := c.drain(c.wire.Now())
	err := c.awaitWriter()
	if err != nil {
		// Half a message may have left. After an orderly end, the peer would take it for a whole one.
		c.resetOnClose()
		unread = true
	}
	c.closeNow(unread)
	return err
}

// boundSending gives the queue three send timeouts in all: a peer that takes a
// byte now and then must not delay an ending for ever.
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

// mayDrain reports whether an ending for the reason r can be orderly: the peer still reads.
func mayDrain(r EndReason) bool {
	switch r {
	case EndReset, EndTimeout, EndSlowPeer, EndOverload:
		return false
	}
	return true
}

// queueEnding queues FIN. If this side ends a conversation that goes on, it queues the farewell before FIN, and the reason of a Kick
// before that. It reports whether a goroutine is writing now.
func (c *Conn) queueEnding(r EndReason) (writing bool) {
	if c.life.has(rawTaken) {
		_ = c.finishWriting()
		return false
	}
	var last []byte
	if (r == EndShutdown || r == EndKicked || r == EndIdle) && c.set.Farewell != "" && c.life.note(farewellSaid) {
		last = []byte(farewellAnswer(c.set.Farewell))
	}
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if r == EndKicked {
		c.queueKickReason()
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

// closeFinishes reports whether the close that follows may send FIN in place of a half-close. It may if the peer has finished, so
// that no unread bytes turn the close into a reset, and if no Trace func waits for the half-close.
func (c *Conn) closeFinishes() bool {
	return c.recv.fin && c.wire.IsSocket() && c.set.trace.HalfClosed == nil
}

// queueKickReason queues the reason of the Kick as a message. o.mu is held.
func (c *Conn) queueKickReason() {
	var reason kickError
	if !errors.As(c.life.requestError(), &reason) || c.out.shut || c.out.err != nil {
		return
	}
	m := &item{}
	if c.encode(m, []byte(reason), asMessage) == nil {
		c.enqueue(m)
	}
}

// awaitWriter waits until the queue is sent. Each write in it has the send timeout, so the wait is bounded.
func (c *Conn) awaitWriter() error {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	o.awaitWriter(context.Background())
	if o.err != nil {
		return c.error("send", o.err)
	}
	return nil
}

// drain reads and throws away the peer's bytes until its end. It returns true if it stopped before
// that with bytes unread. While the queue is still being sent, it goes on without a limit: a peer that cannot send
// may not read either. The limits count from our FIN.
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
			// CloseWrite gave the peer no time to end, SayBye did.
			if began > fin && !c.life.has(farewellSaid) {
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

// hasReadEOF reports whether the connection that Raw returned was read to the peer's end.
func (c *Conn) hasReadEOF() bool {
	x := c.extras.Load()
	return x != nil && x.rawEOF.Load()
}

// sent returns when FIN left, zero if it has not left, and whether sending has failed.
func (c *Conn) sent() (fin wire.Moment, failed bool) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.finAt, c.out.err != nil
}

// wantsAbort reports whether Server.Close was called, so that there is no time for the peer.
func (c *Conn) wantsAbort() bool { return c.set.server != nil && c.set.server.cut.Load() }

// resetOnClose makes the close a reset: the system gives up at once what it holds for a peer that does not read.
func (c *Conn) resetOnClose() {
	if c.wire.IsLost() {
		return
	}
	possible, err := c.wire.ResetOnClose()
	if f := c.set.trace.Reset; possible && f != nil {
		f(c, err)
	}
}

// closeNow closes the connection and ends the conversation. unread says whether bytes of the peer were not read.
func (c *Conn) closeNow(unread bool) {
	err := c.closeWire()
	if f := c.set.trace.Closed; f != nil {
		f(c, unread, err)
	}
	// The writer has lost its connection by now, so it ends soon.
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

	reason, cause := c.life.close()
	if f := c.set.trace.ConnEnd; f != nil {
		f(c, reason, cause)
	}
}

// cut closes the connection at once, so that reads and writes fail. Any goroutine may call it. The goroutine that owns the
// conversation still calls finish, which then does not wait.
func (c *Conn) cut(r EndReason) error {
	c.setEnd(r, nil)
	c.requestEnd(r, nil)
	c.wire.Abandon()
	err := c.wire.Close()
	c.announceLoss()
	return err
}

// SayBye sends the farewell and finishes sending. It returns when the system has the farewell and everything before it. If ctx ends first,
// it returns ctx.Err(), and the farewell still leaves when its turn comes. If ctx was derived from [Conn.Context] and has ended with
// it, the error is that of the conversation's end.
//
// Receiving goes on: Receive returns the messages that the peer still sends, its farewell, and io.EOF at its end or after the close
// timeout. In a conversation without a farewell, SayBye is CloseWrite. A second SayBye does nothing.
func (c *Conn) SayBye(ctx context.Context) error {
	if c.set.Farewell == "" {
		return c.CloseWrite(ctx)
	}
	if first, err := c.beginFarewell(); !first {
		return err
	}
	return c.finishSending(ctx, []byte(c.set.Farewell))
}

// PostBye is SayBye without waiting. The farewell takes its place in the queue.
func (c *Conn) PostBye() error {
	if c.life.has(rawWanted) {
		return c.error("send", ErrRaw)
	}
	var last []byte
	if c.set.Farewell != "" {
		if first, err := c.beginFarewell(); !first {
			return err
		}
		last = []byte(c.set.Farewell)
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.queueLast(last)
}

// CloseWrite finishes sending. The peer reads io.EOF after everything that was sent before. CloseWrite returns when the system has all
// of it, also if the farewell was posted or answered before. The context is that of [Conn.SayBye]. Receiving goes on.
func (c *Conn) CloseWrite(ctx context.Context) error {
	if c.life.has(rawWanted) {
		return c.error("close", ErrRaw)
	}
	return c.finishSending(ctx, nil)
}

// beginFarewell notes that the conversation ends with this side's farewell. first is false if the farewell was sent before or cannot be
// sent.
func (c *Conn) beginFarewell() (first bool, err error) {
	if c.life.has(rawWanted) {
		return false, c.error("send", ErrRaw)
	}
	if !c.life.note(farewellSaid) {
		return false, nil
	}
	c.setEnd(EndFarewell, nil)
	return true, nil
}

// answerFarewell queues the answer to the peer's farewell, unless this side has said its own: then the peer's is the answer. The goroutine
// that receives calls it. It does not wait, because the writer sends the answer.
func (c *Conn) answerFarewell() {
	// One answer, and none to an answer. [C-3] [C-5]
	if !c.life.note(farewellSaid) {
		return
	}
	c.life.peerSaidFarewell()
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shut && o.finAt != 0 {
		o.finAt = c.wire.Now() // the peer's time to end runs from its farewell
	}
	_ = c.queueLast([]byte(farewellAnswer(c.set.Farewell)))
}

// finishSending queues last, if it is not nil, and FIN. It waits until both have left or ctx ends.
func (c *Conn) finishSending(ctx context.Context, last []byte) error {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := c.queueLast(last); err != nil {
		return err
	}
	ctx = c.waitContext(ctx)
	o.awaitWriter(ctx)
	switch {
	case o.finAt != 0 && (o.err == nil || errors.Is(o.err, ErrClosed)):
		return nil // all had left before the conversation was closed
	case o.err != nil:
		return c.error("send", o.err)
	}
	return c.contextError(ctx)
}

// queueLast queues last, if it is not nil, and FIN. Nothing may follow. If the framing cannot encode last, FIN leaves alone. out.mu is
// held.
func (c *Conn) queueLast(last []byte) error {
	o := &c.out
	if o.shut {
		return nil
	}
	if o.err != nil {
		return c.error("send", o.err)
	}
	m := &item{}
	if last != nil {
		_ = c.encode(m, last, asFarewell)
	}
	m.fin = true
	o.shut = true
	c.enqueue(m)
	return nil
}

// sendFIN half-closes the connection, once. Only the writer calls it.
func (c *Conn) sendFIN() error {
	err := c.finishWriting()
	if c.life.isClosing() || c.life.has(farewellSaid) {
		c.wire.Interrupt() // the peer's time to end runs from now
	}
	return err
}

// finishWriting is sendFIN for the goroutine that receives, which needs no interrupt.
func (c *Conn) finishWriting() error {
	err := c.halfClose()
	c.out.mu.Lock()
	if c.out.finAt == 0 {
		c.out.finAt = c.wire.Now()
	}
	c.out.mu.Unlock()
	return err
}

// halfClose sends FIN, once. A connection that cannot be half-closed stays open until it is closed.
func (c *Conn) halfClose() error {
	if !c.wire.CanHalfClose() || !c.life.note(finSent) {
		return nil
	}
	_, err := c.wire.HalfClose()
	if f := c.set.trace.HalfClosed; f != nil {
		f(c, err)
	}
	if err != nil && !errors.Is(err, syscall.ENOTCONN) {
		return c.sendFailed(err)
	}
	return nil
}
