package duettest

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// stream is one direction of a pipe: the bytes that one end has written and the other has not read.
//
// It waits only on a sync.Cond. A goroutine that waits for a sync.Mutex is not durably blocked for testing/synctest. So the right
// to write is a flag under mu, not a second mutex.
type stream struct {
	limit int

	mu      sync.Mutex // guards the fields below
	changed sync.Cond  // on mu; signalled at each change of the fields below

	ring []byte // grows up to limit
	head int    // the index of the oldest byte
	size int    // the number of bytes in ring

	writing   bool // a Write is under way
	writeShut bool // the writer has half-closed: the reader gets io.EOF after the last byte
	readShut  bool // the reader has half-closed: bytes that are written are dropped
	wasReset  bool // both sides fail

	readerClosed, writerClosed bool
	readerGone                 chan struct{} // closed with readerClosed

	readDeadline, writeDeadline deadline
}

func newStream(limit int) *stream {
	s := &stream{limit: limit, readerGone: make(chan struct{})}
	s.changed.L = &s.mu
	return s
}

// deadline is guarded by its stream's mu.
type deadline struct {
	passed bool
	timer  *time.Timer
	number uint64 // counts the deadlines: a timer that fired before it was stopped finds another number
}

func (s *stream) setDeadline(d *deadline, t time.Time) {
	d.number++
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
	number := d.number
	d.timer = time.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if d.number == number {
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

// awaitRead waits until a read would not wait. Its error is that of the deadline or of a closed end.
func (s *stream) awaitRead() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.readerClosed:
			return net.ErrClosed
		case s.readDeadline.passed:
			return os.ErrDeadlineExceeded
		case s.size > 0, s.wasReset, s.writeShut, s.readShut:
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
			n := s.get(b)
			s.changed.Broadcast()
			return n, nil
		case s.wasReset:
			return 0, os.NewSyscallError("read", syscall.ECONNRESET)
		case s.writeShut, s.readShut:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

// write returns the number of bytes of b that are in the buffer. If it is less than len(b), there is an error.
func (s *stream) write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.writing {
		if err := s.writeError(); err != nil {
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
		if err := s.writeError(); err != nil {
			return done, err
		}
		if s.readShut {
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

// writeError returns the reason why no bytes can be written, or nil. The caller holds mu.
func (s *stream) writeError() error {
	switch {
	case s.writerClosed:
		return net.ErrClosed
	case s.writeDeadline.passed:
		return os.ErrDeadlineExceeded
	case s.wasReset:
		return os.NewSyscallError("write", syscall.ECONNRESET)
	case s.writeShut, s.readerClosed:
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

func (s *stream) get(b []byte) int {
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
	s.writeShut = true
	s.changed.Broadcast()
	return nil
}

func (s *stream) closeRead() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readerClosed {
		return net.ErrClosed
	}
	s.readShut = true
	s.drop()
	s.changed.Broadcast()
	return nil
}

// drop drops all bytes. The caller holds mu.
func (s *stream) drop() {
	s.ring, s.head, s.size = nil, 0, 0
}

// closeReader is the reader's part of Close. Only its first call returns true. If reset is true, the writer sees a reset from the
// same moment on.
func (s *stream) closeReader(reset bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readerClosed {
		return false
	}
	s.wasReset = s.wasReset || reset
	s.setDeadline(&s.readDeadline, time.Time{})
	s.readerClosed = true
	close(s.readerGone)
	s.drop()
	s.changed.Broadcast()
	return true
}

// closeWriter is the writer's part of Close.
func (s *stream) closeWriter() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setDeadline(&s.writeDeadline, time.Time{})
	s.writerClosed, s.writeShut = true, true
	s.changed.Broadcast()
}

// reset makes both sides fail with ECONNRESET, the reader after the bytes that have arrived. Linux does the same.
func (s *stream) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wasReset = true
	s.changed.Broadcast()
}
