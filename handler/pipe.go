package handler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"duet.example/duet"
	"duet.example/duet/internal/bulk"
)

// DefaultHalfOpen is how long a Pipe's input may be silent after the peer has finished.
const DefaultHalfOpen = time.Second

var (
	errBusy   = errors.New("another conversation has the input and the output")
	errSilent = errors.New("the peer has finished and the input is silent")
	// errUnheard ends a conversation whose peer cannot be told that the input is at its end.
	errUnheard = errors.New("the input has ended and the peer is silent")
)

// Pipe passes exact bytes both ways between In and the peer and the peer and Out: pipe mode. It adds nothing of
// its own. [C-10]
//
// Half-close: the end of In is FIN, and the peer's answer is read to its end. After the peer's FIN it goes on while In
// delivers. On a connection that cannot be half-closed, the end of In sends nothing. The peer's answer is read to its end, or until it is
// silent for HalfOpen; then the conversation is `closed`.
//
// Endings: `peer-closed` (io.EOF) when both have finished, or the peer has and In is silent for HalfOpen. `reset`
// where the connection was cut, or the peer was gone before it had all of In's bytes. `closed` when
// the reader of Out has gone or ctx ended; the error wraps the cause. `handler-failed` when In or Out fails in another way; `idle`,
// `slow-peer`, `shutdown`, `kicked`.
//
// One conversation has In and Out at a time; another one meanwhile is `refused`. One after another may: In goes on where it
// was, and at its end stays there. ServeConn returns when neither is in use any more. In and Out stay open.
//
// The zero Pipe finishes sending at once and throws away what comes.
type Pipe struct {
	// In is what the peer gets. An *os.File and what has SetReadDeadline (a net.Conn) can be left while
	// they are silent; for another Reader ServeConn has to wait until its Read returns. nil is at its end.
	In io.Reader
	// Out gets what the peer says. Like In, if it has to be left while it takes nothing: an *os.File, or what has
	// SetWriteDeadline. nil throws it away.
	Out io.Writer
	// HalfOpen is how long In may be silent after the peer's FIN, and the peer after the end of In if it cannot be told of
	// that. Zero is DefaultHalfOpen; below zero for ever.
	HalfOpen time.Duration
	// Idle ends a conversation in which nothing was received for so long. Zero: never.
	Idle time.Duration
	// Send ends a conversation whose peer takes nothing of In for so long, as `slow-peer`. Zero is
	// duet.DefaultSendTimeout; below zero never.
	Send time.Duration

	busy sync.Mutex
}

var _ duet.Handler = (*Pipe)(nil)

// ServeConn passes bytes until both sides have finished.
func (p *Pipe) ServeConn(ctx context.Context, c *duet.Conn) error {
	if !p.busy.TryLock() {
		return failure(c, "pipe", duet.EndRefused, errBusy)
	}
	defer p.busy.Unlock()
	in, release, err := p.input()
	if err != nil {
		return failure(c, "pipe", duet.EndHandlerFailed, fmt.Errorf("input: %w", err))
	}
	defer release()
	f, err := takeOver(ctx, c, p.Idle, p.Send)
	if err != nil {
		return err
	}
	defer f.stop()
	fin := make(chan struct{}) // closed when the peer has finished
	up := make(chan error, 1)
	go func() { up <- p.upload(f, in, fin) }()
	p.download(f, fin)
	cut := <-up
	why := f.cause(nil)
	switch {
	case errors.Is(why, errUnheard):
		return nil
	case why != nil && !errors.Is(why, errSilent):
		if duet.ReasonOf(why) == duet.EndHandlerFailed {
			f.raw.Reset()
		}
		return why
	case cut != nil:
		return cut
	}
	if err := f.lost(errors.Is(why, errSilent)); err != nil {
		return err
	}
	return io.EOF
}

// upload sends In and half-closes. Its error is that the peer did not take all of it.
func (p *Pipe) upload(f *flow, in io.Reader, fin <-chan struct{}) error {
	_, err := bulk.Copy(f.ctx, f.conn, in, f.noteSent)
	if err == nil {
		select {
		case <-fin:
			f.awaitDelivery() // what a peer that is gone refuses comes back as a reset
			err = f.lost(true)
		default:
		}
		if err == nil {
			err = f.raw.CloseWrite()
		}
	}
	if err == nil && !f.raw.CanHalfClose() && !isClosed(fin) {
		f.setSilence(silence{limit: p.halfOpen(), received: true, cause: errUnheard})
	}
	switch {
	case err == nil, f.ctx.Err() != nil:
		return nil
	case failedSide(err) == "read":
		f.cancel(failure(f.c, "pipe", duet.EndHandlerFailed, fmt.Errorf("input: %w", err)))
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		f.cancel(f.peerError(err))
		return nil
	}
	err = f.peerError(err)
	// What the peer had said before it went can still be read, and ends soon.
	f.setSilence(silence{limit: duet.DefaultCloseTimeout, received: true, cause: err})
	return err
}

// download gives Out what the peer says.
func (p *Pipe) download(f *flow, fin chan<- struct{}) {
	var out io.Writer = io.Discard
	if p.Out != nil {
		out = p.Out
	}
	_, err := bulk.Copy(f.ctx, out, f.conn, f.noteReceived)
	switch {
	case err == nil:
		f.setSilence(silence{limit: p.halfOpen(), cause: errSilent})
		close(fin)
	case f.ctx.Err() != nil:
	case failedSide(err) == "write":
		why := duet.EndHandlerFailed
		if errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed) || errors.Is(err, io.ErrClosedPipe) {
			why = duet.EndClosed
		}
		f.cancel(failure(f.c, "pipe", why, fmt.Errorf("output: %w", err)))
	default:
		f.cancel(f.peerError(err))
	}
}

// halfOpen is HalfOpen, or its default.
func (p *Pipe) halfOpen() time.Duration { return cmp.Or(p.HalfOpen, DefaultHalfOpen) }

// input is In in a form whose reading can be ended.
func (p *Pipe) input() (in io.Reader, release func(), err error) {
	switch v := p.In.(type) {
	case nil:
		return eof{}, func() {}, nil
	case *os.File:
		s, err := bulk.NewStdin(v)
		if err != nil {
			return nil, nil, err
		}
		return s, func() { _ = s.Close() }, nil
	}
	return p.In, func() {}, nil
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }
