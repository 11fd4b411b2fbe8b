package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"duet.example/duet"
	"duet.example/duet/console"
	"duet.example/duet/desk"
	"duet.example/duet/handler"
	"duet.example/duet/transport"
)

// shutdownTime is how long a server takes at the most to say goodbye to all.
const shutdownTime = 5 * time.Second

// A listen is one `duet listen`.
type listen struct {
	*app
	talk
	backlog       int
	greeting      string
	hello         string // the greeting as the peer gets it
	greets, words bool   // --greeting and --farewell were given
	echo, discard bool
	keepOpen      bool
	systemd       bool

	explain *console.Explainer
}

func (a *app) listenCommand() *cobra.Command {
	l := &listen{app: a}
	c := &cobra.Command{
		Use:   "listen [flags] [ADDRESS]",
		Short: "Listen for clients and talk with them",
		Long: `Listen at ADDRESS (:8080 if none is given) and talk with whoever connects. Many
clients may be connected at once; each has a number.

ADDRESS is host:port, :port or port (every interface), [::1]:port, two words
host port, or unix:PATH. Port 0 is a free one; it is printed.

In a terminal, type and press Enter; /help shows the commands. Without a
terminal, one conversation is a pipe between it and stdin and stdout.`,
		Example: `  duet listen                       every interface, port 8080
  duet listen 127.0.0.1:9000        this machine only
  duet listen --greeting 'Hello!' --framing crlf 2323
  duet listen --echo                say everything back to everybody
  duet listen 9000 > received.bin   take what one client sends`,
		Args: maxWords(2),
		RunE: func(c *cobra.Command, args []string) error {
			l.greets, l.words = c.Flags().Changed("greeting"), c.Flags().Changed("farewell")
			return l.run(c.Context(), args)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.IntVar(&l.backlog, "backlog", transport.DefaultBacklog, "how many (`N`) connections may wait to be accepted; below zero counts as zero")
	f.StringVar(&l.greeting, "greeting", "Can I help you?", "the `TEXT` that each client gets first; '' for none")
	f.BoolVar(&l.echo, "echo", false, "say everything back; bytes, or messages with --framing")
	f.BoolVar(&l.discard, "discard", false, "read everything and throw it away")
	f.BoolVarP(&l.keepOpen, "keep-open", "k", false, "pipe: serve one conversation after another")
	f.BoolVar(&l.systemd, "systemd", false, "use the socket that systemd passed")
	l.register(f)
	return c
}

// maxWords takes an address of at most n words.
func maxWords(n int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > n {
			return usagef("too many words: an address is one word, or host and port")
		}
		return nil
	}
}

func (l *listen) run(ctx context.Context, args []string) error {
	if err := l.resolve(); err != nil {
		return err
	}
	var err error
	if l.hello, err = l.encoded("greeting", l.greeting); err != nil {
		return err
	}
	if l.echo && l.discard {
		return usagef("--echo and --discard exclude each other")
	}
	if (l.fd >= 0 || l.systemd) && len(args) > 0 || l.fd >= 0 && l.systemd {
		return usagef("an address, --fd and --systemd exclude each other")
	}
	l.explain = l.explainer(&l.talk)
	ln, at, err := l.open(ctx, args)
	if err != nil {
		return err
	}
	defer func() { _ = ln.Close() }()
	switch {
	case l.echo, l.discard:
		return l.handle(ctx, ln, at)
	case l.pipes():
		return l.pipe(ctx, ln, at)
	}
	return l.converse(ctx, ln, at)
}

// pipes reports whether this is pipe mode.
func (l *listen) pipes() bool { return !l.echo && !l.discard && !l.wantsConsole(&l.talk) }

// open makes the listening socket.
func (l *listen) open(ctx context.Context, args []string) (net.Listener, string, error) {
	lc := transport.ListenConfig{
		Family: l.family(), Backlog: l.backlog,
		Notice: func(text string) { l.notice(l.stderr, "duet: notice: %s", text) },
	}
	if l.backlog <= 0 {
		lc.Backlog = -1 // the zero of ListenConfig is its default
	}
	if l.talk.explain || l.wantsConsole(&l.talk) {
		lc.Step = l.explain.Step
	}
	if l.pipes() {
		lc.UserTimeout = l.pipePatience()
	}
	switch {
	case l.fd >= 0:
		ln, err := lc.File(int(l.fd))
		if err != nil {
			return nil, "", err
		}
		closePassed(int(l.fd))
		return ln, words(ln.Addr()), nil
	case l.systemd:
		ln, err := lc.Systemd()
		if err != nil {
			return nil, "", err
		}
		return ln, words(ln.Addr()), nil
	}
	addr, err := transport.ParseAddress(transport.DefaultListen, args...)
	if err == nil {
		err = l.checkFamily(addr)
	}
	if err != nil {
		return nil, "", err
	}
	ln, err := lc.Listen(ctx, addr)
	if err != nil {
		return nil, "", &duet.Error{Op: "listen", Addr: addr.String(), Err: err}
	}
	return ln, runningAt(addr, ln), nil
}

// runningAt names the place: `localhost: 8080` where the host is empty.
func runningAt(a transport.Address, ln net.Listener) string {
	if a.Scheme == "unix" {
		return a.String()
	}
	host := a.Host
	if host == "" {
		host = "localhost"
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		port = a.Port
	}
	return host + ": " + port
}

// announce says where the server is running, and who can reach it.
func (l *listen) announce(w io.Writer, ln net.Listener, at string) {
	if l.quiet {
		return
	}
	fmt.Fprintln(w, "The Server is running at "+safe(at))
	tcp, ok := ln.Addr().(*net.TCPAddr)
	if !ok {
		return
	}
	for _, addr := range transport.Reachable(ln) {
		fmt.Fprintln(w, "  reachable at "+safe(addr))
	}
	if tcp.IP.IsUnspecified() {
		fmt.Fprintln(w, "  anybody who reaches this machine can connect;")
		fmt.Fprintf(w, "  127.0.0.1:%d is for this machine only\n", tcp.Port)
	}
	fmt.Fprintln(w, "  not encrypted, peers unknown")
}

// server is the duet.Server that the flags describe.
func (l *listen) server(h duet.Handler, traces ...*duet.Trace) *duet.Server {
	if l.talk.explain || l.wantsConsole(&l.talk) {
		traces = append(traces, l.explain.Trace())
	}
	return &duet.Server{
		Handler: h, Framing: l.frame, MaxMessage: int(l.maxMessage), Greeting: l.hello, Farewell: l.bye,
		IdleTimeout: l.idleTimeout, SendTimeout: l.sendTimeout, Trace: duet.JoinTraces(traces...),
		ErrorLog: logTo(l.stderr),
	}
}

// serve serves until ctx ends or until asked to stop; then it says goodbye to all.
func (l *listen) serve(ctx context.Context, s *duet.Server, ln net.Listener) error {
	l.setCut(func() { _ = s.Close() })
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
	}
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	_ = s.Shutdown(down)
	if errors.Is(err, duet.ErrServerClosed) {
		return nil
	}
	return err
}

// handle runs a server that answers by itself, until a signal ends it.
func (l *listen) handle(ctx context.Context, ln net.Listener, at string) error {
	if !l.greets {
		l.hello = ""
	}
	if !l.words {
		l.bye = ""
	}
	framed := l.talk.framing != "auto" || l.words
	var h duet.Handler = handler.Echo{Framed: framed, Idle: l.idleTimeout, Send: l.sendTimeout}
	if l.discard {
		h = handler.Discard{Framed: framed, Idle: l.idleTimeout}
	}
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		l.notice(l.stdout, format, args...)
	}
	l.announce(l.stdout, ln, at)
	watch := &duet.Trace{
		ConnStart: func(c *duet.Conn) { say("The Server has received a connection from %s", words(c.RemoteAddr())) },
	}
	if l.verbose {
		watch.ConnEnd = func(c *duet.Conn, reason duet.EndReason, err error) {
			st := c.Stats()
			say("The conversation with %s has ended: %s (%d bytes in, %d out)", words(c.RemoteAddr()), endWords(reason, err), st.BytesIn, st.BytesOut)
		}
	}
	return l.serve(ctx, l.server(h, watch, wrongProtocol(say)), ln)
}

// converse runs a server whose operator answers at the console.
func (l *listen) converse(ctx context.Context, ln net.Listener, at string) error {
	d := &desk.Desk{Encoding: l.enc}
	b, err := l.openBooth(&l.talk, d, l.explain, true)
	if err != nil {
		return err
	}
	l.announce(noticeWriter{b.Session}, ln, at)
	say := b.tell(&l.talk)
	s := l.server(d, wrongProtocol(say))
	if !l.quiet || b.editor {
		s.ErrorLog = logTo(noticeWriter{b.Session})
	}

	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() {
		err := l.serve(serving, s, ln)
		served <- err
		stop()
	}()
	out := b.Run(serving)
	stop()
	b.onInterrupt(func() { _ = s.Close() })
	err = awaitEnd(served, say)
	if cerr := b.close(); err == nil {
		err = cerr
	}
	if err == nil && out == console.Interrupted {
		err = codeError(exitSignal + 2)
	}
	return err
}

// pipe serves one conversation, or one after another, between the peer and stdin and stdout.
func (l *listen) pipe(ctx context.Context, ln net.Listener, at string) error {
	l.announce(l.stderr, ln, at)
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()
	out, flush := l.output(&l.talk)
	h := &handler.Pipe{
		In: l.stdin, Out: out, HalfOpen: time.Duration(l.halfOpen), Idle: l.idleTimeout, Send: l.pipePatience(),
	}
	l.hello, l.bye = "", ""
	for {
		nc, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return &duet.Error{Op: "accept", Addr: at, Err: err}
		}
		if !l.keepOpen {
			_ = ln.Close()
		}
		if l.verbose {
			l.notice(l.stderr, "The Server has received a connection from %s", words(nc.RemoteAddr()))
		}
		err = l.pipeOne(ctx, h, nc)
		if ferr := flush(); err == nil && ferr != nil {
			err = ferr
		}
		if !l.keepOpen || ctx.Err() != nil {
			return err
		}
		if err != nil {
			l.report(err)
		}
	}
}

// pipeOne serves one connection with a server of its own, so that a signal ends just that.
func (l *listen) pipeOne(ctx context.Context, h duet.Handler, nc net.Conn) error {
	var end ending
	s := l.server(h, end.trace())
	s.ErrorLog = slog.New(slog.DiscardHandler) // pipeEnd tells it
	l.setCut(func() { _ = s.Close() })
	stop := context.AfterFunc(ctx, func() {
		down, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		_ = s.Shutdown(down)
	})
	err := s.ServeNetConn(nc)
	stop()
	return end.result(err)
}
