//go:build unix

package bulk

import (
	"errors"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Stdin reads from a file of any kind (terminal, pipe, FIFO, socket, regular
// file) in such a way that a blocked Read can be canceled. It never changes
// the descriptor's flags, for they belong to everybody who shares it, and it
// keeps no bytes: what was not read stays for the next reader of the file.
//
// One goroutine reads; any may call Cancel and Close.
type Stdin struct {
	desc     *descriptor
	canceled atomic.Bool
}

// NewStdin makes a Stdin of f, which stays the caller's to close.
func NewStdin(f *os.File) (*Stdin, error) {
	d, _, err := inspect(f, unix.POLLIN)
	if err != nil {
		return nil, err
	}
	if d.waker, err = newWaker(); err != nil {
		return nil, err
	}
	s := &Stdin{desc: d}
	d.canceled = &s.canceled
	return s, nil
}

// Read waits until there is something to read, and reads it. It returns io.EOF
// at the end and ErrCanceled after Cancel, even where bytes are waiting.
func (s *Stdin) Read(p []byte) (int, error) {
	n, err := s.desc.Read(p)
	if err != nil && s.canceled.Load() && (errors.Is(err, errInterrupted) || errors.Is(err, os.ErrClosed)) {
		return n, ErrCanceled
	}
	return n, err
}

// Cancel ends a blocked Read and all later ones with ErrCanceled.
func (s *Stdin) Cancel() {
	if !s.canceled.Swap(true) {
		s.desc.waker.raise()
	}
}

// Close cancels, waits for a Read to leave, and frees what NewStdin took. The
// file stays open. It may be called more than once.
func (s *Stdin) Close() error {
	s.Cancel()
	s.desc.waker.close()
	return nil
}
