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

// A program that ends is not started again at once: after the first quick end it takes restartMin, which doubles
// with each further one, and counts from anew when it has run for steady.
const (
	restartMin = 250 * time.Millisecond
	restartMax = 30 * time.Second
	steady     = 10 * time.Second
)

// Causes of the ends that a Shared brings about, for errors.Is.
var (
	// ErrProgramDeaf: the program does not read what the peer says.
	ErrProgramDeaf = errors.New("program does not read")
	// ErrRestarting: the program has ended a moment ago, and is not to be started again yet.
	ErrRestarting = errors.New("program has just ended")
)

// Shared answers all conversations with one process: each line that it prints goes to all of them, as a message in
// the framing of each, and each message of any is a line on its stdin. The zero Shared has nothing to run.
//
// The program is started by the first conversation and runs until Close, also while there is no conversation. It
// gets what the program of an [Exec] gets, but for the variables that begin with DUET_, and has a process group of
// its own as well. When it ends, all conversations end, after what it has printed: `closed` with status 0,
// `handler-failed` with an [*ExitError] otherwise. The next conversation starts it again; where it had run for less
// than 10 s not before 250 ms, which double up to 30 s. One that comes sooner is `refused` (ErrRestarting).
//
// Lines: those of one conversation are in order, and none is within another. Line ends inside a message become
// blanks, and those at its end are left out. A line of the program is without its LF and the CRs before it; one that
// is longer than 1 MiB is several messages, and one that a framing cannot carry is left out there, which Log is
// told.
//
// Nobody waits for a peer that does not read: it ends as `slow-peer` when what waits for it reaches its server's
// QueueSize, or takes longer than the SendTimeout. The program is read as fast as the fastest peer reads. While it
// does not read itself, those who speak wait, for Patience, and then end as `timeout` (ErrProgramDeaf); they hear
// what it prints meanwhile. What is said to a program that has closed its stdin is thrown away.
//
// Half-close: a peer that has finished is still told what the program prints, until that is nothing for HalfOpen:
// `peer-closed`. Endings besides: `farewell`, `reset`, `idle` (IdleTimeout of the server), `kicked`, `shutdown`,
// also after Close.
//
// One Shared serves any number of conversations at the same time. Fields must not be changed once it serves.
type Shared struct {
	// Args are the program and its arguments. A name without a slash is looked for in PATH.
	Args []string
	// Shell is a line for /bin/sh -c. Either Args or Shell is set.
	Shell string
	// Numbers tells the program who speaks and lets it choose who hears: each line that it reads begins with the
	// conversation's number and a blank ("3 hello"), and each that it prints with a number, or * for all, and a
	// blank. What is for nobody who is there is left out. It is for the conversations of one server.
	Numbers bool
	// Stderr says who gets the program's stderr; StderrPeer: all, as if it were stdout. Zero is StderrLog.
	Stderr StderrPolicy
	// Log gets the lines of stderr as Exec.Log does, and what had to be left out. It may be called by two goroutines
	// at the same time. nil: they are thrown away.
	Log func(line string)
	// Patience is how long a conversation waits for the program to read what it says. Zero is
	// duet.DefaultSendTimeout; below zero for ever.
	Patience time.Duration
	// HalfOpen is how long the program may be silent towards a peer that has finished. Zero is DefaultHalfOpen;
	// below zero for ever.
	HalfOpen time.Duration
	// Grace is how long the program has to end when it is asked to. Zero is DefaultGrace; below zero it has none.
	Grace time.Duration

	mu        sync.Mutex
	run       *broadcast // nil while none runs
	closed    bool
	quick     int       // how often in succession it has ended before it ran steadily
	notBefore time.Time // when it may be started
	last      error     // how it ended
}

var _ duet.Handler = (*Shared)(nil)

// ServeConn passes on what the peer says, until its end or the program's.
func (s *Shared) ServeConn(ctx context.Context, c *duet.Conn) error {
	b, m, err := s.join(c)
	if err != nil {
		return err
	}
	defer b.leave(m)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.over, cancel)()
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
		if err := b.say(ctx, c, inputLine(c.ID(), s.Numbers, msg.Body), s.Patience); err != nil {
			return err
		}
	}
}

// join takes c in, and starts the program where it does not run.
func (s *Shared) join(c *duet.Conn) (*broadcast, *member, error) {
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

// note is called when the program has ended.
func (s *Shared) note(ran time.Duration, status error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run, s.last = nil, status
	if ran >= steady {
		s.quick = 0
		return
	}
	s.notBefore = time.Now().Add(min(restartMin<<min(s.quick, 20), restartMax))
	s.quick++
}

// Close ends the program, as an Exec does, and the conversations that are left, as `shutdown`; it waits for the
// program's end. No conversation is served any more. Any goroutine may call it, and more than once.
func (s *Shared) Close() error {
	s.mu.Lock()
	s.closed = true
	b := s.run
	s.mu.Unlock()
	if b != nil {
		b.stop()
		<-b.over.Done()
	}
	return nil
}

// Kill kills the program with its group, and waits for nothing: see [Exec.Kill].
func (s *Shared) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.run != nil {
		s.run.p.signal(true)
	}
}

// linger tells a peer that has finished what the program still prints.
func (s *Shared) linger(ctx context.Context, b *broadcast, m *member) error {
	limit := cmp.Or(s.HalfOpen, DefaultHalfOpen)
	begun := time.Now()
	for {
		var over <-chan time.Time // nil: there is no limit
		if limit > 0 {
			since := begun
			if told := time.Unix(0, m.told.Load()); told.After(since) {
				since = told
			}
			wait := time.Until(since.Add(limit))
			if wait <= 0 {
				return io.EOF
			}
			over = time.After(wait)
		}
		select {
		case <-over:
		case <-ctx.Done():
			return b.ended(ctx, m.c)
		case <-m.c.Lost():
			return cmp.Or(lostBy(m.c), io.EOF)
		}
	}
}

// lostBy is how a conversation ends whose connection is lost; nil if nothing was on its way to the peer.
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
	c    *duet.Conn
	told atomic.Int64 // when it was last sent something, in Unix nanoseconds
}
