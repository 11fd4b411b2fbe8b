package duet

import (
	"bytes"
	"net"
	"time"
)

// A Trace watches conversations. Explanations, events, metrics and logs are made with it.
// It is a struct of optional funcs, as in net/http/httptrace. A nil func is not
// called. The funcs run in the conversation's own goroutines, several of them at the same time. They must be quick, and must not call the
// Conn's Receive, Send or Close.
//
// If a func panics, its conversation ends as EndHandlerFailed, with a [*PanicError], unless it ends already for another
// reason. The first panic of a conversation is logged with its stack, to the server's Logger, or to slog.Default() if the conversation
// was dialled. A panic of Refused or AcceptPaused is only logged.
type Trace struct {
	// ConnStart is called when a conversation begins.
	ConnStart func(c *Conn)
	// ConnEnd is called when it has ended and its connection is closed.
	ConnEnd func(c *Conn, reason EndReason, err error)
	// Refused is called for a connection that was not admitted. It has no Conn.
	Refused func(addr net.Addr, err error)
	// Read is called when n bytes were read from the connection. If err is io.EOF, the peer has sent FIN.
	Read func(c *Conn, n int, err error)
	// Wrote is called when the system has taken n bytes.
	Wrote func(c *Conn, n int, err error)
	// HalfClosed is called when this side has finished sending (FIN).
	HalfClosed func(c *Conn, err error)
	// Reset is called before a close that is a reset (SO_LINGER of zero seconds). An orderly
	// end is impossible then, or the peer would take a part of a message for the whole.
	Reset func(c *Conn, err error)
	// Closed is called when the descriptor is closed. If unread is true, bytes of the peer were not
	// read, so the system sends a reset.
	Closed func(c *Conn, unread bool, err error)
	// Received is called for each message that has arrived, also for partial ones and for the farewell.
	Received func(c *Conn, m Message)
	// Sent is called when the system has taken all of a message, or of the bytes of SendRaw or PostRaw. For a Transfer, only Wrote is
	// called.
	Sent func(c *Conn, body []byte)
	// WrongProtocol is called if the peer's first bytes look like another protocol: "TLS", "HTTP" or "SSH".
	WrongProtocol func(c *Conn, protocol string)
	// AcceptPaused is called if accepting has failed for now. The server tries again after d.
	AcceptPaused func(err error, d time.Duration)
}

// JoinTraces returns a Trace that calls the funcs of each Trace in ts, in order. It calls the next one also if one has panicked. It
// ignores nil traces, and returns nil if there is no other.
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

// sniff names the protocol that a peer's first bytes look like: TLS, HTTP or SSH, which programs often speak to a plain port by mistake.
// It returns the empty string for all others.
func sniff(b []byte) string {
	switch {
	case len(b) >= 3 && (b[0] == 0x16 || b[0] == 0x15) && b[1] == 0x03 && b[2] <= 0x04:
		return "TLS" // RFC 8446 section 5.1: handshake or alert record, version 3.x
	case bytes.HasPrefix(b, []byte("HTTP/1.")), isHTTPRequest(b):
		return "HTTP"
	case bytes.HasPrefix(b, []byte("SSH-2.0-")):
		return "SSH"
	}
	return ""
}

// isHTTPRequest reports whether b begins with the first line of an HTTP request.
func isHTTPRequest(b []byte) bool {
	const version = len(" HTTP/1.1")
	end := bytes.Index(b, []byte("\r\n"))
	if end < version {
		return bytes.HasPrefix(b, []byte("PRI * HTTP/2.0"))
	}
	switch string(b[end-version : end]) {
	case " HTTP/1.1", " HTTP/1.0":
	default:
		return bytes.HasPrefix(b, []byte("PRI * HTTP/2.0"))
	}
	switch string(b[:bytes.IndexByte(b, ' ')]) {
	case "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH":
		return true
	}
	return false
}
