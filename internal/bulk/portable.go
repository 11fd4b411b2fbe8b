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

// portable copies through a pooled buffer. It differs from io.Copy in that it
// counts, asks ctx, tells the two sides' errors apart, and holds no buffer
// while a connection is silent.
func portable(ctx context.Context, w, r *side, m *meter) error {
	for empty := 0; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.await != nil {
			if err := r.await(); err != nil {
				return &SideError{"read", err}
			}
		}
		n, err := step(w.writer, r.reader, m)
		if n > 0 {
			empty = 0
		} else if empty++; err == nil && empty >= maxEmptyReads {
			return &SideError{"read", io.ErrNoProgress}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// step makes one read and writes what it brought. Of its errors only io.EOF,
// which is src's, is no *SideError.
func step(dst io.Writer, src io.Reader, m *meter) (int, error) {
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	n, err := src.Read(buf[:])
	if n > 0 {
		if err := deliver(dst, buf[:n], m); err != nil {
			return n, err
		}
	}
	if err != nil && err != io.EOF {
		err = &SideError{"read", err}
	}
	return n, err
}

func deliver(dst io.Writer, p []byte, m *meter) error {
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
