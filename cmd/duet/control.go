package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"duet.example/duet"
	"duet.example/duet/desk"
	"duet.example/duet/event"
	"duet.example/duet/internal/bulk"
	"duet.example/duet/transport"
)

// controlAddress is the unix socket at path, which may be written as an address too.
func controlAddress(path string) (transport.Address, error) {
	if a, err := transport.ParseAddress(transport.Address{}, path); err == nil && a.Scheme == "unix" {
		return a, nil
	}
	return transport.ParseAddress(transport.Address{}, "unix:"+path)
}

// openControl makes the control socket, for its owner and root only. What it returns closes it and removes it.
func openControl(ctx context.Context, path string, k *desk.Control) (closeIt func(), err error) {
	addr, err := controlAddress(path)
	if err != nil {
		return nil, err
	}
	lc := transport.ListenConfig{OwnerOnly: true}
	ln, err := lc.Listen(ctx, addr)
	if err != nil {
		return nil, &duet.Error{Op: "listen", Addr: addr.String(), Err: err}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = k.Serve(ctx, ln)
	}()
	return func() {
		cancel()
		<-served
		_ = ln.Close()
	}, nil
}

// linesPatience is how long the output may take nothing, when what happened last is printed on it.
const linesPatience = 2 * time.Second

// eventLines are events on stdout, and requests on stdin.
type eventLines struct {
	out    io.Writer
	cancel context.CancelFunc
	ended  chan struct{} // closed when no more is printed
	lost   bool          // stdout takes no more; valid after ended
}

// openLines begins to print what happens at k's desk. It returns when what happens from then on will be printed.
func (a *app) openLines(ctx context.Context, k *desk.Control) *eventLines {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	x := &eventLines{out: a.stdout, cancel: cancel, ended: make(chan struct{})}
	in := &requests{r: a.stdin, asked: make(chan struct{})}
	if f, ok := a.stdin.(*os.File); ok {
		if s, err := bulk.NewStdin(f); err == nil {
			in.r = s
		}
	}
	go func() {
		defer close(x.ended)
		k.Lines(ctx, in, a.stdout, true)
		x.lost = ctx.Err() == nil
	}()
	select {
	case <-in.asked:
	case <-x.ended:
	}
	return x
}

// close prints what has happened up to now, and that nothing follows. The error says that it could not be printed.
func (x *eventLines) close() error {
	x.cancel()
	late := time.NewTimer(linesPatience)
	defer late.Stop()
	select {
	case <-x.ended:
	case <-late.C:
		return codeError(exitFailed)
	}
	if x.lost {
		return codeError(exitFailed) // as any filter whose reader has gone
	}
	if err := event.NewWriter(x.out).WriteLine(event.Event{Type: event.Stopped, Time: time.Now()}); err != nil {
		return codeError(exitFailed)
	}
	return nil
}

// requests reads, and tells of the first Read: whoever reads has begun to watch.
type requests struct {
	r     io.Reader
	once  sync.Once
	asked chan struct{}
}

func (q *requests) Read(p []byte) (int, error) {
	q.once.Do(func() { close(q.asked) })
	n, err := q.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = io.EOF // there is nobody else to tell
	}
	return n, err
}

// Cancel ends a Read, where that can be done.
func (q *requests) Cancel() {
	if c, ok := q.r.(interface{ Cancel() }); ok {
		c.Cancel()
	}
}

// addressOf is where a listener listens, for programs.
func addressOf(ln net.Listener) string {
	if ln.Addr().Network() == "unix" {
		return "unix:" + ln.Addr().String()
	}
	return ln.Addr().String()
}
