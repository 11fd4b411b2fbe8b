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

// DefaultMaxProcesses is the number of programs that an Exec may run at the same time.
const DefaultMaxProcesses = 256

// Causes of the endings of an Exec, for errors.Is.
var (
	// ErrTooManyProcesses says that Exec.Max programs run already.
	ErrTooManyProcesses = errors.New("too many programs run")
	// ErrProgramTime says that the program ran for longer than Exec.Time.
	ErrProgramTime = errors.New("program ran for too long")
)

var (
	errHeld = errors.New("the program has ended and its output is still open") // by a process that has left its group
	errOver = errors.New("the program has ended")
)

// pipeful is more than a program that has ended can have left: a pipe of 256 pieces of at most 32 KiB, and a buffer.
const pipeful = 16 << 20

// Exec answers each conversation with a process of its own. The bytes of the peer are its stdin, and its stdout goes to the peer. The system
// copies the bytes by itself if it can. The zero Exec has no program.
//
// Exec starts the program without a shell unless Shell is set. The bytes of a peer reach it only through stdin. Its environment is PATH, HOME,
// LANG, LANGUAGE, LC_*, TERM, TZ and TMPDIR of this process, and DUET_REMOTE_ADDR, DUET_REMOTE_PORT, DUET_LOCAL_ADDR, DUET_LOCAL_PORT,
// DUET_PROTO and DUET_ID. An address has no zone. The path of a unix socket has no port. A value that is unknown, or not printable ASCII, is
// empty.
//
// On Linux the program gets only the descriptors 0, 1 and 2. Elsewhere it also gets the descriptors of this process that are not
// close-on-exec. Go opens none of that kind, but this process may have been started with some.
//
// The peer's FIN is the end of stdin, and the program may go on answering. The end of stdout is sent as FIN once the peer has all of it. If
// the program closes its stdin, the rest of the peer's bytes is thrown away.
//
// On Unix the program leads a session and a process group of its own. Exec ends the whole group: with SIGTERM, and with SIGKILL after Grace.
// It does so if the conversation ends. It does so if the program has ended and its output is at its end; if a process that it started
// keeps the output open, after Grace. And it does so if both sides have finished and the program still runs after Grace. A process that has
// left the group is not ended, unless there is a [Reaper]. Elsewhere Exec kills the program alone. On Linux the program alone is also killed
// when this process ends in any way, unless it is set-user-ID.
//
// Endings: `peer-closed` or `closed` if the program ended with status 0, by which side finished first. `handler-failed` with an
// [*ExitError] if it ended otherwise, or with an error that says why it could not be started. `refused` if Max programs run, or the system
// has no room for another one. `reset`, also while the program neither reads nor prints. `slow-peer`, `idle`, `timeout` (Time). A peer that
// has closed both directions looks like one that has finished sending, until bytes are sent to it or the system's keepalive fails. The peer
// learns no reason: it sees the end.
//
// One Exec may serve any number of conversations at the same time. Its fields must not be changed then.
type Exec struct {
	// Args are the program and its arguments. A name without a slash is looked up in PATH.
	Args []string
	// Shell is a line for /bin/sh -c. Set either Args or Shell.
	Shell string
	// Stderr says where the program's stderr goes. Zero is StderrLog.
	Stderr StderrPolicy
	// Log is called for each line of stderr, without control characters and at most 1 KiB long. A conversation may log 100 lines at once
	// and then 10 per second. Further lines are left out, and a line says how many. Log must be quick. Several conversations call it
	// at the same time. nil: the lines are thrown away.
	Log func(c *duet.Conn, line string)
	// Max is the number of programs that may run at the same time. A further conversation is refused. Zero is DefaultMaxProcesses; below
	// zero there is no limit.
	Max int
	// Time is how long a program may run. Zero: there is no limit.
	Time time.Duration
	// Grace is the time between SIGTERM and SIGKILL. Zero is DefaultGrace; below zero there is none.
	Grace time.Duration
	// Idle is the time after which a conversation ends if nothing is received. Zero: none.
	Idle time.Duration
	// Send is the time after which a conversation ends, as `slow-peer`, if the peer takes nothing of the output. Zero is
	// duet.DefaultSendTimeout; below zero there is no limit.
	Send time.Duration
	// Proto is the value of DUET_PROTO. Empty: the network of the address, "tcp" or "unix".
	Proto string

	mu      sync.Mutex
	running int                   // conversations that have a program, or start one
	all     map[*process]struct{} // nil until the first
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
	finish := p.logStderr(func(line string) { e.Log(c, line) })
	defer p.close()
	defer finish()
	return (&execution{f: f, p: p, grace: graceOf(e.Grace)}).run(e.Time)
}

// startReason returns the ending for a program that could not be started. If the system had no room, it may have some for the next one.
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

// note has Kill kill p, until forget is called.
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

// Kill kills all programs that run, with their groups, and does not wait. It is for a process that has to end at once, without a Shutdown
// of its server. Any goroutine may call it.
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

	peerFinished  atomic.Bool   // the peer has finished
	finishedFirst atomic.Bool   // the peer had finished before the output was at its end
	printed       chan struct{} // closed when nothing more of the output goes to the peer
	out           io.Reader     // the output
	release       func()        // ends the reading of out
	held          atomic.Bool   // reading was ended, because only a process outside the group holds the output open
	rest          atomic.Int64  // how many more bytes are read of an output that may be held open; zero: all
}

// run copies until the program has ended, and ends it if necessary.
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
		grace /= 2 // the processes that are left had some of it
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
	case x.finishedFirst.Load():
		return io.EOF
	}
	return nil
}

// emptyPipe waits until the output of the group has gone to the peer, however slow the peer is and however rarely this process runs. A process
// that has left the group may hold the output open. Then reading ends as soon as the pipe is empty, and the bytes that were read before
// are still delivered.
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

// await waits for done, for at most the grace.
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

// listen copies from the peer to the program.
func (x *execution) listen() {
	f, in := x.f, x.p.in
	_, err := bulk.Copy(f.ctx, in, f.conn, f.noteReceived)
	x.peerFinished.Store(err == nil) // before the program can see it and end
	_ = in.Close()
	if failedSide(err) == "write" {
		_, err = bulk.Copy(f.ctx, io.Discard, f.conn, f.noteReceived)
		x.peerFinished.Store(err == nil)
	}
	if err != nil && f.ctx.Err() == nil {
		f.cancel(f.peerError(err))
	}
}

// print copies from the program to the peer.
func (x *execution) print() {
	f := x.f
	_, err := bulk.Copy(f.ctx, f.conn, x.out, func(n int64) {
		f.noteSent(n)
		if x.rest.Load() > 0 && x.rest.Add(-n) <= 0 {
			f.cancel(errHeld)
		}
	})
	_ = x.p.out.Close() // a program that still writes gets EPIPE
	x.finishedFirst.Store(x.peerFinished.Load())
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
