package duet

import (
	"cmp"
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"duet.example/duet/transport"
)

// A Handler answers conversations. ServeConn may run for as long as the
// conversation lasts. When it returns, the conversation is drained and closed. The Conn must not be used after that.
//
// After a nil error or io.EOF, the conversation ends as `peer-closed` or `farewell` if the peer ended it, and as `closed` otherwise.
// After an [*Error], it ends with that error's Reason. Any other error, or a panic, ends it as
// `handler-failed`; the server logs it, a panic with its stack. No other conversation ends because of that.
//
// ctx is the conversation's own context, see [Conn.Context]. It ends when the conversation is to end, after
// Kick or Shutdown for example, so that a handler that does not receive learns of it.
type Handler interface {
	ServeConn(ctx context.Context, c *Conn) error
}

// HandlerFunc makes a Handler of a function.
type HandlerFunc func(ctx context.Context, c *Conn) error

// ServeConn calls f.
func (f HandlerFunc) ServeConn(ctx context.Context, c *Conn) error { return f(ctx, c) }

// A Server accepts conversations and calls its Handler for each, in a goroutine of its own. The zero Server works:
// lines (LF), no greeting, no farewell, and each conversation is received to its end. Fields must not be changed once it serves.
type Server struct {
	// Options hold for each conversation.
	Options
	// Handler answers conversations. Nil: messages are received and thrown away.
	Handler Handler
	// Greeting is the first message that each peer receives. Empty: none. If the Framing cannot carry it as one message,
	// it is sent line by line.
	Greeting string
	// MaxConns is the largest number of conversations; further peers are refused with ErrFull. Zero is four fifths of
	// the descriptors that the process may have open (RLIMIT_NOFILE), or no limit if the system has none. Below zero: no limit.
	// A conversation whose connection is lost does not count, see [Conn.Lost]. There may be MaxConns of those as well.
	MaxConns int
	// Busy is sent to a peer that is refused (MaxConns, Admit, no descriptors) before its connection
	// is closed in good order, within a second. If many peers come at once, some are closed at once. Empty: nothing is
	// sent, and peers wait while the process has no descriptors.
	Busy string
	// Admit decides whether a peer is admitted; an error refuses it. It is called last: an admitted peer always has a
	// conversation, with ConnStart and ConnEnd. It must be quick, because other peers wait meanwhile. Nil admits every peer.
	Admit func(ctx context.Context, peer net.Addr) error
	// AcceptTimeout stops the server as Shutdown does, if it has no conversation for so long after it began to serve. Serve then returns an
	// [*Error] with ErrNobodyCame and EndTimeout. After the first conversation it has no effect. Zero: never.
	AcceptTimeout time.Duration
	// Throttle is called after n bytes were read from c, and returns how long nothing more is read from c. TCP makes the peer
	// wait meanwhile, and it is not idle. An error ends the conversation as `refused`, after the bytes that were
	// read. Reads after Conn.Raw are throttled as well, so that the system does not copy by itself. Throttle must be quick. Nil: no limit.
	Throttle func(c *Conn, n int) (time.Duration, error)
	// Memory is the largest number of bytes that all conversations together may hold: messages that have not arrived in full or were not
	// received yet, queues, and the bytes that handlers count (see [Budget]). Above it, a conversation that holds more than its share
	// (Memory divided by the number of conversations) is not read, except for the oldest of them. If none of them gives bytes back for
	// 10 s, the one that holds the most ends as `overload`. All others go on. Zero is a quarter of the memory of the
	// machine or of its control group, at most 1 GiB. Below zero: no limit.
	Memory int64
	// ListenConfig says how ListenAndServe makes its socket. The zero value is ready to use.
	ListenConfig transport.ListenConfig
	// Logger gets panics of handlers, Trace funcs and Sources, errors of handlers, and accepts that fail. Nil is slog.Default().
	Logger *slog.Logger

	cut  atomic.Bool  // Close was called, or the time of a Shutdown is over
	rest atomic.Int64 // bytes that are kept of vanished peers

	mu     sync.Mutex // guards all below
	set    *settings  // nil until the server serves, as are the next three
	ctx    context.Context
	cancel context.CancelFunc
	conns  map[uint64]*Conn
	lastID uint64

	limit    int // of conversations; 0: none
	reserved int // places taken for conversations that have not begun
	vanished int // conversations of conns that take no place, because their connections are lost

	busy         []byte // Busy for the wire
	refusals     int    // peers that are being sent busy
	refusalLimit int    // of refusals

	listeners map[net.Listener]struct{}
	closed    bool          // Shutdown or Close was called, or timedOut
	timedOut  bool          // AcceptTimeout has passed
	serving   int           // conversations, connections that are let in or refused, and Serve calls
	allEnded  chan struct{} // closed when serving is zero again; made by Shutdown

	hangups         *hangups    // nil if nothing is accepted, or the system has none
	hangupTimer     *time.Timer // asks hangups; nil if there are none
	hangupTimerRuns bool
	hangupsUpTo     uint64     // hangups watches conversations up to this ID
	lossesMu        sync.Mutex // held by findLost; locked before hangupsMu
	hangupsMu       sync.Mutex // held while conversations are given to hangups; locked before mu
	accepting       int        // calls of Serve and ServeNetConn
}

// ListenAndServe listens at address (host:port, :port, port, unix:PATH) and serves until ctx
// ends. Then it calls Shutdown with 10 s and returns ErrServerClosed. It never returns nil.
func (s *Server) ListenAndServe(ctx context.Context, address string) error {
	a, err := transport.ParseAddress(transport.DefaultListen, address)
	if err != nil {
		return err
	}
	l, err := s.ListenConfig.Listen(ctx, a)
	switch {
	case err != nil && ctx.Err() != nil:
		return ErrServerClosed
	case err != nil:
		return &Error{Op: "listen", Addr: a.String(), Err: err}
	}
	down := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(down)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
	})
	err = s.Serve(l)
	if !stop() {
		<-down
	}
	return err
}

// Serve accepts conversations from l until Shutdown or Close, and closes l. Then it returns ErrServerClosed; it never
// returns nil. One Server may serve several listeners at the same time.
func (s *Server) Serve(l net.Listener) error {
	defer func() { _ = l.Close() }()
	if !s.addListener(l) {
		return ErrServerClosed
	}
	defer s.removeListener(l)
	defer s.watchHangups()()
	defer s.startAcceptTimeout()()
	return s.accept(l)
}

// addListener adds l to the server. It returns false if the server is closed.
func (s *Server) addListener(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.init()
	if s.closed {
		return false
	}
	if s.listeners == nil {
		s.listeners = make(map[net.Listener]struct{})
	}
	s.listeners[l] = struct{}{}
	s.serving++
	return true
}

func (s *Server) removeListener(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
	s.endServing()
}

// endServing counts one less in serving. s.mu is held.
func (s *Server) endServing() {
	s.serving--
	if s.serving == 0 && s.allEnded != nil {
		close(s.allEnded)
		s.allEnded = nil
	}
}

// init prepares the server on first use. s.mu is held.
func (s *Server) init() {
	if s.set != nil {
		return
	}
	s.set = &settings{Options: s.withDefaults(), greeting: s.Greeting, throttle: s.Throttle}
	s.limit, s.refusalLimit = s.MaxConns, maxRefusals
	if n := capacity(); n > 0 {
		s.limit, s.refusalLimit = cmp.Or(s.MaxConns, n), min(maxRefusals, max(n/16, 1))
	}
	if s.Busy != "" {
		var err error
		_, encoder := s.set.Framing.New(s.set.MaxMessage)
		if s.busy, err = encoder.WireEncoding(false).Append(nil, []byte(s.Busy)); err != nil {
			s.log().Error("Busy cannot be sent in this framing", "busy", s.Busy, "error", err)
		}
	}
	s.set.trace = s.Trace.guarded(s)
	s.set.budget = newBudget(s)
	s.set.server = s
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.conns = make(map[uint64]*Conn)
}

// ServeNetConn serves one connection that was accepted elsewhere. It returns when the conversation
// has ended, with the error of [Conn.Result]. If the peer was refused, it returns an [*Error] with EndRefused, and after Shutdown ErrServerClosed.
//
// Any net.Conn works, as with [Dialer.NewConn].
func (s *Server) ServeNetConn(nc net.Conn) error {
	defer s.watchHangups()()
	c, err := s.admit(nc)
	if err != nil {
		if answer := s.refuse(nc, err); answer != nil {
			answer(refusalTime)
		}
		return refusalError(nc, err)
	}
	if f := s.set.trace.ConnStart; f != nil {
		f(c)
	}
	s.converse(c)
	_, err = c.Result()
	return err
}

// converse runs one conversation, from the greeting to the closed connection. It keeps little on
// the stack, because each idle conversation pays for that.
func (s *Server) converse(c *Conn) {
	defer s.forget(c)
	err := s.greet(c)
	if err == nil {
		err = guard(c, s.handler())
	}
	s.conclude(c, err)
}

// greet sends the greeting. If the peer has reset the connection, its messages are still received.
func (s *Server) greet(c *Conn) error {
	if s.set.greeting == "" || c.life.request() != EndNone {
		return nil
	}
	err := c.Send(c.Context(), []byte(s.set.greeting))
	if errors.Is(err, ErrDelimiter) {
		err = s.greetByLine(c)
	}
	var gone *Error
	if errors.As(err, &gone) && gone.Reason == EndReset {
		return nil // [C-1]
	}
	return err
}

// greetByLine sends the greeting line by line.
func (s *Server) greetByLine(c *Conn) error {
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s.set.greeting)
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if err := c.Send(c.Context(), []byte(line)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) handler() Handler {
	if s.Handler == nil {
		return discard{}
	}
	return s.Handler
}

// conclude ends the conversation with the error that its handler returned.
func (s *Server) conclude(c *Conn, err error) {
	reason, _ := EndingOf(c, err)
	stopped := c.life.request() != EndNone
	var named *Error // names its reason, which the trace reports
	if r, _ := c.Result(); reason == EndHandlerFailed && !errors.As(err, &named) && !stopped && (r == EndNone || r == EndPeerClosed) {
		s.logFailure(c, err)
	}
	_ = c.finish(reason, err)
}

func (s *Server) logFailure(c *Conn, err error) {
	var p *PanicError
	if errors.As(err, &p) {
		s.log().Error("handler panicked", "conversation", c.id, "peer", addrText(c.RemoteAddr()), "panic", p.Value, "stack", string(p.Stack))
		return
	}
	s.log().Error("handler failed", "conversation", c.id, "peer", addrText(c.RemoteAddr()), "error", err)
}

// discard is the handler of the zero Server.
type discard struct{}

func (discard) ServeConn(ctx context.Context, c *Conn) error {
	for {
		if _, err := c.Receive(ctx); err != nil {
			return err
		}
	}
}

// forget removes a conversation that has ended.
func (s *Server) forget(c *Conn) {
	s.mu.Lock()
	delete(s.conns, c.id)
	s.forgetVanished(c)
	s.set.budget.resize(len(s.conns))
	s.endServing()
	s.mu.Unlock()
	s.set.budget.forget(c)
}

// Conns returns the live conversations in the order of their numbers.
func (s *Server) Conns() iter.Seq[*Conn] {
	s.mu.Lock()
	all := make([]*Conn, 0, len(s.conns))
	for _, c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b *Conn) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	return slices.Values(all)
}

// Shutdown stops the server in good order. It closes the listeners, sends the farewell to each
// peer, and waits until all conversations have ended. The context of each handler ends, and its next
// Receive returns ErrServerClosed. If ctx ends first, Shutdown calls Close and returns ctx.Err().
func (s *Server) Shutdown(ctx context.Context) error {
	allEnded := s.beginClose()
	for c := range s.Conns() {
		c.requestEnd(EndShutdown, nil)
	}
	select {
	case <-allEnded:
		s.cancel()
		return nil
	case <-ctx.Done():
		_ = s.Close()
		return ctx.Err()
	}
}

// Close stops the server at once. It closes listeners and connections without a farewell,
// and does not wait for handlers. Their calls fail with ErrServerClosed.
func (s *Server) Close() error {
	s.beginClose()
	s.cut.Store(true)
	for c := range s.Conns() {
		_ = c.cut(EndShutdown)
	}
	s.cancel()
	return nil
}

// beginClose closes the listeners. It returns a channel that is closed when serving is zero.
func (s *Server) beginClose() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.init()
	s.closed = true
	for l := range s.listeners {
		_ = l.Close()
	}
	if s.allEnded != nil {
		return s.allEnded
	}
	allEnded := make(chan struct{})
	if s.serving == 0 {
		close(allEnded)
	} else {
		s.allEnded = allEnded
	}
	return allEnded
}

func (s *Server) log() *slog.Logger {
	if s.Logger != nil {
		return s.Logger
	}
	return slog.Default()
}

// logger returns the logger for the conversation's panics.
func (c *Conn) logger() *slog.Logger {
	if c.set.server != nil {
		return c.set.server.log()
	}
	return slog.Default()
}

func addrText(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

// Serve calls h for a conversation that was dialled, as a [Server] calls its Handler for those that it accepts. When ServeConn
// returns or panics, the conversation is drained and closed.
//
// The handler gets the conversation's own context, see [Conn.Context]. That also ends with ctx; then
// Receive and Send return ctx.Err(). Serve returns the error of ServeConn, or a [*PanicError] if that panicked. [Conn.Result]
// says how the conversation ended.
func Serve(ctx context.Context, c *Conn, h Handler) error {
	release := c.endWithContext(ctx)
	err := guard(c, h)
	release()
	reason, _ := EndingOf(c, err)
	_ = c.finish(reason, err)
	return err
}

// errGoexit is the cause of an ending by a handler that called runtime.Goexit, as testing.T.FailNow does.
var errGoexit = errors.New("handler left its goroutine")

// guard calls h. A panic becomes an error. After runtime.Goexit the conversation ends as well.
func guard(c *Conn, h Handler) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if p := recover(); p != nil {
			err = newPanicError("", p)
			return
		}
		_ = c.finish(EndHandlerFailed, errGoexit)
	}()
	err = h.ServeConn(c.Context(), c)
	returned = true
	return err
}

// EndingOf returns how c ends if its handler returns err now, and why. The cause is nil if there is none beyond the reason. It is for
// a handler that tells of the end before it returns, as a desk does.
//
// If c is ending already, the reason is that of [Conn.Result], or the one that Kick or Shutdown has given. Otherwise nil is EndClosed, and
// io.EOF is EndPeerClosed. An [*Error] has its Reason. Any other error is EndHandlerFailed.
func EndingOf(c *Conn, err error) (reason EndReason, cause error) {
	reason, cause = c.Result()
	if why := c.life.request(); why != EndNone && reason.givesWayTo(why) {
		return why, c.endCause()
	}
	if returned := handlerReason(err); reason.givesWayTo(returned) {
		reason, cause = returned, nil
	}
	if cause == nil && !errors.Is(err, io.EOF) {
		cause = err
	}
	return reason, cause
}

// handlerReason returns the reason that err stands for, if a handler has returned it and nothing else has ended the conversation.
func handlerReason(err error) EndReason {
	var de *Error
	if err == nil || errors.Is(err, io.EOF) || errors.As(err, &de) && de.Reason != EndNone {
		return ReasonOf(err)
	}
	return EndHandlerFailed
}
