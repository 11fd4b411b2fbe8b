package duet

import (
	"errors"
	"fmt"

	"duet.example/duet/internal/aside"
	"duet.example/duet/internal/wire"
)

// A PanicError is a panic of a handler, of a [Trace] func, of a [Source] or of a connection, kept in its conversation. It
// stands for EndHandlerFailed.
type PanicError struct {
	// Value is what the function panicked with.
	Value any
	// Stack is where, as debug.Stack prints it.
	Stack []byte

	where string // the function, "Trace.Read" for example; empty for a handler
}

func (e *PanicError) Error() string {
	if e.where == "" {
		return fmt.Sprintf("handler panicked: %v", e.Value)
	}
	return fmt.Sprintf("%s panicked: %v", e.where, e.Value)
}

// newPanicError makes an error of v, which recover has returned. Deferred functions call it.
func newPanicError(where string, v any) *PanicError {
	e := &PanicError{where: where}
	e.Value, e.Stack = aside.Recovered(v)
	return e
}

// recoverIn is deferred around a call of a func of the Trace or of the source.
func (c *Conn) recoverIn(where string) {
	if v := recover(); v != nil {
		c.panicked(newPanicError(where, v))
	}
}

// panicked logs a panic and ends the conversation because of it. Once that has ended, it is only logged.
// Code that panics on and on, at each of a peer's messages, must not flood the log: only the first panic is logged.
func (c *Conn) panicked(p *PanicError) {
	c.endMu.Lock()
	ended := c.ended
	c.endMu.Unlock()
	if !c.rarely().panicked.Swap(true) || ended {
		c.logger().Error("a function panicked", "func", p.where, "conversation", c.id, "peer", addrText(c.RemoteAddr()),
			"panic", p.Value, "stack", string(p.Stack))
	}
	if !ended {
		c.stopBecause(p)
	}
}

// panicOfConnection is err. If it stands for a panic of the connection, it becomes a PanicError and ends the conversation.
func (c *Conn) panicOfConnection(where string, err error) error {
	w := new(wire.Panic)
	if !errors.As(err, &w) {
		return err
	}
	p := &PanicError{Value: w.Value, Stack: w.Stack, where: where}
	c.panicked(p)
	return p
}

// stopBecause has the conversation end because of err: Receive, Send and End give it.
func (c *Conn) stopBecause(err error) {
	c.rarely().failure.CompareAndSwap(nil, &err)
	reason := ReasonOf(err)
	c.setEnd(reason, err)
	c.stop(reason)
}

// stopFailure is the error of stopBecause, if why is its reason.
func (c *Conn) stopFailure(why EndReason) error {
	if x := c.seldom.Load(); x != nil {
		if err := x.failure.Load(); err != nil && ReasonOf(*err) == why {
			return *err
		}
	}
	return nil
}

// recoverIn is deferred around a call of a func of the Trace that belongs to no conversation.
func (s *Server) recoverIn(where string) {
	if v := recover(); v != nil {
		p := newPanicError(where, v)
		s.log().Error("a function panicked", "func", where, "panic", p.Value, "stack", string(p.Stack))
	}
}

// guarded returns t with funcs whose panics end their conversation, and are logged. A nil func stays nil. s is nil for a
// conversation that is dialled.
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

// sourceFailed ends the conversation because Next has returned err, or has panicked. Nothing more is sent.
func (c *Conn) sourceFailed(err error) {
	c.rarely().failure.CompareAndSwap(nil, &err)
	_ = c.sendFailed(err)
	if p := (*PanicError)(nil); errors.As(err, &p) {
		c.panicked(p)
		return
	}
	c.stopBecause(err)
}
