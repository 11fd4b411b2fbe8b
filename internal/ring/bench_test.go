package ring_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"duet.example/duet/internal/ring"
)

// BenchmarkAppend is what a line to all costs without sockets: every reader
// counts the bytes that it gets.
func BenchmarkAppend(b *testing.B) {
	for _, readers := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(readers), func(b *testing.B) {
			r := ring.New(ring.Options{})
			var bytes atomic.Int64
			all := make([]*ring.Reader, readers)
			made := make(chan struct{})
			for i := range all {
				all[i] = r.Join(uint64(i+1), lines(""), func() bool {
					<-made
					wire, _, _ := all[i].Next()
					bytes.Add(int64(len(wire)))
					return false
				})
			}
			close(made)
			text := []byte(body(0))
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if err := r.Append(b.Context(), uint64(i%10+1), text); err != nil {
					b.Fatal(err)
				}
			}
			senders := min(10, b.N)
			for bytes.Load() < int64(b.N)*wide*int64(readers-1) && senders > 0 {
				runtime.Gosched()
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)*float64(readers-1)/b.Elapsed().Seconds()/1e6, "Mdeliveries/s")
			for _, rd := range all {
				rd.Leave()
			}
		})
	}
}

// BenchmarkOne is one line until all have it.
func BenchmarkOne(b *testing.B) {
	const readers = 1000
	r := ring.New(ring.Options{})
	var entries atomic.Int64
	all := make([]*ring.Reader, readers)
	made := make(chan struct{})
	for i := range all {
		all[i] = r.Join(uint64(i+1), lines(""), func() bool {
			<-made
			_, n, _ := all[i].Next()
			entries.Add(int64(n))
			return false
		})
	}
	close(made)
	text := []byte(body(0))
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if err := r.Append(b.Context(), 1, text); err != nil {
			b.Fatal(err)
		}
		for entries.Load() < int64(i+1)*(readers-1) {
			runtime.Gosched()
		}
	}
	b.StopTimer()
	for _, rd := range all {
		rd.Leave()
	}
}

// BenchmarkIdleReader is what one who has heard everything costs.
func BenchmarkIdleReader(b *testing.B) {
	const readers = 10_000
	for range b.N {
		r := ring.New(ring.Options{})
		all := make([]*ring.Reader, readers)
		pump := func() bool { return true }
		e := lines("")
		before := heap()
		for i := range all {
			all[i] = r.Join(uint64(i+1), e, pump)
		}
		if err := r.Append(b.Context(), 0, []byte("x")); err != nil {
			b.Fatal(err)
		}
		for _, rd := range all {
			for {
				wire, _, _ := rd.Next()
				if len(wire) == 0 {
					break
				}
			}
		}
		time.Sleep(time.Millisecond)
		b.ReportMetric(float64(heap()-before)/readers, "B/reader")
		for _, rd := range all {
			rd.Leave()
		}
	}
}
