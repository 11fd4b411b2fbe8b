package duet

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"duet.example/duet/framing"
	"duet.example/duet/internal/aside"
	"duet.example/duet/internal/wire"
)

// An EndReason says how a conversation ended. Each conversation has exactly one.
// Events, traces, logs and people use the same names, which String returns.
type EndReason uint8

// The ways a conversation ends.
const (
	// EndNone means that the conversation goes on.
	EndNone EndReason = iota
	// EndFarewell means that one side said the farewell.
	EndFarewell
	// EndPeerClosed means that the peer closed, or finished sending and was answered.
	EndPeerClosed
	// EndClosed means that this side closed.
	EndClosed
	// EndIdle means that nothing was received for the idle timeout.
	EndIdle
	// EndTimeout means that connecting took too long, or that the network no longer answers.
	EndTimeout
	// EndReset means that the peer or the network reset the connection.
	EndReset
	// EndCut means that the connection ended inside a message.
	EndCut
	// EndTooLong means that a message of the peer was longer than the limit.
	EndTooLong
	// EndSlowPeer means that the peer did not read what was sent to it.
	EndSlowPeer
	// EndRefused means that the peer was not admitted.
	EndRefused
	// EndKicked means that an operator ended the conversation.
	EndKicked
	// EndShutdown means that the server stopped.
	EndShutdown
	// EndHandlerFailed means that the handler returned an error, or that the handler, a Trace func or a Source panicked.
	EndHandlerFailed
	// EndOverload means that all conversations together held too much memory, and this one the most.
	EndOverload
)

var endNames = [...]string{
	"none", "farewell", "peer-closed", "closed", "idle", "timeout", "reset", "cut",
	"too-long", "slow-peer", "refused", "kicked", "shutdown", "handler-failed",
	"overload",
}

// String returns the name of the reason, for example slow-peer.
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

// MarshalText returns the name of the reason.
func (r EndReason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText accepts a name that MarshalText returns.
func (r *EndReason) UnmarshalText(b []byte) error {
	for i, n := range endNames {
		if n == string(b) {
			*r = EndReason(i)
			return nil
		}
	}
	return fmt.Errorf("no ending is called %q", b)
}

// Errors of conversations and servers. The methods of a [Conn] return them in an [*Error]; use errors.Is.
var (
	// ErrServerClosed is returned by Server.Serve after Shutdown or Close.
	ErrServerClosed = errors.New("server closed")
	// ErrFull means that the server has as many conversations as Server.MaxConns allows, or that the process has no more descriptors.
	ErrFull = errors.New("server is full")
	// ErrNobodyCame means that no peer was admitted within Server.AcceptTimeout.
	ErrNobodyCame = errors.New("nobody came")
	// ErrClosed means that this side has closed the conversation, or has finished sending.
	ErrClosed = net.ErrClosed
	// ErrSlowPeer means that the peer does not read: the queue for it is full, or the send timeout has passed.
	ErrSlowPeer = errors.New("peer does not read")
	// ErrQueueFull means that the queue behind a transfer is full.
	ErrQueueFull = errors.New("too much waits behind a transfer")
	// ErrOverload means that all conversations together hold more than Server.Memory, and this one the most.
	ErrOverload = errors.New("all conversations together hold too much memory, and this one the most")
	// ErrBrokenOff means that a transfer stopped after some of its bytes had left. For errors.Is it is also ErrCut.
	ErrBrokenOff = fmt.Errorf("a transfer was broken off: %w", ErrCut)
	// ErrIdle means that nothing was received for the idle timeout.
	ErrIdle = errors.New("nothing received for too long")
	// ErrKicked means that an operator ended the conversation.
	ErrKicked = errors.New("ended by an operator")
	// ErrRaw means that Raw has taken over the bytes of the conversation.
	ErrRaw = errors.New("conversation was taken over with Raw")
	// ErrDelimiter is framing.ErrDelimiter.
	ErrDelimiter = framing.ErrDelimiter
	// ErrTooLong is framing.ErrTooLong.
	ErrTooLong = framing.ErrTooLong
	// ErrCut is framing.ErrCut.
	ErrCut = framing.ErrCut
)

// An Error says which operation failed in which conversation, and how the conversation ended.
type Error struct {
	// Op is the operation: "receive", "send", "close", "dial", "listen" or another.
	Op string
	// Addr is the peer's address, or the address to dial or to listen at.
	Addr string
	// Reason is how the conversation ended. It is EndNone if the conversation goes on.
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

// Timeout reports whether a time limit was the cause, as the Timeout method of a net.Error does.
func (e *Error) Timeout() bool { return e.Reason == EndTimeout || e.Reason == EndIdle }

// ReasonOf returns the EndReason that an error of the network, of a framing or of a conversation stands for.
// A nil error stands for EndClosed, io.EOF for EndPeerClosed, and an unknown error for EndReset.
// Errors that end no conversation, such as ErrDelimiter or the error of Dial, have no meaningful reason.
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

// A PanicError is a panic of a handler, of a [Trace] func, of a [Source] or of a connection. It ends its conversation as
// EndHandlerFailed and nothing else.
type PanicError struct {
	// Value is the argument of panic.
	Value any
	// Stack is the stack of the goroutine that panicked, as debug.Stack formats it.
	Stack []byte

	where string // the function, "Trace.Read" for example; empty for a handler
}

func (e *PanicError) Error() string {
	if e.where == "" {
		return fmt.Sprintf("handler panicked: %v", e.Value)
	}
	return fmt.Sprintf("%s panicked: %v", e.where, e.Value)
}

// newPanicError makes an error of v, which recover has returned. Only deferred functions call it.
func newPanicError(where string, v any) *PanicError {
	e := &PanicError{where: where}
	e.Value, e.Stack = aside.Recovered(v)
	return e
}

// recoverIn is deferred around each call of a func of the Trace or a method of the source.
func (c *Conn) recoverIn(where string) {
	if v := recover(); v != nil {
		c.panicked(newPanicError(where, v))
	}
}

// panicked logs a panic and ends the conversation because of it. Only the first panic of a conversation is logged: code that
// panics at each message must not flood the log. After the conversation's end, each panic is logged.
func (c *Conn) panicked(p *PanicError) {
	ended := c.life.isClosed()
	if !c.makeExtras().panicked.Swap(true) || ended {
		c.logger().Error("a function panicked", "func", p.where, "conversation", c.id, "peer", addrText(c.RemoteAddr()),
			"panic", p.Value, "stack", string(p.Stack))
	}
	if !ended {
		c.endBecause(p)
	}
}

// panicOfConnection returns err. A panic of the connection becomes a PanicError and ends the conversation.
func (c *Conn) panicOfConnection(where string, err error) error {
	w := new(wire.Panic)
	if !errors.As(err, &w) {
		return err
	}
	p := &PanicError{Value: w.Value, Stack: w.Stack, where: where}
	c.panicked(p)
	return p
}

// recoverIn is deferred around each call of a Trace func that belongs to no conversation.
func (s *Server) recoverIn(where string) {
	if v := recover(); v != nil {
		p := newPanicError(where, v)
		s.log().Error("a function panicked", "func", where, "panic", p.Value, "stack", string(p.Stack))
	}
}

// guarded returns t with guarded funcs: their panics are logged and end their conversation. A nil func stays nil. s is nil if the
// conversation was dialled.
func (t *Trace) guarded(s *Server) Trace {
	if t == nil {
		return Trace{}
	}
	g := Trace{
		ConnStart:     guard1(t.ConnStart, "Trace.ConnStart"),
		ConnEnd:       guard3(t.ConnEnd, "Trace.ConnEnd"),
		Read:          guard3(t.Read, "Trace.Read"),
		Wrote:         guard3(t.Wrote, "Trace.Wrote"),
		HalfClosed:    guard2(t.HalfClosed, "Trace.HalfClosed"),
		Reset:         guard2(t.Reset, "Trace.Reset"),
		Closed:        guard3(t.Closed, "Trace.Closed"),
		Received:      guard2(t.Received, "Trace.Received"),
		Sent:          guard2(t.Sent, "Trace.Sent"),
		WrongProtocol: guard2(t.WrongProtocol, "Trace.WrongProtocol"),
	}
	if s != nil {
		g.Refused = guardOfServer(s, t.Refused, "Trace.Refused")
		g.AcceptPaused = guardOfServer(s, t.AcceptPaused, "Trace.AcceptPaused")
	}
	return g
}

func guard1(f func(*Conn), where string) func(*Conn) {
	if f == nil {
		return nil
	}
	return func(c *Conn) {
		defer c.recoverIn(where)
		f(c)
	}
}

func guard2[A any](f func(*Conn, A), where string) func(*Conn, A) {
	if f == nil {
		return nil
	}
	return func(c *Conn, a A) {
		defer c.recoverIn(where)
		f(c, a)
	}
}

func guard3[A, B any](f func(*Conn, A, B), where string) func(*Conn, A, B) {
	if f == nil {
		return nil
	}
	return func(c *Conn, a A, b B) {
		defer c.recoverIn(where)
		f(c, a, b)
	}
}

func guardOfServer[A, B any](s *Server, f func(A, B), where string) func(A, B) {
	if f == nil {
		return nil
	}
	return func(a A, b B) {
		defer s.recoverIn(where)
		f(a, b)
	}
}
