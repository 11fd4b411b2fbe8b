package duet

import (
	"cmp"
	"context"
	"errors"
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
// conversation lasts; when it returns, the conversation is drained and closed.
//
// A nil error, or io.EOF, is a good end: `peer-closed` or `farewell` where the peer ended it, `closed` otherwise. An
// [*Error] ends it with that error's Reason, any other error, or a panic, with
// `handler-failed`, which is logged (a panic with its stack) and ends nothing else. The
// Conn must not be used after ServeConn has returned. ctx is the conversation's own, see [Conn.Context]: it ends when the
// conversation is to end, by Kick or Shutdown for example, so that a handler that does not receive learns of it.
type Handler interface {
	ServeConn(ctx context.Context, c *Conn) error
}

// HandlerFunc makes a Handler of a function.
type HandlerFunc func(ctx context.Context, c *Conn) error

// ServeConn calls f.
func (f HandlerFunc) ServeConn(ctx context.Context, c *Conn) error { return f(ctx, c) }

// A Server accepts conversations and hands each to its Handler, in a goroutine of its own. The zero Server works:
// lines (LF), no greeting, no farewell, and every conversation is read to its end. It keeps the roster:
// numbers, limits, who is here. Fields must not be changed once it serves.
type Server struct {
	// Options hold for each conversation.
	Options
	// Handler answers. nil: what peers say is received and thrown away.
	Handler Handler
	// Greeting is sent to each peer first. Empty: nothing is. One that holds what ends a message in
	// the Framing is sent line by line, a message each.
	Greeting string
	// MaxConns is how many conversations there may be; one more is refused with ErrFull. Zero: as many as four fifths of
	// the descriptors that the process may have open (RLIMIT_NOFILE when it begins to serve; no limit where the system has none). Below zero: no limit.
	// A conversation whose connection was reset does not count, even if its handler still runs; see Conn.Lost. There may be as many of those beside the others.
	MaxConns int
	// Busy is said to a peer that is not let in (MaxConns, Admit, no descriptors), before its connection
	// is closed in good order, within a second. When many come at once, some are just closed. Empty: nothing is
	// said, and when descriptors have run out, peers wait until there are some. [C-16]
	Busy string
	// Admit says whether a peer may come in; an error refuses it. It is asked last: who was admitted has a
	// conversation, with ConnStart and ConnEnd. It must be quick, for others wait to be accepted. nil admits everybody.
	Admit func(ctx context.Context, peer net.Addr) error
	// AcceptTimeout ends the server, as Shutdown does, when nobody has come in for so long since it began to serve; Serve then returns an
	// [*Error] with ErrNobodyCame and EndTimeout. Once there was a conversation it counts no more. Zero: never.
	AcceptTimeout time.Duration
	// Throttle is told that n bytes were read from c, and says for how long nothing more is to be read from it; the peer's own
	// sending then waits, as TCP has it, and it is not idle. An error ends the conversation as `refused`, after what was
	// read. What Raw gives is throttled as well, so that the system does not copy it by itself. It must be quick. nil: nobody is slowed down.
	Throttle func(c *Conn, n int) (time.Duration, error)
	// Memory is how many bytes all conversations together may hold: messages that have not arrived in full, or that nobody has taken
	// yet, what waits to be sent, and what handlers count ([Budget]). Beyond it, a conversation that holds more than its share, the
	// part of one of all conversations, is read no further until there is room; the oldest of these goes on. When none of them gave anything back for
	// 10 s, the one that holds the most ends as `overload`. All others are served as ever. Zero: a quarter of the memory of the
	// machine, or of its control group, 1 GiB at most. Below zero: no limit.
	Memory int64
	// ListenConfig says how ListenAndServe makes its socket. The zero value does.
	ListenConfig transport.ListenConfig
	// Logger gets what nobody else is told of: panics of handlers, Trace funcs and Sources, failing handlers, failing accepts. nil is slog.Default().
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
	hangupsMu       sync.Mutex // held while conversations are given to hangups; locked before mu
	accepting       int        // calls of Serve and ServeNetConn
}

// ListenAndServe listens at address (host:port, :port, port, unix:PATH) and serves until ctx
// ends, which is as Shutdown with ten seconds. It never returns nil; ErrServerClosed is the good end.
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

// Serve accepts conversations from l until Shutdown or Close, and closes l. It never
// returns nil: ErrServerClosed is the good end. One Server may serve several listeners at the same time.
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

// enter takes l into the server; false where the server is closed.
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

// left counts one that served less. s.mu is held.
func (s *Server) endServing() {
	s.serving--
	if s.serving == 0 && s.allEnded != nil {
		close(s.allEnded)
		s.allEnded = nil
	}
}

// init fills what the zero Server lacks. s.mu is held.
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
		if s.busy, err = s.set.Framing.New(s.set.MaxMessage).Append(nil, []byte(s.Busy)); err != nil {
			s.log().Error("busy peers are told nothing", "busy", s.Busy, "error", err)
		}
	}
	s.set.trace = s.Trace.guarded(s)
	s.set.budget = newBudget(s)
	s.set.server = s
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.conns = make(map[uint64]*Conn)
}

// ServeNetConn serves one connection that was accepted elsewhere, and returns when its conversation
// has ended: how it ended is in [Conn.Result], which the trace tells. ErrServerClosed after Shutdown.
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

// converse holds one conversation, from the greeting to the closed connection. It keeps little on
// the stack, for it stands below every idle conversation.
func (s *Server) converse(c *Conn) {
	defer s.forget(c)
	err := s.greet(c)
	if err == nil {
		err = guard(c, s.handler())
	}
	s.conclude(c, err)
}

// greet sends the greeting. A peer that has spoken and closed before it was greeted is still heard. [C-1]
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
		return nil
	}
	return err
}

// greetByLine sends a greeting that its framing cannot carry as one message.
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

// conclude ends the conversation as what its handler returned.
func (s *Server) conclude(c *Conn, err error) {
	reason := outcome(err)
	stopped := c.life.request() != EndNone
	var named *Error // it has its words, and its place in the trace
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

func (s *Server) forget(c *Conn) {
	s.mu.Lock()
	delete(s.conns, c.id)
	s.forgetVanished(c)
	s.set.budget.resize(len(s.conns))
	s.endServing()
	s.mu.Unlock()
	s.set.budget.leave(c)
}

// Conns gives the conversations that are going on, in the order of their numbers.
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

// Shutdown stops the server in good order: it closes the listeners, says goodbye to every
// peer, and waits until all conversations have ended. A handler that is at work is waited for; its context ends, and the next
// Receive of each gives ErrServerClosed. When ctx ends first, what is left is cut off as by Close, and Shutdown returns ctx.Err().
func (s *Server) Shutdown(ctx context.Context) error {
	idle := s.beginClose()
	for c := range s.Conns() {
		c.requestEnd(EndShutdown, nil)
	}
	select {
	case <-idle:
		s.cancel()
		return nil
	case <-ctx.Done():
		_ = s.Close()
		return ctx.Err()
	}
}

// Close stops the server at once: listeners and connections are closed as they are, and
// nobody is told goodbye. It waits for nobody; handlers see ErrServerClosed.
func (s *Server) Close() error {
	s.beginClose()
	s.cut.Store(true)
	for c := range s.Conns() {
		_ = c.cut(EndShutdown)
	}
	s.cancel()
	return nil
}

// beginClose closes the listeners; the channel is closed when nothing is left.
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
	idle := make(chan struct{})
	if s.serving == 0 {
		close(idle)
	} else {
		s.allEnded = idle
	}
	return idle
}

func (s *Server) log() *slog.Logger {
	if s.Logger != nil {
		return s.Logger
	}
	return slog.Default()
}

// logger is where the conversation's panics are logged.
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
