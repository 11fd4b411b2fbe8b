//go:build linux

package hostile_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"duet.example/duet"
	"duet.example/duet/desk"
	"duet.example/duet/framing"
	"duet.example/duet/handler"
	"duet.example/duet/internal/hostile"
	"duet.example/duet/room"
)

// The library under the same storm, in this process, where goroutines can be counted, and the race detector looks on.
func TestGoroutines(t *testing.T) {
	d := &desk.Desk{}
	w := d.Watch()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if _, err := w.Next(context.Background()); err != nil {
				return
			}
		}
	})
	defer wg.Wait()
	defer w.Stop()
	for name, h := range map[string]duet.Handler{
		"desk": d, "echo": handler.Echo{}, "echo of messages": handler.Echo{Framed: true}, "discard": handler.Discard{Framed: true},
		"room": &room.Hall{History: 10}, "relay": &room.Hall{Relay: true},
	} {
		t.Run(name, func(t *testing.T) {
			var began, ended atomic.Int64
			s := &duet.Server{
				Options: duet.Options{
					Framing: framing.Auto, MaxMessage: hostile.MaxMessage, Farewell: "bye", ShowFarewell: true, SendTimeout: time.Second,
					Trace: &duet.Trace{
						ConnStart: func(*duet.Conn) { began.Add(1) },
						ConnEnd:   func(*duet.Conn, duet.EndReason, error) { ended.Add(1) },
					},
				},
				Handler: h, Greeting: "hello", Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
			}
			l, err := net.Listen("tcp", ":0")
			if err != nil {
				t.Fatal(err)
			}
			var served sync.WaitGroup
			served.Go(func() { _ = s.Serve(l) })
			defer served.Wait()
			defer s.Close()
			before := runtime.NumGoroutine()
			kinds := hostile.Kinds()
			if name == "room" {
				kinds = hostile.RoomKinds()
			}
			n := max(sessions(t)/40, len(kinds))
			hostile.Storm{Port: l.Addr().(*net.TCPAddr).Port, Sessions: n, Seed: 3, Kinds: kinds}.Run(t.Context())
			if !eventually(t, func() bool { return runtime.NumGoroutine() <= before && began.Load() == ended.Load() }) {
				t.Errorf("%d goroutines, %d before the storm; %d conversations began, %d ended",
					runtime.NumGoroutine(), before, began.Load(), ended.Load())
			}
			if began.Load() == 0 {
				t.Error("nobody came")
			}
			for range s.Conns() {
				t.Error("somebody is still in the roster")
			}
		})
	}
}
