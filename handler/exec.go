package handler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"duet.example/duet"
	"duet.example/duet/internal/bulk"
)

// DefaultMaxProcesses is how many programs an Exec runs at the same time.
const DefaultMaxProcesses = 256

// Causes of the ends that an Exec brings about, for errors.Is.
var (
	// ErrTooManyProcesses: as many programs run as may.
	ErrTooManyProcesses = errors.New("too many programs run")
	// ErrProgramTime: the program ran for longer than it may.
	ErrProgramTime = errors.New("program ran for too long")
)

var (
	errHeld = errors.New("the program has ended and its output is still open") // by a process that has left its group
	errOver = errors.New("the program has ended")
)

// pipeful is more than what can be on its way from a program that has ended: a pipe of 256 pieces, which may be 32
// KiB each, and a buffer.
const pipeful = 16 << 20

// Exec answers each conversation with a process of its own: what the peer says is its stdin, what it prints goes to
// the peer. The kernel copies the bytes where it can. The zero Exec has nothing to run.
//
// The program is started without a shell unless Shell says so, and peers' bytes reach it only by its stdin. It gets
// PATH, HOME, LANG, LANGUAGE, LC_*, TERM, TZ and TMPDIR of this process's environment, and DUET_REMOTE_ADDR,
// DUET_REMOTE_PORT, DUET_LOCAL_ADDR, DUET_LOCAL_PORT, DUET_PROTO and DUET_ID. An address is without a zone, a socket's
// path has no port, and what is unknown, or not printable ASCII, is empty.
//
// On Linux the program gets no descriptors but 0, 1 and 2. Elsewhere it also gets those of this process that are not
// close-on-exec: Go opens none of that kind, but this process may have been started with some. The descriptors of this process
// stay as they are.
//
// Half-close: the peer's FIN is the end of stdin, and the program may go on answering. The end of stdout is FIN,
// when the peer has all of it. A program that has closed its stdin is spared the rest: it is read and thrown away.
//
// On unix the program has a session, thus a process group, of its own, and all of the group is ended: SIGTERM, and
// after Grace SIGKILL. So it is when the program has ended by itself, as soon as its output is at its end or after
// Grace, if a process that it started keeps that open; and when both sides have finished and the program still runs
// after Grace. What has left the group is left alone, unless there is a [Custody]. Elsewhere the program is killed, and it alone.
// On Linux the program, and it alone, is also killed when this process ends in whatever way, unless it is set-user-ID.
//
// Endings: `peer-closed` or `closed` where the program ended with status 0, whichever side finished first;
// `handler-failed` with an [*ExitError] where it ended otherwise, or an error that says why it could not be started.
// `refused` where Max programs run, or the system has no room for one more. `reset`, also while the program neither
// reads nor prints; `slow-peer`, `idle`, `timeout` (Time), `kicked`, `shutdown`: they end the program. A peer that
// has closed altogether looks as one that has finished sending, until something is sent to it or the system's
// keepalive fails. The peer is told none of this: it sees the end.
//
// One Exec may serve any number of conversations at the same time. Fields must not be changed once it serves.
type Exec struct {
	// Args are the program and its arguments. A name without a slash is looked for in PATH.
	Args []string
	// Shell is a line for /bin/sh -c. Either Args or Shell is set.
	Shell string
	// Stderr says who gets the program's stderr. Zero is StderrLog.
	Stderr StderrPolicy
	// Log gets the lines of stderr, in safe text without control characters, at most 1 KiB of each. When there are
	// too many (100 at once, then 10 in a second and conversation) some are left out, and how many is told. It must
	// be quick; several conversations call it at the same time, one after another for each. nil: they are thrown
	// away.
	Log func(c *duet.Conn, line string)
	// Max is how many programs may run at the same time; one more conversation is refused. Zero is
	// DefaultMaxProcesses; below zero there is no limit.
	Max int
	// Time is how long a program may run. Zero: for as long as it likes.
	Time time.Duration
	// Grace is how long a program has to end when it is asked to. Zero is DefaultGrace; below zero it has none.
	Grace time.Duration
	// Idle ends a conversation in which nothing was received for so long. Zero: never.
	Idle time.Duration
	// Send ends a conversation whose peer takes nothing of the output for so long, as `slow-peer`. Zero is
	// duet.DefaultSendTimeout; below zero never.
	Send time.Duration
	// Proto is DUET_PROTO. Empty: the network of the address, "tcp" or "unix".
	Proto string

	mu      sync.Mutex
	running int // places that are taken
	all     map[*process]struct{}
}

var _ duet.Handler = (*Exec)(nil)

// ServeConn runs the program, until it and all of its group have ended.
func (e *Exec) ServeConn(ctx context.Context, c *duet.Conn) error {
	if err := e.enter(); err != nil {
		return failure(c, "exec", duet.EndRefused, err)
	}
	defer e.leave()
	argv, err := command(e.Args, e.Shell)
	if err != nil {
		return failure(c, "exec", duet.EndHandlerFailed, err)
	}
	f, err := takeOver(ctx, c, e.Idle, e.Send)
	if err != nil {
		return err
	}
	defer f.stop()
	policy := e.Stderr
	if policy == StderrLog && e.Log == nil {
		policy = StderrDrop
	}
	p, err := startProcess(argv, environment(c, e.Proto), policy)
	if err != nil {
		return failure(c, "exec", startReason(err), err)
	}
	defer e.note(p)()
	finish := p.hear(func(line string) { e.Log(c, line) })
	defer p.close()
	defer finish()
	return (&execution{f: f, p: p, grace: graceOf(e.Grace)}).run(e.Time)
}

// startReason: the system that has no room now may have some for the next.
func startReason(err error) duet.EndReason {
	var se *startError
	if errors.As(err, &se) && se.exhausted() {
		return duet.EndRefused
	}
	return duet.EndHandlerFailed
}

func graceOf(d time.Duration) time.Duration {
	if d == 0 {
		return DefaultGrace
	}
	return max(d, 0)
}

func (e *Exec) enter() error {
	limit := e.Max
	if limit == 0 {
		limit = DefaultMaxProcesses
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if limit > 0 && e.running >= limit {
		return fmt.Errorf("%w: already %d", ErrTooManyProcesses, limit)
	}
	e.running++
	return nil
}

func (e *Exec) leave() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running--
}

// note puts p among those that Kill kills.
func (e *Exec) note(p *process) (forget func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.all == nil {
		e.all = make(map[*process]struct{})
	}
	e.all[p] = struct{}{}
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.all, p)
	}
}

// Kill kills all programs that run, with their groups, and waits for nothing. It is for a process that has to end at
// once, without a Shutdown of its server, and would leave them behind. Any goroutine may call it.
func (e *Exec) Kill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for p := range e.all {
		p.signal(true)
	}
}

// An execution is a program that answers a conversation.
type execution struct {
	f     *flow
	p     *process
	grace time.Duration

	heardAll atomic.Bool   // the peer has finished
	first    atomic.Bool   // and had before the output was at its end
	printed  chan struct{} // closed when the output has gone to the peer, or is not to
	out      io.Reader     // the output
	release  func()        // ends the reading of out
	held     atomic.Bool   // reading was ended: there was nothing more of the group's
	rest     atomic.Int64  // how much more is taken of an output that may be held; zero: all
}

// run copies until the program has ended, and ends it where it has to be.
func (x *execution) run(limit time.Duration) error {
	f, p := x.f, x.p
	// Nobody reads the peer while the program takes nothing.
	f.watchDeparture(func(err error) silence {
		f.cancel(f.peerError(err))
		return silence{limit: -1}
	})
	if limit > 0 {
		t := time.AfterFunc(limit, func() { f.cancel(failure(f.c, "exec", duet.EndTimeout, ErrProgramTime)) })
		defer t.Stop()
	}
	x.printed = make(chan struct{})
	x.out, x.release = cancelable(p.out)
	defer x.release()
	both, listened := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(listened)
		x.listen()
	}()
	go func() {
		defer close(both)
		defer func() { <-listened }()
		defer close(x.printed)
		x.print()
	}()

	select {
	case <-p.exited:
	case <-both:
		x.await(p.exited)
	case <-f.ctx.Done():
	}
	asked, grace := !isClosed(p.exited), x.grace
	if !asked {
		x.await(x.printed)
		grace /= 2 // those whom the program left behind had some of it
	}
	p.end(grace)
	if !asked && !isClosed(x.printed) && f.ctx.Err() == nil {
		x.emptyPipe()
	}
	why := f.cause(nil)
	f.cancel(errOver)
	<-both
	switch status := p.status(); {
	case why != nil && !errors.Is(why, errHeld):
		return why
	case !asked && status != nil:
		return failure(f.c, "exec", duet.EndHandlerFailed, status)
	case x.first.Load():
		return io.EOF
	}
	return nil
}

// emptyPipe waits until what the group had printed has gone to the peer, however slow that is, and however seldom this
// process gets to run. If a process that has left the group has the output, there is no end of it: reading ends when the
// pipe is empty once, and what was taken out of it before is still delivered.
func (x *execution) emptyPipe() {
	x.rest.Store(pipeful)
	look := time.NewTicker(lastWords / 4)
	defer look.Stop()
	for rest, since := x.rest.Load(), time.Now(); ; {
		select {
		case <-x.printed:
			return
		case <-x.f.ctx.Done():
			return
		case <-look.C:
			if left := x.rest.Load(); left != rest || x.f.inspector.state().full {
				rest, since = left, time.Now()
			}
			if isEmpty(x.p.out, time.Since(since)) {
				x.held.Store(true)
				_ = x.p.out.SetReadDeadline(time.Now())
				x.release()
			}
		}
	}
}

// await waits for done, for the grace at the most.
func (x *execution) await(done <-chan struct{}) {
	t := time.NewTimer(x.grace)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	case <-x.f.ctx.Done():
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// listen gives the program what the peer says.
func (x *execution) listen() {
	f, in := x.f, x.p.in
	_, err := bulk.Copy(f.ctx, in, f.conn, f.noteReceived)
	x.heardAll.Store(err == nil) // before the program can know and end
	_ = in.Close()
	if failedSide(err) == "write" {
		_, err = bulk.Copy(f.ctx, io.Discard, f.conn, f.noteReceived)
		x.heardAll.Store(err == nil)
	}
	if err != nil && f.ctx.Err() == nil {
		f.cancel(f.peerError(err))
	}
}

// print gives the peer what the program prints.
func (x *execution) print() {
	f := x.f
	_, err := bulk.Copy(f.ctx, f.conn, x.out, func(n int64) {
		f.noteSent(n)
		if x.rest.Load() > 0 && x.rest.Add(-n) <= 0 {
			f.cancel(errHeld)
		}
	})
	_ = x.p.out.Close() // who still prints is to know that nobody listens
	x.first.Store(x.heardAll.Load())
	if x.held.Load() && failedSide(err) == "read" {
		err = nil
	}
	if err == nil {
		if err = f.lost(true); err == nil {
			err = f.raw.CloseWrite()
		}
	}
	switch {
	case err == nil, f.ctx.Err() != nil:
	case failedSide(err) == "read":
		f.cancel(failure(f.c, "exec", duet.EndHandlerFailed, fmt.Errorf("output: %w", err)))
	default:
		f.cancel(f.peerError(err))
	}
}
