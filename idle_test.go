package duet_test

import (
	"context"
	"io"
	"net"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"duet.example/duet"
)

// An idleUse is the cost of one idle conversation: heap and stack in bytes.
type idleUse struct{ goroutines, heap, stack float64 }

func measure() (goroutines int, heap, stack uint64) {
	for range 3 {
		runtime.GC() // pools are empty after two rounds, stacks are small after one
	}
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(s)
	return runtime.NumGoroutine(), s[0].Value.Uint64(), s[1].Value.Uint64()
}

// idlers connects n peers that send one message each and then nothing. It returns the cost of the server's side, when each conversation has
// perConn goroutines. The cost of the peers' connections is taken off.
func idlers(t *testing.T, over network, n, perConn int, s *duet.Server) idleUse {
	t.Helper()
	base := make([]net.Conn, 0, 2*n)
	l, dial := over.listen(t)
	st := start(t, over, s)
	defer func() {
		for _, nc := range base {
			nc.Close()
		}
		waitFor(t, func() bool { return len(st.ends) >= n })
		for range n {
			<-st.ends
		}
	}()
	// The cost of a net.Conn is measured without a conversation.
	_, before, _ := measure()
	for range 100 {
		nc, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		base = append(base, nc)
		if nc, err = l.Accept(); err != nil {
			t.Fatal(err)
		}
		base = append(base, nc)
	}
	_, after, _ := measure()
	client := float64(after-before) / 200
	l.Close()

	goroutines, heap, stack := measure()
	for range n {
		nc, err := st.dial()
		if err != nil {
			t.Fatal(err)
		}
		base = append(base, nc)
		io.WriteString(nc, "hello\n")
		if _, err := io.ReadFull(nc, make([]byte, 6)); err != nil {
			t.Fatal(err)
		}
	}
	var use idleUse
	waitFor(t, func() bool {
		g, h, s := measure()
		use = idleUse{float64(g-goroutines) / float64(n), float64(h-heap)/float64(n) - client, (float64(s) - float64(stack)) / float64(n)}
		return g-goroutines <= perConn*n
	})
	return use
}

// goDeep makes the stack of its goroutine grow, as an observer that prints does.
func goDeep(n int) byte {
	var b [100]byte
	if n > 0 {
		b[n%len(b)] = goDeep(n - 1)
	}
	return b[0]
}

// sendBack is a handler that echoes messages.
func sendBack(ctx context.Context, c *duet.Conn) error {
	for m, err := range c.Messages(ctx) {
		if err == nil {
			err = c.Send(ctx, m.Body)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// An idle conversation has one goroutine and no buffer, with any timeouts (docs/performance.md, row idle).
func TestIdleUse(t *testing.T) {
	const n = 1000
	echo := duet.HandlerFunc(sendBack)
	for name, server := range map[string]*duet.Server{
		"echo":        {Handler: echo},
		"no timeouts": {Options: duet.Options{SendTimeout: -1}, Greeting: "hello"},
		"observed": {Handler: echo, Options: duet.Options{Trace: &duet.Trace{
			ConnStart:     func(c *duet.Conn) { goDeep(100) },
			WrongProtocol: func(*duet.Conn, string) {},
		}}},
		"timeouts": {Options: duet.Options{IdleTimeout: time.Hour, SendTimeout: time.Minute, Farewell: "bye"}, Greeting: "hello"},
	} {
		t.Run(name, func(t *testing.T) {
			use := idlers(t, tcp, n, 1, server)
			t.Logf("per idle conversation: %.2f goroutines, %.0f bytes of heap, %.0f bytes of stack", use.goroutines, use.heap, use.stack)
			if use.goroutines != 1 {
				t.Errorf("%.2f goroutines, want 1", use.goroutines)
			}
			if use.heap > 2000 {
				t.Errorf("%.0f bytes of heap, want no buffer", use.heap)
			}
			if sum := use.heap + use.stack; sum > 4000 && !raceEnabled {
				t.Errorf("%.0f bytes in all, want 4000 at most: has the stack grown to 4 KiB?", sum)
			}
		})
	}
}

// If duet cannot wait without a buffer, a goroutine waits with a small one. An idle conversation then costs at most 10 KB. If the connection
// can be waited on, it costs no more than any other.
func TestIdleUse_Wrapped(t *testing.T) {
	for _, n := range networks {
		if n.inMemory || n.hasDescriptor || n.ownBuffers {
			continue
		}
		t.Run(n.name, func(t *testing.T) {
			use := idlers(t, n, 1000, 2, &duet.Server{Handler: duet.HandlerFunc(sendBack)})
			sum := use.heap + use.stack
			t.Logf("per idle conversation: %.2f goroutines, %.0f bytes of heap, %.0f bytes of stack", use.goroutines, use.heap, use.stack)
			if use.heap > 6500 || sum > 10_000 && !raceEnabled {
				t.Errorf("%.0f bytes in all, %.0f of them on the heap; want 10000, with a buffer of 4 KiB", sum, use.heap)
			}
			if n.awaits && use.heap > 2000 {
				t.Errorf("%.0f bytes of heap, want no buffer", use.heap)
			}
		})
	}
}
