//go:build !unix

package bulk

import (
	"context"
	"io"
	"os"
	"sync"
	"syscall"
)

// Stdin reads from a file of any kind. A Read that waits can be canceled. The read of the system cannot be ended here: it goes on in a
// goroutine, and the next Read of the same Stdin returns its bytes.
//
// One goroutine reads. Any goroutine may call Cancel and Close.
type Stdin struct {
	f        *os.File
	results  chan result
	canceled chan struct{} // closed by Cancel
	cancel   func()
	woken    chan struct{} // interrupt sends to it; capacity 1

	// Used by the goroutine that reads:
	buf     [64 << 10]byte
	reading bool   // a read of the system goes on
	rest    []byte // the part of buf that no Read has returned yet
	err     error  // of the last read
}

type result struct {
	n   int
	err error
}

// NewStdin returns a Stdin that reads f. The caller closes f.
func NewStdin(f *os.File) (*Stdin, error) {
	s := &Stdin{f: f, results: make(chan result, 1), canceled: make(chan struct{}), woken: make(chan struct{}, 1)}
	s.cancel = sync.OnceFunc(func() { close(s.canceled) })
	return s, nil
}

// Read waits for bytes and reads them. It returns io.EOF at the end, and ErrCanceled after Cancel, also if bytes wait.
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
		if !s.reading {
			s.reading = true
			go func() {
				n, err := s.f.Read(s.buf[:])
				s.results <- result{n, err}
			}()
		}
		select {
		case <-s.canceled:
			return 0, ErrCanceled
		case <-s.woken:
			s.interrupt()
			return 0, errInterrupted
		case r := <-s.results:
			s.reading = false
			s.rest, s.err = s.buf[:r.n], r.err
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// Cancel ends a Read that waits, and all later ones, with ErrCanceled.
func (s *Stdin) Cancel() { s.cancel() }

// Close cancels. The file stays open. A read of the system that goes on ends only when the file delivers or ends.
func (s *Stdin) Close() error {
	s.Cancel()
	return nil
}

// interrupt ends a Read that waits, and each that follows until resume. A Read that was woken calls it too, so neither blocks.
func (s *Stdin) interrupt() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

func (s *Stdin) resume() {
	select {
	case <-s.woken:
	default:
	}
}

// A descriptor is empty: the kernel copies nothing by itself here.
type descriptor struct{}

func openRead(src io.Reader) (*side, error) {
	if s, ok := src.(*Stdin); ok {
		return &side{reader: s, onInterrupt: s.interrupt, onResume: s.resume}, nil
	}
	return newReadSide(src), nil
}

func openWrite(dst io.Writer) (*side, error) { return newWriteSide(dst), nil }

// copyFast handles nothing here.
func copyFast(context.Context, *side, *side, *counter) (bool, error) { return false, nil }

// stream returns nothing: no socket can be read without waiting here.
func stream(any, bool) (raw syscall.RawConn, tcp bool, l loan) { return nil, false, loan{} }

// readOnce and writeOnce are never called.
func (r *SmallReader) readOnce(uintptr) bool  { return true }
func (r *SmallReader) writeOnce(uintptr) bool { return true }
