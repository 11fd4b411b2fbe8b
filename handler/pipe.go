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

// DefaultHalfOpen is the time for which the input of a Pipe, or the program of a Shared, may be silent after the peer has finished.
const DefaultHalfOpen = time.Second

var (
	errBusy   = errors.New("another conversation has the input and the output")
	errSilent = errors.New("the peer has finished and the input is silent")
	// errUnheard ends a conversation whose connection cannot be half-closed at the end of the input.
	errUnheard = errors.New("the input has ended and the peer is silent")
)

// Pipe copies exact bytes from In to the peer and from the peer to Out: pipe mode. It adds nothing of its own.
//
// The end of In is sent as FIN, and the peer's answer is read to its end. After the peer's FIN, the conversation goes on while In delivers.
// On a connection that cannot be half-closed, nothing is sent at the end of In. The peer's answer is read to its end then, or until the
// peer is silent for HalfOpen, which ends the conversation as `closed`.
//
// Endings: `peer-closed` (io.EOF) if both have finished, or the peer has and In is silent for HalfOpen. `reset` if the connection was cut, or
// the peer had gone before it had all bytes of In. `closed` if the reader of Out has gone or ctx ended; the error wraps the cause.
// `handler-failed` if In or Out fails in another way. `refused` if another conversation has In and Out. `idle`, `slow-peer`.
//
// One conversation at a time has In and Out. The next one goes on where the last one left In. ServeConn returns when it uses neither any
// more. It closes neither.
//
// The zero Pipe finishes sending at once and throws away what it receives.
type Pipe struct {
	// In is the source of the bytes for the peer. ServeConn can leave an *os.File, and a Reader with SetReadDeadline such as a net.Conn,
	// while it is silent. For any other Reader it waits until Read returns. nil: there are no bytes.
	In io.Reader
	// Out gets the bytes of the peer. ServeConn can leave an *os.File, and a Writer with SetWriteDeadline, while it takes nothing. nil
	// throws the bytes away.
	Out io.Writer
	// HalfOpen is the time for which In may be silent after the peer's FIN, and the peer after the end of In on a connection that cannot
	// be half-closed. Zero is DefaultHalfOpen; below zero there is no limit.
	HalfOpen time.Duration
	// Idle is the time after which a conversation ends if nothing is received. Zero: none.
	Idle time.Duration
	// Send is the time after which a conversation ends, as `slow-peer`, if the peer takes nothing of what waits for it. Zero is
	// duet.DefaultSendTimeout; below zero there is no limit.
	Send time.Duration

	busy sync.Mutex
}

var _ duet.Handler = (*Pipe)(nil)

// ServeConn copies until both sides have finished.
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

// upload sends In and half-closes. Its error says that the peer did not take all of it.
func (p *Pipe) upload(f *flow, in io.Reader, fin <-chan struct{}) error {
	_, err := bulk.Copy(f.ctx, f.conn, in, f.noteSent)
	if err == nil {
		select {
		case <-fin:
			f.awaitDelivery() // a peer that has gone refuses the bytes with a reset
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
	// The bytes that the peer had sent before it went can still be read, and end soon.
	f.setSilence(silence{limit: duet.DefaultCloseTimeout, received: true, cause: err})
	return err
}

// download copies from the peer to Out.
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

// halfOpen returns HalfOpen or its default.
func (p *Pipe) halfOpen() time.Duration { return cmp.Or(p.HalfOpen, DefaultHalfOpen) }

// input returns In in a form whose Read can be ended, if there is one.
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
