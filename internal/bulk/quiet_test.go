//go:build unix

package bulk_test

import (
	"context"
	"crypto/sha256"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// TestTailsArrive sends bursts of odd lengths over a connection that stays open. Each has to arrive whole within a second.
func TestTailsArrive(t *testing.T) {
	for _, to := range []string{"blocking-pipe", "tcp"} {
		t.Run(to, func(t *testing.T) {
			src, sink := newSource(t, "stdin-pipe", nil), newSink(t, to)
			a, b := sockets(t, "tcp")
			ctx, cancel := context.WithCancel(t.Context())
			up := start(ctx, a, src.r, nil)
			down := start(ctx, sink.w, b, nil)
			data := randomBytes(4, 8<<20)
			got := make([]byte, len(data))
			out := sink.out()
			for round := range 25 {
				burst := data[:4<<20+7919*round+1]
				begin := time.Now()
				arrived := make(chan error, 1)
				go func() {
					_, err := io.ReadFull(out, got[:len(burst)])
					arrived <- err
				}()
				if _, err := src.feed.Write(burst); err != nil {
					t.Fatal(err)
				}
				sent := time.Since(begin)
				select {
				case err := <-arrived:
					must(t, err)
				case <-time.After(time.Second):
					t.Fatalf("round %d: the tail has not arrived", round)
				}
				if sha256.Sum256(got[:len(burst)]) != sha256.Sum256(burst) {
					t.Fatalf("round %d: what arrived is not what was sent", round)
				}
				t.Logf("round %d: sent in %v, arrived %v later", round, sent, time.Since(begin)-sent)
			}
			cancelAndAwait(t, cancel, up)
			cancelAndAwait(t, cancel, down)
		})
	}
}

// TestIdleUsesNoCPU: copies from silent sources and to full destinations use no CPU time.
func TestIdleUsesNoCPU(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var copies []chan outcome
	for _, from := range []string{"pipe", "stdin-pipe", "tcp", "stdin-socket", "memory"} {
		for _, to := range []string{"null", "blocking-pipe", "tcp"} {
			src, dst := newSource(t, from, nil), newSink(t, to)
			if dst.out != nil {
				go io.Copy(io.Discard, dst.out())
				defer dst.finish()
			}
			moved := make(chan int64, 100)
			copies = append(copies, start(ctx, dst.w, src.r, func(n int64) { moved <- n }))
			if _, err := src.feed.Write(make([]byte, 3000)); err != nil {
				t.Fatal(err)
			}
			for left := int64(3000); left > 0; {
				left -= <-moved
			}
		}
	}
	for _, to := range []string{"blocking-pipe", "pipe", "tcp"} {
		src, dst := newSource(t, "file", make([]byte, 32<<20)), newSink(t, to)
		copies = append(copies, start(ctx, dst.w, src.r, nil))
	}
	// The source goes on while the destination is full, so that EAGAIN may mean either side.
	full, feeder := newSource(t, "tcp", nil), make(chan struct{})
	copies = append(copies, start(ctx, newSink(t, "blocking-pipe").w, full.r, nil))
	go func() {
		defer close(feeder)
		full.feed.Write(make([]byte, 32<<20))
	}()
	defer func() { full.feed.(net.Conn).Close(); <-feeder }()

	runtime.GC()
	var used time.Duration
	for range 20 { // until the pipes are full
		if used = cpu(300 * time.Millisecond); used < 5*time.Millisecond {
			break
		}
	}
	if used >= 5*time.Millisecond {
		t.Errorf("%d waiting copies used %v in 300 ms", len(copies), used)
	}
	cancel()
	for _, done := range copies {
		await(t, done)
	}
}

func cpu(d time.Duration) time.Duration {
	spent := func() time.Duration {
		var u syscall.Rusage
		if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
			return 0
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := spent()
	time.Sleep(d)
	return spent() - before
}
