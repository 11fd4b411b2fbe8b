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
	src      syscall.RawConn
	readFn   func(fd uintptr) bool // readOnce
	writeFn  func(fd uintptr) bool // writeOnce; nil before the first WriteBack
	buf      *[bufferSize]byte     // nil except between Wait and Done
	n        int32                 // bytes read
	written  int32                 // bytes written back
	err      error
	giveBack func() // ends the loan of src; may be nil
}

// NewSmallReader returns a SmallReader of src. It returns nil if src is no plain connection of the system. The caller calls Close.
func NewSmallReader(src any) *SmallReader {
	raw, giveBack := stream(src)
	if raw == nil {
		return nil
	}
	r := newSmallReader(raw)
	r.giveBack = giveBack
	return r
}

// Close ends the use of the connection. The connection stays open.
func (r *SmallReader) Close() { call(r.giveBack) }

func newSmallReader(src syscall.RawConn) *SmallReader {
	r := &SmallReader{src: src}
	r.readFn = r.readOnce
	return r
}

// Wait waits for bytes, the end, or an error. Got returns them.
func (r *SmallReader) Wait() {
	r.n, r.err = 0, nil
	if err := r.src.Read(r.readFn); err != nil {
		r.err = err
	}
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
	if r.writeFn == nil {
		r.writeFn = r.writeOnce
	}
	r.written = 0
	if err := r.src.Write(r.writeFn); err != nil && r.err == nil {
		r.err = err
	}
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
