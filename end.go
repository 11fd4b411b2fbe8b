package duet

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"duet.example/duet/framing"
)

// An EndReason names why a conversation ended. Each has exactly one; events,
// traces, logs and people share the names.
type EndReason uint8

// The ways a conversation ends.
const (
	// EndNone: it has not ended.
	EndNone EndReason = iota
	// EndFarewell: one side said the farewell.
	EndFarewell
	// EndPeerClosed: the peer closed, or finished and was answered.
	EndPeerClosed
	// EndClosed: this side closed.
	EndClosed
	// EndIdle: nothing was received for the idle timeout.
	EndIdle
	// EndTimeout: connecting took too long, or the network answers no more.
	EndTimeout
	// EndReset: the peer or the network cut the connection with a reset.
	EndReset
	// EndCut: the connection ended inside a message.
	EndCut
	// EndTooLong: the peer's message was longer than the limit.
	EndTooLong
	// EndSlowPeer: the peer did not read what was sent to it.
	EndSlowPeer
	// EndRefused: the peer was not let in.
	EndRefused
	// EndKicked: an operator ended it.
	EndKicked
	// EndShutdown: the server stopped.
	EndShutdown
	// EndHandlerFailed: the handler returned an error, or it, a Trace func or a Source panicked.
	EndHandlerFailed
	// EndOverload: all conversations together held too much memory, and this one the most.
	EndOverload
)

var endNames = [...]string{
	"none", "farewell", "peer-closed", "closed", "idle", "timeout", "reset", "cut",
	"too-long", "slow-peer", "refused", "kicked", "shutdown", "handler-failed",
	"overload",
}

// String is the reason's name, as people and programs see it.
func (r EndReason) String() string {
	if int(r) < len(endNames) {
		return endNames[r]
	}
	return fmt.Sprintf("reason-%d", uint8(r))
}

// givesWayTo reports whether next replaces r as the reason of an ending. The first reason stays, with two exceptions: an error while a
// peer that has finished is still answered replaces `peer-closed`; `slow-peer` and `overload` replace `closed`, because queued messages
// are lost then.
func (r EndReason) givesWayTo(next EndReason) bool {
	switch r {
	case EndNone:
		return true
	case EndPeerClosed:
		return next != EndClosed && next != EndFarewell
	case EndClosed:
		return next == EndSlowPeer || next == EndOverload
	}
	return false
}

// MarshalText gives the name.
func (r EndReason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText takes a name that MarshalText gave.
func (r *EndReason) UnmarshalText(b []byte) error {
	for i, n := range endNames {
		if n == string(b) {
			*r = EndReason(i)
			return nil
		}
	}
	return fmt.Errorf("no ending is called %q", b)
}

// Errors that a conversation or a server gives. Those of a [Conn] come wrapped in
// an [*Error], for errors.Is.
var (
	// ErrServerClosed is what Serve returns after Shutdown or Close.
	ErrServerClosed = errors.New("server closed")
	// ErrFull: the server has as many conversations as it may have, or the process as many descriptors.
	ErrFull = errors.New("server is full")
	// ErrNobodyCame: nobody came in for Server.AcceptTimeout.
	ErrNobodyCame = errors.New("nobody came")
	// ErrClosed: this side has closed the conversation, or has finished sending.
	ErrClosed = net.ErrClosed
	// ErrSlowPeer: the peer does not read; what waits for it has reached its bound.
	ErrSlowPeer = errors.New("peer does not read")
	// ErrQueueFull: too much waits for a transfer that goes before it.
	ErrQueueFull = errors.New("too much waits behind a transfer")
	// ErrOverload: all conversations together hold more than Server.Memory, and this one the most.
	ErrOverload = errors.New("all conversations together hold too much memory, and this one the most")
	// ErrBrokenOff: a transfer that had begun did not come to its end. It is an ErrCut.
	ErrBrokenOff = fmt.Errorf("a transfer was broken off: %w", ErrCut)
	// ErrIdle: nothing was received for the idle timeout.
	ErrIdle = errors.New("nothing received for too long")
	// ErrKicked: an operator ended the conversation.
	ErrKicked = errors.New("ended by an operator")
	// ErrRaw: the bytes of the conversation were taken over with Raw.
	ErrRaw = errors.New("conversation was taken over with Raw")
	// ErrDelimiter is framing.ErrDelimiter.
	ErrDelimiter = framing.ErrDelimiter
	// ErrTooLong is framing.ErrTooLong.
	ErrTooLong = framing.ErrTooLong
	// ErrCut is framing.ErrCut.
	ErrCut = framing.ErrCut
)

// An Error says what failed in which conversation and how that ended it.
type Error struct {
	// Op is what was tried: "receive", "send", "close", "dial", "listen", …
	Op string
	// Addr is the peer's address, or the one that was tried.
	Addr string
	// Reason is how the conversation ended; EndNone where it goes on.
	Reason EndReason
	// Err is the cause, never nil.
	Err error
}

func (e *Error) Error() string {
	s := e.Op
	if e.Addr != "" {
		s += " " + e.Addr
	}
	if e.Reason != EndNone {
		s += " (" + e.Reason.String() + ")"
	}
	return s + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether a time limit was the cause, as net.Error has it.
func (e *Error) Timeout() bool { return e.Reason == EndTimeout || e.Reason == EndIdle }

// ReasonOf tells which ending an error of the network, of a framing or of a
// conversation stands for. A nil error is EndClosed, io.EOF EndPeerClosed; what is unknown EndReset,
// so do not ask it about errors that end nothing: ErrDelimiter, or a Dial that failed.
func ReasonOf(err error) EndReason {
	var (
		de       *Error
		panicked *PanicError
	)
	switch {
	case err == nil:
		return EndClosed
	case errors.As(err, &de) && de.Reason != EndNone:
		return de.Reason
	case errors.As(err, &panicked):
		return EndHandlerFailed
	case errors.Is(err, io.EOF):
		return EndPeerClosed
	case errors.Is(err, ErrTooLong):
		return EndTooLong
	case errors.Is(err, ErrCut), errors.Is(err, io.ErrUnexpectedEOF):
		return EndCut
	case errors.Is(err, ErrSlowPeer):
		return EndSlowPeer
	case errors.Is(err, ErrOverload):
		return EndOverload
	case errors.Is(err, ErrIdle):
		return EndIdle
	case errors.Is(err, ErrKicked):
		return EndKicked
	case errors.Is(err, ErrServerClosed):
		return EndShutdown
	case errors.Is(err, net.ErrClosed):
		return EndClosed
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return EndTimeout
	}
	return EndReset
}
