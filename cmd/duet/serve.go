package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"duet.example/duet"
	"duet.example/duet/console"
	"duet.example/duet/desk"
	"duet.example/duet/room"
)

// shutdownTime is how long a server takes at the most to say goodbye to all.
const shutdownTime = 5 * time.Second

// server is the duet.Server that the flags describe.
func (l *listen) server(h duet.Handler, traces ...*duet.Trace) *duet.Server {
	if l.talk.explain || l.wantsConsole(&l.talk) {
		traces = append(traces, l.explain.Trace())
	}
	s := &duet.Server{
		Options: duet.Options{
			Framing: l.frame, MaxMessage: int(l.maxMessage), Farewell: l.bye,
			ShowFarewell: len(l.ways()) == 0, // operators answer, and see it
			IdleTimeout:  l.idleTimeout, SendTimeout: l.sendTimeout, Trace: duet.JoinTraces(traces...),
		},
		Handler: h, Greeting: l.hello,
		MaxConns: l.maxConns, Memory: l.memory.limit(), Busy: l.sorry, AcceptTimeout: l.acceptTimeout,
		Logger: logTo(l.stderr),
	}
	l.gate.Guard(s)
	return s
}

// desk is where operators watch the server, and answer where nothing else does.
func (l *listen) desk() *desk.Desk {
	d := &desk.Desk{Next: l.handler(), Encoding: l.enc, Gate: l.gate}
	l.tell = d.Notice
	if h, ok := d.Next.(*room.Hall); ok {
		watchHall(h, d)
	}
	return d
}

// face is the desk for programs.
func (l *listen) face(d *desk.Desk, ln net.Listener) *desk.Control {
	return &desk.Control{Desk: d, Version: version(), Address: addressOf(ln), MaxMessage: int(l.maxMessage)}
}

// openControl makes the control socket, if one is wanted.
func (l *listen) openControl(ctx context.Context, d *desk.Desk, ln net.Listener) (closeIt func(), err error) {
	if l.control == "" {
		return func() {}, nil
	}
	return openControl(ctx, l.control, l.face(d, ln))
}

// serve serves until ctx ends or until asked to stop; then it says goodbye to all.
func (l *listen) serve(ctx context.Context, s *duet.Server, ln net.Listener) error {
	l.setCut(func() {
		_ = s.Close()
		l.killPrograms()
	})
	defer l.keepPrograms()()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
	}
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if s.Shutdown(down) != nil {
		l.killPrograms()
	}
	l.stopPrograms()
	if errors.Is(err, duet.ErrServerClosed) {
		return nil
	}
	return err
}

// reloadsOnHangup has SIGHUP read the lists again, where there are some and no terminal that could have gone.
func (l *listen) reloadsOnHangup(say func(text string)) (stop func()) {
	if !l.hasLists() || l.atTerminal() {
		return func() {}
	}
	l.setHangup(func() {
		if err := l.gate.Reload(); err != nil {
			say(fmt.Sprintf("not reloaded, the lists of addresses stay as they were: %v", err))
			return
		}
		say("the lists of addresses were read again")
	})
	return func() { l.setHangup(nil) }
}

// unattended runs a server without a console, until a signal ends it: one that answers by itself, or one whose operators come through the
// control socket, or are programs.
func (l *listen) unattended(ctx context.Context, ln net.Listener, at string) error {
	d := l.desk()
	traces := []*duet.Trace{d.Trace()}
	h := duet.Handler(d)
	alone := d.Next != nil && l.control == "" && !l.json
	if alone {
		h, traces = d.Next, nil
	}
	closeControl, err := l.openControl(ctx, d, ln)
	if err != nil {
		return err
	}
	defer closeControl()
	serving, stop := context.WithCancel(ctx)
	defer stop()
	var mu sync.Mutex
	out := l.stdout
	switch {
	case l.json:
		out = l.stderr
	case !l.talk.explain: // whose lines go between them
		g := gather(out)
		defer g.Close()
		out = g
	}
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		l.notice(out, format, args...)
	}
	if alone {
		l.tell = func(text string) { say("%s", text) }
		if hall, ok := h.(*room.Hall); ok {
			hall.Watch = room.Watch{} // nobody does
		}
	}
	defer l.reloadsOnHangup(func(text string) {
		say("%s", text)
		d.Notice(text)
	})()
	l.announce(out, ln, at)
	traces = append(traces, wrongProtocol(say))
	if l.json {
		x := l.openLines(ctx, l.face(d, ln))
		go func() { <-x.ended; stop() }()
		err := l.serve(serving, l.server(h, traces...), ln)
		if lerr := x.close(); err == nil {
			err = lerr
		}
		return err
	}
	return l.serve(serving, l.server(h, append(traces, l.comings(say))...), ln)
}

// comings tells who comes and, with -v, who goes and who is refused; without, that some are where the server is full.
func (l *listen) comings(say func(format string, args ...any)) *duet.Trace {
	t := &duet.Trace{
		ConnStart: func(c *duet.Conn) { say("The Server has received a connection from %s", words(c.RemoteAddr())) },
	}
	if !l.verbose {
		t.ConnEnd = func(c *duet.Conn, reason duet.EndReason, err error) {
			if reason == duet.EndHandlerFailed && l.answers() { // the server's own affair, whoever the peer is
				say("The conversation with %s has ended: %s", words(c.RemoteAddr()), endWords(reason, err))
			}
		}
		return duet.JoinTraces((&fullness{say: say}).trace(), t) // counted before it is told
	}
	t.ConnEnd = func(c *duet.Conn, reason duet.EndReason, err error) {
		st := c.Stats()
		say("The conversation with %s has ended: %s (%d bytes in, %d out)", words(c.RemoteAddr()), endWords(reason, err), st.BytesIn, st.BytesOut)
	}
	t.Refused = func(peer net.Addr, err error) { say("%s was not let in: %s", words(peer), cause(err)) }
	return t
}

// converse runs a server with an operator at the console, who answers, or watches what does.
func (l *listen) converse(ctx context.Context, ln net.Listener, at string) error {
	d := l.desk()
	closeControl, err := l.openControl(ctx, d, ln)
	if err != nil {
		return err
	}
	defer closeControl()
	if hall, ok := d.Next.(*room.Hall); ok && !l.relay {
		hall.Enter(l.operator())
	}
	b, err := l.openBooth(&l.talk, console.Options{
		Table: d.Operator(l.operator()), Operator: l.operator(), Server: true, Full: l.full, Explainer: l.explain,
	})
	if err != nil {
		return err
	}
	l.announce(noticeWriter{b.Session}, ln, at)
	say := b.tell(&l.talk)
	defer l.reloadsOnHangup(d.Notice)()
	s := l.server(d, d.Trace(), wrongProtocol(say))
	if !l.quiet || b.editor {
		s.Logger = logTo(noticeWriter{b.Session})
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
	b.onInterrupt(func() {
		_ = s.Close()
		l.killPrograms()
	})
	err = awaitEnd(served, b.sayingGoodbye(&l.talk))
	if cerr := b.close(); err == nil {
		err = cerr
	}
	switch {
	case err != nil:
		return err
	case out == console.Interrupted:
		return codeError(exitSignal + 2)
	case out == console.Unsent:
		return errUnsent
	}
	return b.unsent()
}
