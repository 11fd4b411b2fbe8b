package duet_test

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"duet.example/duet"
	"duet.example/duet/duettest"
)

// A hooked connection calls out from within its methods, so that a test meets a moment that is too short to hit.
type hooked struct {
	net.Conn
	write        func(n int)           // after each write
	readDeadline func(past bool) error // after each SetReadDeadline
}

func (h *hooked) Write(b []byte) (int, error) {
	n, err := h.Conn.Write(b)
	if h.write != nil {
		h.write(n)
	}
	return n, err
}

func (h *hooked) AwaitRead() error { return h.Conn.(duet.ReadAwaiter).AwaitRead() }

func (h *hooked) SetReadDeadline(t time.Time) error {
	err := h.Conn.SetReadDeadline(t)
	if h.readDeadline != nil {
		h.readDeadline(!t.IsZero() && t.Before(time.Now()))
	}
	return err
}

func inMemoryPair(t *testing.T, d duet.Dialer, test func(c *duet.Conn, p *peer)) {
	t.Helper()
	x, y := duettest.Pipe()
	test(d.NewConn(x), newPeer(t, y))
}

// A Receive that is cancelled does not come back before its interruption is over, which would otherwise hit the
// next who reads.
func TestReceive_CancelledIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := duettest.Pipe()
		gate := make(chan struct{})
		var armed atomic.Bool
		h := &hooked{Conn: x, readDeadline: func(past bool) error {
			if past && armed.Swap(false) {
				<-gate
			}
			return nil
		}}
		c := new(duet.Dialer).NewConn(h)
		ctx, cancel := context.WithCancel(context.Background())
		back := make(chan error, 1)
		go func() {
			_, err := c.Receive(ctx)
			back <- err
		}()
		synctest.Wait()
		armed.Store(true)
		cancel()
		synctest.Wait()
		select {
		case err := <-back:
			t.Errorf("Receive came back with %v while it was being interrupted", err)
			close(gate)
		default:
			close(gate)
			wantErr(t, "Receive", <-back, context.Canceled)
		}
		nc, err := c.Raw(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		p := newPeer(t, y)
		p.say("x")
		if _, err := io.ReadFull(nc, make([]byte, 1)); err != nil {
			t.Errorf("read: %v", err)
		}
		p.Close()
		c.Close()
	})
}

// Who is given up while its writer is between two writes writes no more.
func TestGiveUp_BetweenWrites(t *testing.T) {
	x, y := duettest.Pipe()
	var c *duet.Conn
	var once sync.Once
	var after atomic.Int64
	h := &hooked{Conn: x}
	h.write = func(n int) {
		after.Add(int64(n))
		once.Do(func() {
			after.Store(0)
			for c.Post(make([]byte, 1<<10)) == nil {
			}
		})
	}
	d := duet.Dialer{Options: duet.Options{QueueSize: 4 << 10}}
	c = d.NewConn(h)
	p := newPeer(t, y)
	go io.Copy(io.Discard, p)
	err := c.Send(context.Background(), make([]byte, 1<<20))
	wantErr(t, "Send", err, duet.ErrSlowPeer)
	if n := after.Load(); n != 0 {
		t.Errorf("%d bytes were written after it", n)
	}
	c.Close()
	p.Close()
}

// Who watches the context finds the conversation ended as what it is.
func TestServerClose_EndsContext(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		here := make(chan struct{})
		st := start(t, n, &duet.Server{Handler: duet.HandlerFunc(func(ctx context.Context, _ *duet.Conn) error {
			close(here)
			<-ctx.Done()
			return ctx.Err()
		})})
		st.peer(t)
		<-here
		st.Close()
		st.wantEnd(t, duet.EndShutdown)
	})
}

// Raw by a handler that somebody wants to end already gives bytes that can be neither read nor written.
func TestRaw_AfterKick(t *testing.T) {
	overEach(t, func(t *testing.T, n network) {
		st := start(t, n, &duet.Server{Options: duet.Options{CloseTimeout: -1}, Handler: duet.HandlerFunc(func(_ context.Context, c *duet.Conn) error {
			c.Kick("")
			nc, err := c.Raw(context.Background())
			if err != nil {
				return err
			}
			_, err = nc.Read(make([]byte, 1))
			wantErr(t, "Read", err, os.ErrDeadlineExceeded)
			_, err = nc.Write(make([]byte, 1))
			wantErr(t, "Write", err, os.ErrDeadlineExceeded)
			return err
		})})
		st.peer(t)
		st.wantEnd(t, duet.EndKicked)
	})
}
