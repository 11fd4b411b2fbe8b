package duettest

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// stream is one direction of a pipe: bytes that one end has written and the other has not read.
//
// It waits on a sync.Cond only: a goroutine that waits for a sync.Mutex is not durably blocked for
// testing/synctest, so the turn to write is a flag under the lock and not a second mutex.
type stream struct {
	limit int

	mu      sync.Mutex
	changed sync.Cond // on mu; whatever follows has changed

	ring []byte // grows up to limit
	head int    // where the oldest byte is
	size int    // how many bytes are there

	writing  bool // a Write is under way
	finished bool // the writer has half-closed: io.EOF after the last byte
	deaf     bool // the reader has half-closed: what is written is thrown away
	aborted  bool // reset: both sides fail

	readerClosed, writerClosed bool
	unread                     chan struct{} // closed with readerClosed

	readDeadline, writeDeadline deadline
}

func newStream(limit int) *stream {
	s := &stream{limit: limit, unread: make(chan struct{})}
	s.changed.L = &s.mu
	return s
}

// deadline is guarded by its stream's mu.
type deadline struct {
	passed bool
	timer  *time.Timer
	set    uint64 // tells the callback of a timer that could not be stopped in time from the present one
}

func (s *stream) setDeadline(d *deadline, t time.Time) {
	d.set++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.passed = false
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.passed = true
		s.changed.Broadcast()
		return
	}
	set := d.set
	d.timer = time.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if d.set == set {
			d.passed = true
			s.changed.Broadcast()
		}
	})
}

func (s *stream) setReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readerClosed {
		return net.ErrClosed
	}
	s.setDeadline(&s.readDeadline, t)
	return nil
}

func (s *stream) setWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writerClosed {
		return net.ErrClosed
	}
	s.setDeadline(&s.writeDeadline, t)
	return nil
}

// awaitRead returns when a read would return without waiting, with the error that the deadline or the end gives.
func (s *stream) awaitRead() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.readerClosed:
			return net.ErrClosed
		case s.readDeadline.passed:
			return os.ErrDeadlineExceeded
		case s.size > 0, s.aborted, s.finished, s.deaf:
			return nil
		}
		s.changed.Wait()
	}
}

func (s *stream) read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.readerClosed:
			return 0, net.ErrClosed
		case len(b) == 0:
			return 0, nil
		case s.readDeadline.passed:
			return 0, os.ErrDeadlineExceeded
		case s.size > 0:
			n := s.take(b)
			s.changed.Broadcast()
			return n, nil
		case s.aborted:
			return 0, os.NewSyscallError("read", syscall.ECONNRESET)
		case s.finished, s.deaf:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

// write returns how much of b is in the buffer; it is less than len(b) only with an error.
func (s *stream) write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.writing {
		if err := s.writable(); err != nil {
			return 0, err
		}
		s.changed.Wait()
	}
	s.writing = true
	defer func() {
		s.writing = false
		s.changed.Broadcast()
	}()
	done := 0
	for {
		if err := s.writable(); err != nil {
			return done, err
		}
		if s.deaf {
			return len(b), nil
		}
		if n := s.put(b[done:]); n > 0 {
			done += n
			s.changed.Broadcast()
		}
		if done == len(b) {
			return done, nil
		}
		s.changed.Wait()
	}
}

// writable says why nothing can be written; the caller holds mu.
func (s *stream) writable() error {
	switch {
	case s.writerClosed:
		return net.ErrClosed
	case s.writeDeadline.passed:
		return os.ErrDeadlineExceeded
	case s.aborted:
		return os.NewSyscallError("write", syscall.ECONNRESET)
	case s.finished, s.readerClosed:
		return os.NewSyscallError("write", syscall.EPIPE)
	}
	return nil
}

func (s *stream) put(b []byte) int {
	b = b[:min(len(b), s.limit-s.size)]
	if s.size+len(b) > len(s.ring) {
		ring := make([]byte, min(s.limit, max(512, 2*(s.size+len(b)))))
		n := copy(ring, s.ring[s.head:min(s.head+s.size, len(s.ring))])
		copy(ring[n:], s.ring[:s.size-n])
		s.ring, s.head = ring, 0
	}
	if len(b) == 0 {
		return 0
	}
	n := copy(s.ring[(s.head+s.size)%len(s.ring):], b)
	copy(s.ring, b[n:])
	s.size += len(b)
	return len(b)
}

func (s *stream) take(b []byte) int {
	b = b[:min(len(b), s.size)]
	n := copy(b, s.ring[s.head:])
	copy(b[n:], s.ring)
	s.head = (s.head + len(b)) % len(s.ring)
	s.size -= len(b)
	return len(b)
}

func (s *stream) closeWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writerClosed {
		return net.ErrClosed
	}
	s.finished = true
	s.changed.Broadcast()
	return nil
}

func (s *stream) closeRead() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readerClosed {
		return net.ErrClosed
	}
	s.deaf = true
	s.drop()
	s.changed.Broadcast()
	return nil
}

// drop forgets what is buffered; the caller holds mu.
func (s *stream) drop() {
	s.ring, s.head, s.size = nil, 0, 0
}

// closeReader and closeWriter are one Close of an end. The first call of closeReader returns true. With reset, the writer sees a reset from
// the same moment on.
func (s *stream) closeReader(reset bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readerClosed {
		return false
	}
	s.aborted = s.aborted || reset
	s.setDeadline(&s.readDeadline, time.Time{})
	s.readerClosed = true
	close(s.unread)
	s.drop()
	s.changed.Broadcast()
	return true
}

func (s *stream) closeWriter() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setDeadline(&s.writeDeadline, time.Time{})
	s.writerClosed, s.finished = true, true
	s.changed.Broadcast()
}

// abort makes both sides fail with ECONNRESET, the reader after what has arrived: so does Linux.
func (s *stream) abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aborted = true
	s.changed.Broadcast()
}
