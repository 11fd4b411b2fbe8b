package duet

import (
	"context"
	"net"
	"testing"
	"unsafe"
)

// A Conn must fit in 512 bytes. The next size class is 576, and each idle conversation would pay for it.
func TestConn_Size(t *testing.T) {
	if n := unsafe.Sizeof(Conn{}); n > 512 {
		t.Errorf("a Conn has %d bytes", n)
	}
}

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
