package bulk

import "syscall"

// SmallReadSize is the most that a [SmallReader] reads at once.
const SmallReadSize = 16 << 10

// A SmallReader reads a connection while little comes at a time. To read and write a few bytes takes one system call less than to splice them
// through a pipe, and two copies of them do not matter. While the connection is silent, it holds no buffer, and a stack of 2 KiB is
// enough for the goroutine that waits. The deadline of the connection ends a wait.
//
// One goroutine uses it. Nobody else reads from the connection meanwhile.
type SmallReader struct {
	src     syscall.RawConn
	useFn   func(fd uintptr) bool // use; one func value serves Wait and WriteBack
	buf     *[bufferSize]byte     // nil except between Wait and Done
	n       int32                 // bytes read
	written int32                 // bytes written back
	err     error
	owner   lender // of src; nil if it was not lent
}

// NewSmallReader returns a SmallReader of src. It returns nil if src is no plain connection of the system. The caller calls Close.
func NewSmallReader(src any) *SmallReader {
	r := new(SmallReader)
	if !r.Init(src) {
		return nil
	}
	return r
}

// Init makes the zero SmallReader read src. It returns false if src is no plain connection of the system. The caller calls Close.
func (r *SmallReader) Init(src any) bool {
	raw, _, loan := stream(src, true)
	r.start(raw)
	r.owner = loan.lender
	return raw != nil
}

// Close ends the use of the connection. The connection stays open.
func (r *SmallReader) Close() {
	if r.owner != nil {
		r.owner.GiveBack(true)
	}
}

func newSmallReader(src syscall.RawConn) *SmallReader {
	r := new(SmallReader)
	r.start(src)
	return r
}

func (r *SmallReader) start(src syscall.RawConn) { r.src, r.useFn = src, r.use }

// use writes while there is a buffer, and reads otherwise.
func (r *SmallReader) use(fd uintptr) bool {
	if r.buf != nil {
		return r.writeOnce(fd)
	}
	return r.readOnce(fd)
}

// Source returns the argument of Init, if that has lent its socket; otherwise nil.
func (r *SmallReader) Source() any { return r.owner }

// moved reports n bytes to the owner.
func (r *SmallReader) moved(in bool, n int32) {
	if r.owner != nil {
		r.owner.Moved(in, int64(n))
	}
}

// Wait waits for bytes, the end, or an error. Got returns them.
func (r *SmallReader) Wait() {
	r.n, r.err = 0, nil
	if err := r.src.Read(r.useFn); err != nil {
		r.err = err
	}
	r.moved(true, r.n)
}

// Got returns what the last Wait has found, without bytes and without an error at the end of the connection. The bytes are valid until Done. After
// SmallReadSize bytes, much more may be there.
func (r *SmallReader) Got() ([]byte, error) {
	if r.buf == nil {
		return nil, r.err
	}
	return r.buf[:r.n], r.err
}

// WriteBack writes the bytes of Got to the connection, as far as there is room now. It never waits.
func (r *SmallReader) WriteBack() (n int, err error) {
	r.written = 0
	if err := r.src.Write(r.useFn); err != nil && r.err == nil {
		r.err = err
	}
	r.moved(false, r.written)
	if r.err != nil {
		return int(r.written), &SideError{"write", r.err}
	}
	return int(r.written), nil
}

// Done frees the buffer.
func (r *SmallReader) Done() {
	if r.buf != nil {
		buffers.Put(r.buf)
		r.buf = nil
	}
}
