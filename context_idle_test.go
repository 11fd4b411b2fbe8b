package duet

import (
	"context"
	"net"
	"testing"
)

// No context is made for a conversation that receives and sends with its own one.
func TestContext_CostsNothing(t *testing.T) {
	x, y := net.Pipe()
	a, b := new(Dialer).NewConn(x), new(Dialer).NewConn(y)
	ctx := a.Context()
	for range 3 {
		go func() { _ = b.Send(b.Context(), []byte("hello")) }()
		if _, err := a.Receive(ctx); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = b.Receive(b.Context()) }()
		if err := a.Send(ctx, []byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		if a.Context() != ctx || ctx.Err() != nil {
			t.Error("the context is not the same, or has ended")
		}
	}); n != 0 {
		t.Errorf("asking for it allocates %v times", n)
	}
	a.Abort()
	if ctx.Err() != context.Canceled {
		t.Errorf("at its end: %v", ctx.Err())
	}
	_ = b.Abort()
	_ = a.Close()
	_ = b.Close()
	if a.ctx.Load() != nil || b.ctx.Load() != nil {
		t.Error("a context was made before its first use")
	}
}
