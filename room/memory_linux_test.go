package room_test

import (
	"runtime"
	"runtime/metrics"
	"syscall"
	"testing"

	"duet.example/duet"
	"duet.example/duet/room"
)

// A footprint is what the process occupies, in bytes.
type footprint struct {
	heap      uint64 // objects in use, after a collection
	stacks    uint64
	allocated uint64 // ever
}

func footprintNow() footprint {
	s := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
	}
	metrics.Read(s[:1])
	for range 3 {
		runtime.GC() // pools are empty after two, stacks are small after the first
	}
	metrics.Read(s[1:])
	return footprint{s[1].Value.Uint64(), s[2].Value.Uint64(), s[0].Value.Uint64()}
}

// BenchmarkMember is what one more member costs that has joined and waits: the slope between two numbers of members. The members' own
// sockets are descriptors and nothing else. What joining allocates counts until the collector has come: what the process occupies is between
// the sum of the first two and several times that.
func BenchmarkMember(b *testing.B) {
	const few, many = 3000, 9000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 2*many+100 {
		b.Skipf("%d members want twice as many descriptors, and there may be %d", many, limit.Cur)
	}
	for _, kind := range []struct {
		name string
		hall *room.Hall
	}{{"room", new(room.Hall)}, {"relay", &room.Hall{Relay: true}}} {
		b.Run(kind.name, func(b *testing.B) {
			for range b.N {
				benchMember(b, kind.hall, few, many)
			}
		})
	}
}

func benchMember(b *testing.B, h *room.Hall, few, many int) {
	b.Helper()
	_, address := serve(b, h, func(s *duet.Server) { s.MaxConns = -1 })
	c := gather(b, address, few)
	c.quiet()
	before := footprintNow()
	c.more(b, address, many-few)
	c.quiet()
	after := footprintNow()
	for _, m := range []struct {
		unit string
		grew int64
	}{
		{"heap-B/member", int64(after.heap) - int64(before.heap)},
		{"stack-B/member", int64(after.stacks) - int64(before.stacks)},
		{"joining-B/member", int64(after.allocated - before.allocated)},
	} {
		b.ReportMetric(float64(m.grew)/float64(many-few), m.unit)
	}
}
