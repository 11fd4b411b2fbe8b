package duet

import (
	"sync"
	"sync/atomic"
)

// A phase is how far a conversation has come. It never goes back.
type phase uint32

const (
	phaseOpen    phase = iota
	phaseEnding        // its end was requested; its handler still runs
	phaseClosing       // finish is at work
	phaseClosed        // the connection is closed, and the result is final
)

// A fact is an event that happens at most once in a conversation.
type fact uint32

// The facts. They lie above the phase in the lifecycle's word.
const (
	rawWanted    fact = 1 << (iota + 2) // Raw was called: Send and Receive fail. It is withdrawn if Raw fails.
	rawTaken                            // Raw has taken the bytes over
	farewellSaid                        // this side has said the farewell
	finSent                             // FIN has left, or could not
	connLost                            // Lost is closed
)

// requestShift is the place of the request's reason in the lifecycle's word.
const requestShift = 16

// A lifecycle is the course of one conversation from open to closed. Each change happens under mu, which is never held while another
// lock is taken. Send and Receive ask about the state at each call: they load word and take no lock.
type lifecycle struct {
	mu     sync.Mutex
	word   atomic.Uint32 // the phase, the facts, and the reason of the request; stored under mu
	reason EndReason     // how it ends, EndNone until that is known
	cause  error         // of reason; may be nil
	done   chan struct{} // made by the first call of closed

	requestCause error // of the request; may be nil
}

func (l *lifecycle) phase() phase { return phase(l.word.Load() & 3) }

// isEnding reports whether the conversation has left phaseOpen.
func (l *lifecycle) isEnding() bool { return l.phase() >= phaseEnding }

// isClosing reports whether finish has begun.
func (l *lifecycle) isClosing() bool { return l.phase() >= phaseClosing }

func (l *lifecycle) isClosed() bool { return l.phase() == phaseClosed }

// request returns the reason of the first request to end the conversation, EndNone if there was none.
func (l *lifecycle) request() EndReason { return EndReason(l.word.Load() >> requestShift) }

// requestError returns the error that stands for the request.
func (l *lifecycle) requestError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.requestCause != nil {
		return l.requestCause
	}
	switch l.request() {
	case EndShutdown:
		return ErrServerClosed
	case EndKicked:
		return ErrKicked
	case EndSlowPeer:
		return ErrSlowPeer
	case EndOverload:
		return ErrOverload
	case EndCut:
		return ErrCut
	}
	return ErrClosed
}

func (l *lifecycle) has(f fact) bool { return l.word.Load()&uint32(f) != 0 }

// note notes a fact. first is false if it was noted before.
func (l *lifecycle) note(f fact) (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.noteLocked(f)
}

func (l *lifecycle) noteLocked(f fact) (first bool) {
	if l.has(f) {
		return false
	}
	l.word.Store(l.word.Load() | uint32(f))
	return true
}

// withdraw undoes note.
func (l *lifecycle) withdraw(f fact) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.word.Store(l.word.Load() &^ uint32(f))
}

// advance moves to a later phase. mu is held.
func (l *lifecycle) advance(to phase) {
	if l.phase() < to {
		l.word.Store(l.word.Load()&^3 | uint32(to))
	}
}

// result returns how the conversation ends or has ended, and the cause.
func (l *lifecycle) result() (EndReason, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reason, l.cause
}

// setEnd notes why the conversation ends, unless a reason stands that does not give way to r. The result of a closed conversation is final.
func (l *lifecycle) setEnd(r EndReason, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setEndLocked(r, cause)
}

func (l *lifecycle) setEndLocked(r EndReason, cause error) {
	if !l.isClosed() && l.reason.givesWayTo(r) {
		l.reason, l.cause = r, cause
	}
}

// peerSaidFarewell makes the farewell the result, also if the peer's FIN was read together with it.
func (l *lifecycle) peerSaidFarewell() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.isClosed() && (l.reason == EndNone || l.reason == EndPeerClosed) {
		l.reason, l.cause = EndFarewell, nil
	}
}

// requestEnd notes a request to end the conversation. first is false if there was one before, or if the conversation is closed.
func (l *lifecycle) requestEnd(r EndReason, cause error) (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.request() != EndNone || l.isClosed() {
		return false
	}
	l.requestCause = cause
	l.advance(phaseEnding)
	l.word.Store(l.word.Load() | uint32(r)<<requestShift)
	return true
}

// grantRequest makes the reason of the request the result, unless there is one.
func (l *lifecycle) grantRequest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.grantRequestLocked()
}

func (l *lifecycle) grantRequestLocked() {
	if why := l.request(); why != EndNone {
		l.setEndLocked(why, l.requestCause)
	}
}

// beginClosing lets the caller close the conversation. A request decides the result before r does. first is false if another
// goroutine closes it.
func (l *lifecycle) beginClosing(r EndReason, cause error) (reason EndReason, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isClosing() {
		return l.reason, false
	}
	l.grantRequestLocked()
	l.setEndLocked(r, cause)
	l.advance(phaseClosing)
	return l.reason, true
}

// close makes the conversation closed, and returns the result.
func (l *lifecycle) close() (EndReason, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(phaseClosed)
	if l.done != nil {
		close(l.done)
	}
	return l.reason, l.cause
}

// closed returns a channel that is closed when the conversation has ended.
func (l *lifecycle) closed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		l.done = make(chan struct{})
		if l.isClosed() {
			close(l.done)
		}
	}
	return l.done
}
