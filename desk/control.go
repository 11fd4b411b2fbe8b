package desk

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"duet.example/duet/event"
)

// Limits of a control socket.
const (
	// maxControls is how many may be connected to it at the same time.
	maxControls = 64
	// controlWrite is how long one that does not read is waited for; then it is dropped.
	controlWrite = 5 * time.Second
)

// A Control serves a desk to other processes: programs, and consoles. It speaks the lines of package event
// (docs/events.md) over any listener. The listener decides which processes may connect, for example by a unix socket
// of mode 0600.
type Control struct {
	Desk *Desk
	// Version is the version of the program, for the first line.
	Version string
	// Address is the address of the server, for subscribers. Empty: they do not get it.
	Address string
	// MaxMessage is the length of the longest message in bytes, which limits the length of a line. Zero is
	// framing.DefaultMaxMessage.
	MaxMessage int
}

// Serve accepts connections from l until ctx ends. Then it closes l and all connections, and waits for their
// goroutines. It returns the error of l, or nil if ctx has ended.
func (k *Control) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	places := make(chan struct{}, maxControls)
	for {
		nc, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if !waitABit(ctx, err) {
				return err
			}
			continue
		}
		select {
		case places <- struct{}{}:
			all.Go(func() {
				defer func() { <-places }()
				k.serve(ctx, nc)
			})
		default:
			_ = nc.Close()
		}
	}
}

// waitABit waits after a failed accept that may pass; false where it will not.
func waitABit(ctx context.Context, err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	t := time.NewTimer(100 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return true
}

// serve serves one who is connected. When ctx ends, who watches is told what has happened up to then, and that nothing follows.
func (k *Control) serve(ctx context.Context, nc net.Conn) {
	defer func() { _ = nc.Close() }()
	w := &deadlineWriter{nc: nc}
	stop := context.AfterFunc(ctx, w.last)
	defer stop()
	if watched := k.Lines(ctx, nc, w, false); watched && ctx.Err() != nil {
		_ = event.NewWriter(w).WriteLine(event.Event{Type: event.Stopped, Time: time.Now()})
	}
}

// A deadlineWriter gives each write controlWrite to be taken, and all that follow last controlLast together.
type deadlineWriter struct {
	nc net.Conn

	mu    sync.Mutex
	ended bool
}

// controlLast is how long what happened last is waited for.
const controlLast = 2 * time.Second

func (w *deadlineWriter) last() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	_ = w.nc.SetWriteDeadline(time.Now().Add(controlLast))
}

func (w *deadlineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	if !w.ended {
		_ = w.nc.SetWriteDeadline(time.Now().Add(controlWrite))
	}
	w.mu.Unlock()
	return w.nc.Write(p)
}

// Lines executes the requests from r and writes replies to w. It also writes events to w, if watch is true or a
// request asks for them. The reader of w is waited for, as a console is: while w takes no more events, peers are not
// read.
//
// A line that is no request gets a reply that says so. Lines returns at the end of r, or when a write fails. While it
// writes events, it returns only when a write fails or ctx ends. If r has SetReadDeadline or Cancel, the end of ctx
// also ends reading; the events until then are still written. watched reports whether events were written.
func (k *Control) Lines(ctx context.Context, r io.Reader, w io.Writer, watch bool) (watched bool) {
	ctx, cancel := context.WithCancel(ctx)
	c := &controlled{control: k, out: event.NewWriter(w), operator: "control", cancel: cancel, here: watch}
	defer func() {
		cancel()
		c.endTransfer()
		c.watching.Wait()
	}()
	stop := context.AfterFunc(ctx, func() { interrupt(r) })
	defer stop()
	if c.out.WriteLine(k.hello()) != nil {
		return false
	}
	if watch {
		c.watch(ctx)
	}
	c.in = event.NewReader(r, event.MaxLine(k.MaxMessage))
	for ctx.Err() == nil {
		req, err := c.next()
		var bad *event.LineError
		switch {
		case errors.As(err, &bad):
			if c.out.WriteLine(event.Reply{ID: bad.ID, Error: bad.Error()}) != nil {
				return c.watches
			}
			continue
		case err != nil:
			if watch {
				<-ctx.Done() // the end of what is asked is not the end of what is told
			}
			cancel()
			return c.watches
		}
		for _, reply := range c.do(ctx, req) {
			if c.out.WriteLine(reply) != nil {
				return c.watches
			}
		}
	}
	return c.watches
}

// next reads the next request.
func (c *controlled) next() (event.Request, error) {
	if c.ahead != nil {
		<-c.ahead
		c.ahead = nil
	}
	return c.in.Request()
}

// interrupt ends a read that waits, where the reader can be told: a connection, or one with Cancel.
func interrupt(r io.Reader) {
	switch r := r.(type) {
	case interface{ SetReadDeadline(time.Time) error }:
		_ = r.SetReadDeadline(time.Unix(1, 0))
	case interface{ Cancel() }:
		r.Cancel()
	}
}

// A controlled is one at the other end.
type controlled struct {
	control  *Control
	in       *event.Reader
	ahead    chan struct{} // closed when watchEnd has done with in; nil: it has
	inflow   *inflow       // the transfer that is under way; nil: none
	out      *event.Writer
	operator string
	cancel   context.CancelFunc
	here     bool // it is waited for; otherwise it is dropped when it does not take the events
	watches  bool
	watching sync.WaitGroup
}

// watch writes first, if there is something, and then events from now on. It watches
// before it writes: who acts on what it says misses nothing.
func (c *controlled) watch(ctx context.Context, first ...event.Line) {
	var w *Watch
	if !c.watches {
		if c.here {
			w = c.control.Desk.watchLines()
		} else {
			w = c.control.Desk.watchFar()
		}
		if at := c.control.Address; at != "" {
			first = append(first, event.Event{Type: event.Listening, Time: time.Now(), Address: at})
		}
	}
	for _, line := range first {
		if c.out.WriteLine(line) != nil {
			c.cancel()
			break
		}
	}
	if c.watches {
		return
	}
	c.watches = true
	c.watching.Go(func() {
		defer w.Stop()
		for {
			e, err := w.Next(ctx)
			if err == nil {
				err = c.out.WriteLine(e.Wire())
			}
			if err != nil {
				c.cancel()
				return
			}
		}
	})
}

// do does what one request asks.
func (c *controlled) do(ctx context.Context, r event.Request) []event.Reply {
	if r.Operator != "" {
		c.operator = r.Operator
	}
	o := c.control.Desk.Operator(c.operator)
	n := 0
	var err error
	switch r.Do {
	case event.DoList:
		return c.list(o, r)
	case event.DoWatch:
		c.watch(ctx, event.Reply{ID: r.ID, OK: true})
		return nil
	case event.DoSend:
		err = send(ctx, o, r.Conn, r)
	case event.DoTransfer:
		return []event.Reply{c.transfer(ctx, o, r)}
	case event.DoAll:
		for _, to := range o.Numbers() {
			if err := send(ctx, o, to, r); err == nil {
				n++
			}
		}
	case event.DoSpeak:
		return c.speak(ctx, o, r)
	case event.DoBye:
		err = o.Bye(ctx, r.Conn)
	case event.DoKick:
		err = o.Kick(ctx, r.Conn, r.Reason)
	case event.DoBan:
		err = o.Ban(ctx, r.Address, r.Reason)
	case event.DoName:
		err = o.Name(ctx, r.Conn, r.Name)
	case event.DoNote:
		err = o.Note(ctx, r.Conn, r.Note)
	case event.DoReload:
		err = o.Reload(ctx)
	case event.DoFraming:
		err = o.SetFraming(ctx, r.Conn, r.Framing)
	case event.DoEncoding:
		err = o.SetEncoding(ctx, r.Conn, r.Encoding)
	}
	reply := event.Reply{ID: r.ID, OK: err == nil, Count: n}
	if err != nil {
		reply.Error = err.Error()
	}
	return []event.Reply{reply}
}

func send(ctx context.Context, o *Operator, n uint64, r event.Request) error {
	switch {
	case r.Raw:
		return o.SayRaw(ctx, n, r.Bytes)
	case r.Wait && r.Bytes != nil:
		return o.Deliver(ctx, n, r.Bytes)
	case r.Wait:
		return o.deliverText(ctx, n, r.Text)
	case r.Bytes != nil:
		return o.SayBytes(ctx, n, r.Bytes)
	}
	return o.Say(ctx, n, r.Text)
}

// list answers with the roster: those that are live, and the last that have ended; or with one entry.
func (c *controlled) list(o *Operator, r event.Request) []event.Reply {
	var all []event.Entry
	if r.Conn != 0 {
		e, err := o.Entry(r.Conn)
		if err != nil {
			return []event.Reply{{ID: r.ID, Error: err.Error()}}
		}
		return event.RosterReplies(r.ID, []event.Entry{e.wire()})
	}
	for _, e := range o.Left() {
		all = append(all, e.wire())
	}
	for _, e := range o.Roster() {
		all = append(all, e.wire())
	}
	replies := event.RosterReplies(r.ID, all)
	replies[len(replies)-1].Room = o.room()
	return replies
}
