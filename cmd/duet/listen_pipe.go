package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"duet.example/duet"
	"duet.example/duet/handler"
)

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
	d := l.door(ln)
	defer d.close()
	defer l.reloadsOnHangup(func(text string) { l.notice(l.stderr, "duet: notice: %s", text) })()
	for {
		nc, err := d.accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
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
	s.Logger = slog.New(slog.DiscardHandler) // pipeEnd tells it
	l.setCut(func() { _ = s.Close() })
	stop := context.AfterFunc(ctx, func() {
		down, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		_ = s.Shutdown(down)
	})
	err := s.ServeNetConn(nc)
	stop()
	return l.orLost(end.result(err), end.said)
}

// A door lets in one peer after another, and no others.
type door struct {
	ln       net.Listener
	l        *listen
	guard    *duet.Server // for those who are not let in
	refusing sync.WaitGroup
}

func (l *listen) door(ln net.Listener) *door {
	var trace duet.Trace
	if l.verbose {
		trace.Refused = func(peer net.Addr, err error) { l.notice(l.stderr, "%s was not let in: %s", words(peer), cause(err)) }
	}
	d := &door{ln: ln, l: l, guard: l.server(nil, &trace)}
	if t, ok := ln.(interface{ SetDeadline(time.Time) error }); ok && l.acceptTimeout > 0 {
		_ = t.SetDeadline(time.Now().Add(l.acceptTimeout))
	}
	return d
}

// accept waits for a peer that the lists let in; others are refused meanwhile.
func (d *door) accept() (net.Conn, error) {
	for {
		nc, err := d.ln.Accept()
		if err != nil {
			e := &duet.Error{Op: "accept", Addr: words(d.ln.Addr()), Err: err}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				e.Reason, e.Err = duet.EndTimeout, duet.ErrNobodyCame
			}
			return nil, e
		}
		if d.l.gate.Check(nc.RemoteAddr()) != nil {
			d.refusing.Go(func() { _ = d.guard.ServeNetConn(nc) })
			continue
		}
		if t, ok := d.ln.(interface{ SetDeadline(time.Time) error }); ok {
			_ = t.SetDeadline(time.Time{})
		}
		return nc, nil
	}
}

func (d *door) close() {
	_ = d.guard.Close()
	d.refusing.Wait()
}
