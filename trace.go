package duet

import (
	"net"
	"time"
)

// A Trace watches conversations: explain, events, metrics and logs enter as one.
// It is a struct of optional funcs, as in net/http/httptrace; a nil func is not
// called. The funcs run on the conversation's own path, by several goroutines at
// the same time: they must be quick and must not call back into the Conn's Receive, Send or Close.
//
// A func that panics ends its conversation as EndHandlerFailed, with a [*PanicError], unless that ends already for another
// reason. The first panic of a conversation is logged with its stack, to the server's Logger, or to slog.Default() if the conversation
// was dialled. A panic of Refused or AcceptPaused is only logged.
type Trace struct {
	// ConnStart: a conversation begins.
	ConnStart func(c *Conn)
	// ConnEnd: it has ended and its connection is closed.
	ConnEnd func(c *Conn, reason EndReason, err error)
	// Refused: a connection was not let in; reason is EndRefused.
	Refused func(addr net.Addr, err error)
	// Read: n bytes were taken from the connection. io.EOF: the peer sent FIN.
	Read func(c *Conn, n int, err error)
	// Wrote: n bytes were handed to the system.
	Wrote func(c *Conn, n int, err error)
	// HalfClosed: this side finished sending (FIN).
	HalfClosed func(c *Conn, err error)
	// Reset: the close that follows is to be a reset (SO_LINGER of zero seconds), because an orderly
	// end is impossible or would be taken for a good one.
	Reset func(c *Conn, err error)
	// Closed: the descriptor was closed. With unread, bytes of the peer were not
	// read, so the system sends a reset.
	Closed func(c *Conn, unread bool, err error)
	// Received: a message arrived (also a partial one).
	Received func(c *Conn, m Message)
	// Sent: the system has taken all of a message, or of what SendRaw or PostRaw was given. A Transfer is only in Wrote.
	Sent func(c *Conn, body []byte)
	// WrongProtocol: the first bytes look like another protocol: "TLS", "HTTP", "SSH".
	WrongProtocol func(c *Conn, protocol string)
	// AcceptPaused: accepting failed for now and is tried again after d.
	AcceptPaused func(err error, d time.Duration)
}

// JoinTraces returns a Trace that calls the funcs of each of ts, in order, even if one before has panicked. Nil traces are left out.
func JoinTraces(ts ...*Trace) *Trace {
	var out *Trace
	for _, t := range ts {
		switch {
		case t == nil:
		case out == nil:
			out = t
		default:
			out = joinTwo(out, t)
		}
	}
	return out
}

func joinTwo(a, b *Trace) *Trace {
	return &Trace{
		ConnStart:     join1(a.ConnStart, b.ConnStart),
		ConnEnd:       join3(a.ConnEnd, b.ConnEnd),
		Refused:       join2(a.Refused, b.Refused),
		Read:          join3(a.Read, b.Read),
		Wrote:         join3(a.Wrote, b.Wrote),
		HalfClosed:    join2(a.HalfClosed, b.HalfClosed),
		Reset:         join2(a.Reset, b.Reset),
		Closed:        join3(a.Closed, b.Closed),
		Received:      join2(a.Received, b.Received),
		Sent:          join2(a.Sent, b.Sent),
		WrongProtocol: join2(a.WrongProtocol, b.WrongProtocol),
		AcceptPaused:  join2(a.AcceptPaused, b.AcceptPaused),
	}
}

func join1[A any](f, g func(A)) func(A) {
	if f == nil || g == nil {
		return either(f, f == nil, g)
	}
	return func(a A) {
		defer g(a)
		f(a)
	}
}

func join2[A, B any](f, g func(A, B)) func(A, B) {
	if f == nil || g == nil {
		return either(f, f == nil, g)
	}
	return func(a A, b B) {
		defer g(a, b)
		f(a, b)
	}
}

func join3[A, B, C any](f, g func(A, B, C)) func(A, B, C) {
	if f == nil || g == nil {
		return either(f, f == nil, g)
	}
	return func(a A, b B, c C) {
		defer g(a, b, c)
		f(a, b, c)
	}
}

func either[F any](f F, fIsNil bool, g F) F {
	if fIsNil {
		return g
	}
	return f
}
