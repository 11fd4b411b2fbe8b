//go:build unix

package bulk_test

import (
	"context"
	"io"
	"os"
	"testing"

	"duet.example/duet/internal/bulk"
)

// BenchmarkPipeTCPPipe is pipe mode at both ends of one connection. Its part "plain" hides the descriptors and so measures the portable path.
func BenchmarkPipeTCPPipe(b *testing.B) {
	type plainReader struct{ io.Reader }
	type plainWriter struct{ io.Writer }
	b.Run("copy", func(b *testing.B) {
		pipeTCPPipe(b, bulk.Copy)
	})
	b.Run("plain", func(b *testing.B) {
		pipeTCPPipe(b, func(ctx context.Context, dst io.Writer, src io.Reader, _ func(int64)) (int64, error) {
			return bulk.Copy(ctx, plainWriter{dst}, plainReader{src}, nil)
		})
	})
	b.Run("io.Copy", func(b *testing.B) {
		pipeTCPPipe(b, func(_ context.Context, dst io.Writer, src io.Reader, _ func(int64)) (int64, error) {
			return io.Copy(dst, src)
		})
	})
}

func pipeTCPPipe(b *testing.B, copyFunc func(context.Context, io.Writer, io.Reader, func(int64)) (int64, error)) {
	const size = 256 << 10
	in, feed := blockingPipe(b)
	drain, out := blockingPipe(b)
	c, d := sockets(b, "tcp")
	done := make(chan error, 2)
	b.SetBytes(size)
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		_, err := copyFunc(b.Context(), c, in, nil)
		c.Close()
		done <- err
	}()
	go func() {
		_, err := copyFunc(b.Context(), out, d, nil)
		out.Close()
		done <- err
	}()
	go func() {
		block := make([]byte, size)
		for range b.N {
			if _, err := feed.Write(block); err != nil {
				break
			}
		}
		feed.Close()
	}()
	buf, total := make([]byte, size), 0
	for {
		n, err := drain.Read(buf)
		if total += n; err != nil {
			break
		}
	}
	b.StopTimer()
	for range 2 {
		must(b, <-done)
	}
	if total != size*b.N {
		b.Fatalf("%d bytes arrived, want %d", total, size*b.N)
	}
}

// BenchmarkFileTCPNull sends a file that the other end discards.
func BenchmarkFileTCPNull(b *testing.B) {
	const size = 64 << 20
	name := b.TempDir() + "/file"
	must(b, os.WriteFile(name, make([]byte, size), 0o600))
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		f := get(os.Open(name))(b)
		null := get(os.OpenFile(os.DevNull, os.O_WRONLY, 0))(b)
		c, d := sockets(b, "tcp")
		done := make(chan error, 1)
		go func() {
			_, err := bulk.Copy(b.Context(), c, f, nil)
			c.Close()
			done <- err
		}()
		n, err := bulk.Copy(b.Context(), null, d, nil)
		must(b, err)
		must(b, <-done)
		if n != size {
			b.Fatalf("%d bytes arrived, want %d", n, size)
		}
		must(b, f.Close())
		must(b, null.Close())
	}
}
