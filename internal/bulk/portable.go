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
// counts, asks ctx, and tells the two sides' errors apart.
func portable(ctx context.Context, dst io.Writer, src io.Reader, m *meter) error {
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	for empty := 0; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := src.Read(buf[:])
		if n > 0 {
			empty = 0
			if err := deliver(dst, buf[:n], m); err != nil {
				return err
			}
		} else if empty++; err == nil && empty >= maxEmptyReads {
			err = io.ErrNoProgress
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &SideError{"read", err}
		}
	}
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
