package handler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"duet.example/duet"
)

// A program that has ended is not started again at once. After the first quick end it waits for restartMin, which doubles with each further
// one. A program that has run for steady starts the series again.
const (
	restartMin = 250 * time.Millisecond
	restartMax = 30 * time.Second
	steady     = 10 * time.Second
)

// Causes of the endings of a Shared, for errors.Is.
var (
	// ErrProgramDeaf says that the program did not read a message within Shared.Patience.
	ErrProgramDeaf = errors.New("program does not read")
	// ErrRestarting says that the program has ended a moment ago, and may not be started again yet.
	ErrRestarting = errors.New("program has just ended")
)

// Shared answers all conversations with one process. Each line that it prints goes to all of them, as a message in the framing of each. Each
// message of a peer is a line on its stdin. The zero Shared has no program.
//
// The first conversation starts the program. It runs until Close, also while there is no conversation. Its environment is that of the program
// of an [Exec] without the DUET_ variables, and it also leads a process group. When it ends, all conversations end once they have its last
// lines: as `closed` with status 0, and otherwise as `handler-failed` with an [*ExitError]. The next conversation starts it again. If it had
// run for less than 10 s, that is possible after 250 ms, which doubles up to 30 s. A conversation that comes sooner is `refused`
// (ErrRestarting).
//
// The lines of one conversation are in order, and none is inside another. Line ends inside a message become blanks, and those at its end are
// left out. A line of the program is sent without its LF and the CRs before it. A line longer than 1 MiB is sent as several messages. If a
// framing cannot carry a line, that conversation does not get it, and Log says so.
//
// Nobody waits for a peer that does not read. Its conversation ends as `slow-peer` when more than its server's QueueSize waits for it, or
// when it takes nothing for the SendTimeout. The program is read as fast as the fastest peer reads. While the program does not read, a
// conversation with a message waits for Patience, and then ends as `timeout` (ErrProgramDeaf). It still receives the lines of the program.
// Messages for a program that has closed its stdin are thrown away.
//
// A peer that has finished sending still receives the lines of the program, until there are none for HalfOpen. Then its conversation ends as
// `peer-closed`. Other endings: `farewell`, `reset`, `idle` (IdleTimeout of the server), and `shutdown` also after Close.
//
// One Shared may serve any number of conversations at the same time. Its fields must not be changed then.
type Shared struct {
	// Args are the program and its arguments. A name without a slash is looked up in PATH.
	Args []string
	// Shell is a line for /bin/sh -c. Set either Args or Shell.
	Shell string
	// Numbers puts the number of a conversation before each line. A line that the program reads begins with the number of its
	// conversation and a blank ("3 hello"). A line that it prints must begin with the number of the conversation that receives it, or *
	// for all, and a blank. A line for a conversation that has ended is left out. Numbers is for the conversations of one server.
	Numbers bool
	// Stderr says where the program's stderr goes. StderrPeer sends it to all peers, like stdout. Zero is StderrLog.
	Stderr StderrPolicy
	// Log is called for each line of stderr, as Exec.Log is, and says which lines were left out. Two goroutines may call it at the same
	// time. nil: the lines are thrown away.
	Log func(line string)
	// Patience is how long a conversation waits for the program to read a message. Zero is duet.DefaultSendTimeout; below zero there is
	// no limit.
	Patience time.Duration
	// HalfOpen is the time for which the program may be silent towards a peer that has finished. Zero is DefaultHalfOpen; below zero there
	// is no limit.
	HalfOpen time.Duration
	// Grace is the time between SIGTERM and SIGKILL. Zero is DefaultGrace; below zero there is none.
	Grace time.Duration

	mu        sync.Mutex
	run       *programRun // nil while the program does not run
	closed    bool
	quickEnds int       // how often in succession the program has ended before steady
	notBefore time.Time // when it may be started again
	last      error     // how it ended
}

var _ duet.Handler = (*Shared)(nil)

// ServeConn gives the messages of the peer to the program, until the end of either.
func (s *Shared) ServeConn(ctx context.Context, c *duet.Conn) error {
	b, m, err := s.join(c)
	if err != nil {
		return err
	}
	defer b.leave(m)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.done, cancel)()
	for {
		msg, err := c.Receive(ctx)
		switch {
		case errors.Is(err, io.EOF):
			if reason, _ := c.Result(); reason == duet.EndFarewell {
				return err
			}
			return s.linger(ctx, b, m)
		case err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
			return b.ended(ctx, c)
		case err != nil:
			return err
		}
		if err := b.input(ctx, c, inputLine(c.ID(), s.Numbers, msg.Body), s.Patience); err != nil {
			return err
		}
	}
}

// join makes c a member, and starts the program if it does not run.
func (s *Shared) join(c *duet.Conn) (*programRun, *member, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &member{c: c}
	switch {
	case s.closed:
		return nil, nil, failure(c, "exec", duet.EndShutdown, duet.ErrServerClosed)
	case s.run != nil:
		s.run.enter(m)
		return s.run, m, nil
	}
	if wait := time.Until(s.notBefore); wait > 0 {
		err := fmt.Errorf("%w and starts again in %v at the soonest", ErrRestarting, wait.Round(time.Millisecond))
		if s.last != nil {
			err = fmt.Errorf("%w (%w)", err, s.last)
		}
		return nil, nil, failure(c, "exec", duet.EndRefused, err)
	}
	argv, err := command(s.Args, s.Shell)
	if err != nil {
		return nil, nil, failure(c, "exec", duet.EndHandlerFailed, err)
	}
	policy := s.Stderr
	if policy == StderrLog && s.Log == nil {
		policy = StderrDrop
	}
	p, err := startProcess(argv, ownEnvironment(), policy)
	if err != nil {
		return nil, nil, failure(c, "exec", startReason(err), err)
	}
	s.run = s.begin(p, m)
	return s.run, m, nil
}

// noteEnd notes that the program has ended.
func (s *Shared) noteEnd(ran time.Duration, status error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run, s.last = nil, status
	if ran >= steady {
		s.quickEnds = 0
		return
	}
	s.notBefore = time.Now().Add(min(restartMin<<min(s.quickEnds, 20), restartMax))
	s.quickEnds++
}

// Close ends the program as an Exec does, and waits for its end. The conversations that are left end as `shutdown`, and so does each new one.
// Any goroutine may call Close, more than once.
func (s *Shared) Close() error {
	s.mu.Lock()
	s.closed = true
	b := s.run
	s.mu.Unlock()
	if b != nil {
		b.stop()
		<-b.done.Done()
	}
	return nil
}

// Kill kills the program with its group, and does not wait. See [Exec.Kill].
func (s *Shared) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.run != nil {
		s.run.p.signal(true)
	}
}

// linger waits while a peer that has finished still receives lines of the program.
func (s *Shared) linger(ctx context.Context, b *programRun, m *member) error {
	limit := cmp.Or(s.HalfOpen, DefaultHalfOpen)
	begun := time.Now()
	for {
		var late <-chan time.Time // nil: there is no limit
		if limit > 0 {
			since := begun
			if sent := time.Unix(0, m.lastSent.Load()); sent.After(since) {
				since = sent
			}
			wait := time.Until(since.Add(limit))
			if wait <= 0 {
				return io.EOF
			}
			late = time.After(wait)
		}
		select {
		case <-late:
		case <-ctx.Done():
			return b.ended(ctx, m.c)
		case <-m.c.Lost():
			return cmp.Or(lostBy(m.c), io.EOF)
		}
	}
}

// lostBy returns how a conversation ends whose connection is lost; nil if nothing was on its way to the peer.
func lostBy(c *duet.Conn) error {
	if why, err := c.Result(); why != duet.EndNone && why != duet.EndPeerClosed {
		if err == nil {
			err = duet.ErrClosed
		}
		return failure(c, "send", why, err)
	}
	return nil
}

// A member is a conversation of a Shared.
type member struct {
	c        *duet.Conn
	lastSent atomic.Int64 // when a line was last sent to it, in Unix nanoseconds
}
