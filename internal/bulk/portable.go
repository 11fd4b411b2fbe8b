package bulk

import (
	"context"
	"io"
	"sync"
)

const (
	bufferSize    = 128 << 10
	maxEmptyReads = 100
)

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// copyPortable copies through a pooled buffer. Unlike io.Copy it counts, asks ctx, says which side has failed, and holds no buffer while a
// connection is silent.
func copyPortable(ctx context.Context, w, r *side, m *counter) error {
	for empty := 0; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.await != nil {
			if err := r.await(); err != nil {
				return &SideError{"read", err}
			}
		}
		n, end, err := copyOnce(w.writer, r.reader, m)
		if end || err != nil {
			return err
		}
		if n > 0 {
			empty = 0
		} else if empty++; empty >= maxEmptyReads {
			return &SideError{"read", io.ErrNoProgress}
		}
	}
}

// copyOnce makes one read and writes its n bytes. end is true at the end of src.
func copyOnce(dst io.Writer, src io.Reader, m *counter) (n int, end bool, err error) {
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	n, rerr := src.Read(buf[:])
	if n > 0 {
		if err := deliver(dst, buf[:n], m); err != nil {
			return n, false, err
		}
	}
	if rerr == io.EOF {
		return n, true, nil
	}
	if rerr != nil {
		return n, false, &SideError{"read", rerr}
	}
	return n, false, nil
}

// deliver writes all of p and counts it.
func deliver(dst io.Writer, p []byte, m *counter) error {
	n, err := dst.Write(p)
	m.add(n)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return &SideError{"write", err}
	}
	return nil
}
