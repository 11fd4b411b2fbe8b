package bulk

import "syscall"

// LittleMost is how much a Little reads at once.
const LittleMost = 16 << 10

// A Little copies from a connection what comes a little at a time, by reading and writing: for a few bytes that is one system
// call less than through a pipe and two copies that do not matter. While nothing comes it costs no more than its own few
// bytes: it has no buffer, waits for no context, and what stands on the stack across the wait is small, so that 2 KiB may do. To
// end a wait, set the connection's deadline.
//
// One goroutine uses it, while nobody else reads from the connection.
type Little struct {
	src   syscall.RawConn
	ready func(fd uintptr) bool // take, or give while there is a buffer; made once
	buf   *[bufferSize]byte     // only between Wait and Done
	n     int32
	sent  int32
	err   error
	owner lender // of src; nil if it was not lent
}

// NewLittle returns a Little that reads src, or nil if src is no plain connection of the system. The caller calls Close.
func NewLittle(src any) *Little {
	l := new(Little)
	if !l.Init(src) {
		return nil
	}
	return l
}

// Init makes the zero Little read src. It returns false if src is no plain connection of the system. The caller calls Close.
func (l *Little) Init(src any) bool {
	raw, _, loan := stream(src, true)
	l.start(raw)
	l.owner = loan.lender
	return raw != nil
}

// Close ends the use of the connection, and leaves it open.
func (l *Little) Close() {
	if l.owner != nil {
		l.owner.GiveBack(true)
	}
}

func newLittle(src syscall.RawConn) *Little {
	l := new(Little)
	l.start(src)
	return l
}

func (l *Little) start(src syscall.RawConn) {
	l.src, l.ready = src, l.use
}

func (l *Little) use(fd uintptr) bool {
	if l.buf != nil {
		return l.give(fd)
	}
	return l.take(fd)
}

// Source returns what Init was given, if that has lent its socket; otherwise nil.
func (l *Little) Source() any { return l.owner }

// moved reports n bytes to the owner.
func (l *Little) moved(in bool, n int32) {
	if l.owner != nil {
		l.owner.Moved(in, int64(n))
	}
}

// Wait waits until something has come, or nothing will: Got tells.
func (l *Little) Wait() {
	l.n, l.err = 0, nil
	if err := l.src.Read(l.ready); err != nil {
		l.err = err
	}
	l.moved(true, l.n)
}

// Got gives what the last Wait has found, until Done; nothing at the end of src. Where it is LittleMost, much may be coming.
func (l *Little) Got() ([]byte, error) {
	if l.buf == nil {
		return nil, l.err
	}
	return l.buf[:l.n], l.err
}

// Return writes what Got gives back to where it came from, as far as there is room now; it never waits.
func (l *Little) Return() (n int, err error) {
	l.sent = 0
	if err := l.src.Write(l.ready); err != nil && l.err == nil {
		l.err = err
	}
	l.moved(false, l.sent)
	if l.err != nil {
		return int(l.sent), &SideError{"write", l.err}
	}
	return int(l.sent), nil
}

// Done gives the buffer back.
func (l *Little) Done() {
	if l.buf != nil {
		buffers.Put(l.buf)
		l.buf = nil
	}
}
