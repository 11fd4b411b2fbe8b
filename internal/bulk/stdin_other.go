//go:build !unix

package bulk

import (
	"io"
	"os"
	"sync"
)

// Stdin reads from a file of any kind in such a way that a blocked Read can be
// canceled. There is no way here to end the system's own read: it goes on in a
// goroutine, and what it brings is kept for the next Read of the same Stdin.
//
// One goroutine reads; any may call Cancel and Close.
type Stdin struct {
	f       *os.File
	results chan result
	buf     [64 << 10]byte
	busy    bool   // a read is under way; only the reading goroutine looks
	rest    []byte // of buf, read and not yet taken; likewise
	err     error  // likewise

	once     sync.Once
	canceled chan struct{}
	nudge    chan struct{} // holds one token while a Copy is being interrupted
}

type result struct {
	n   int
	err error
}

// NewStdin makes a Stdin of f, which stays the caller's to close.
func NewStdin(f *os.File) (*Stdin, error) {
	return &Stdin{
		f: f, results: make(chan result, 1),
		canceled: make(chan struct{}), nudge: make(chan struct{}, 1),
	}, nil
}

// Read waits until there is something to read, and reads it. It returns io.EOF
// at the end and ErrCanceled after Cancel, even where bytes are waiting.
func (s *Stdin) Read(p []byte) (int, error) {
	select {
	case <-s.canceled:
		return 0, ErrCanceled
	default:
	}
	if len(p) == 0 {
		return 0, nil
	}
	for len(s.rest) == 0 {
		if err := s.err; err != nil {
			return 0, err
		}
		if !s.busy {
			s.busy = true
			go func() {
				n, err := s.f.Read(s.buf[:])
				s.results <- result{n, err}
			}()
		}
		select {
		case <-s.canceled:
			return 0, ErrCanceled
		case <-s.nudge:
			s.interrupt()
			return 0, errInterrupted
		case r := <-s.results:
			s.busy = false
			s.rest, s.err = s.buf[:r.n], r.err
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// Cancel ends a blocked Read and all later ones with ErrCanceled.
func (s *Stdin) Cancel() { s.once.Do(func() { close(s.canceled) }) }

// Close cancels. The file stays open, and so does a read of it that is under
// way, until the file delivers or ends.
func (s *Stdin) Close() error {
	s.Cancel()
	return nil
}

// interrupt and resume may cross a Read that puts the token back, so neither
// blocks on the full or empty channel.
func (s *Stdin) interrupt() {
	select {
	case s.nudge <- struct{}{}:
	default:
	}
}

func (s *Stdin) resume() {
	select {
	case <-s.nudge:
	default:
	}
}

// descriptor is empty: the kernel copies nothing by itself here.
type descriptor struct{}

func openRead(src io.Reader) (*side, error) {
	if s, ok := src.(*Stdin); ok {
		return &side{reader: s, wake: s.interrupt, calm: s.resume}, nil
	}
	return plainRead(src), nil
}

func openWrite(dst io.Writer) (*side, error) { return plainWrite(dst), nil }
