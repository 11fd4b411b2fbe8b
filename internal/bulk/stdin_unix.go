//go:build unix

package bulk

import (
	"errors"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Stdin reads from a file of any kind: a terminal, pipe, FIFO, socket or regular file. A Read that waits can be canceled. Stdin never changes
// the flags of the descriptor, because other processes may share it. It keeps no bytes: the next reader of the file gets all that Read has
// not returned.
//
// One goroutine reads. Any goroutine may call Cancel and Close.
type Stdin struct {
	desc     *descriptor
	canceled atomic.Bool
}

// NewStdin returns a Stdin that reads f. The caller closes f.
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

// Read waits for bytes and reads them. It returns io.EOF at the end, and ErrCanceled after Cancel, also if bytes wait.
func (s *Stdin) Read(p []byte) (int, error) {
	n, err := s.desc.Read(p)
	if err != nil && s.canceled.Load() && (errors.Is(err, errInterrupted) || errors.Is(err, os.ErrClosed)) {
		return n, ErrCanceled
	}
	return n, err
}

// Cancel ends a Read that waits, and all later ones, with ErrCanceled.
func (s *Stdin) Cancel() {
	if !s.canceled.Swap(true) {
		s.desc.waker.raise()
	}
}

// Close cancels, waits until a Read has returned, and frees the resources of the Stdin. The file stays open. It may be called more than once.
func (s *Stdin) Close() error {
	s.Cancel()
	s.desc.waker.close()
	return nil
}
