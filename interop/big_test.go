//go:build linux

package interop_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	duetlib "duet.example/duet"
	"duet.example/duet/duettest"
	"duet.example/duet/framing"
)

// 10,000 messages each way at once, 32 MiB in each direction and up to 1 MiB each, through a network that cuts those up to
// 4 KiB into pieces of 1 to 7 bytes, arrive in order, once, byte for byte.
func TestBig(t *testing.T) {
	pieces := duettest.Pieces{Min: 1, Max: 7, UpTo: 4096}
	for _, tt := range []struct {
		framing framing.Framing
		cut     func(*rand.Rand) func([]byte) []int
	}{
		{framing.LF, duettest.CutLines('\n', pieces)},
		{framing.Length, duettest.CutLengths(pieces)},
	} {
		t.Run(tt.framing.String(), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			var group errgroup.Group
			served := make(chan error, 1)
			began := time.Now()
			server := duettest.NewServer(t, duetlib.HandlerFunc(func(ctx context.Context, c *duetlib.Conn) error {
				var both errgroup.Group
				both.Go(func() error { return sendBig(ctx, c, 2) })
				both.Go(func() error { return receiveBig(ctx, c, 1) })
				err := both.Wait()
				served <- err
				return err
			}), func(s *duetlib.Server) { s.Framing = tt.framing })
			proxy := duettest.StartProxy(t, server.Addr, duettest.Faults{
				Up: duettest.Direction{Cut: tt.cut}, Down: duettest.Direction{Cut: tt.cut}, Seed: 1,
			})
			c, err := (&duetlib.Dialer{Framing: tt.framing}).Dial(ctx, proxy.Addr)
			if err != nil {
				t.Fatal(err)
			}
			group.Go(func() error { return sendBig(ctx, c, 1) })
			group.Go(func() error { return receiveBig(ctx, c, 2) })
			if err := group.Wait(); err != nil {
				t.Errorf("client: %v", err)
			}
			select {
			case err := <-served:
				if err != nil {
					t.Errorf("server: %v", err)
				}
			case <-ctx.Done():
				t.Error("server: not done")
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			t.Logf("%v", time.Since(began).Round(time.Millisecond))
		})
	}
}

const (
	bigCount = 10_000
	bigTotal = 32 * mib
)

// bigSizes are those of the messages: two have 1 MiB, some are long, most are short, and all have 32 MiB.
func bigSizes(rng *rand.Rand) []int {
	sizes := make([]int, bigCount)
	left := bigTotal
	for i := range sizes {
		switch {
		case i == 100 || i == bigCount-100:
			sizes[i] = mib
		case i%100 == 50:
			sizes[i] = 64<<10 + rng.IntN(256<<10)
		case i%50 == 3:
			sizes[i] = 4<<10 - 200 + rng.IntN(400) // on both sides of what is cut
		default:
			sizes[i] = 16 + rng.IntN(300)
		}
		left -= sizes[i]
	}
	for i := 7; i < bigCount; i += 100 {
		share := left / ((bigCount-i-1)/100 + 1)
		sizes[i] += share
		left -= share
	}
	return sizes
}

// bigMessages makes the messages of a seed, one after the other. Each begins with its number; the rest is random and holds no line end.
func bigMessages(seed byte) func() []byte {
	random := rand.NewChaCha8([32]byte{seed})
	sizes := bigSizes(rand.New(random))
	n := 0
	return func() []byte {
		if n == len(sizes) {
			return nil
		}
		b := make([]byte, sizes[n])
		_, _ = random.Read(b)
		copy(b, fmt.Sprintf("%d %d ", seed, n))
		for _, end := range []byte("\n\r") {
			for i := bytes.IndexByte(b, end); i >= 0; i = bytes.IndexByte(b, end) {
				b[i] = '.'
			}
		}
		n++
		return b
	}
}

func sendBig(ctx context.Context, c *duetlib.Conn, seed byte) error {
	next := bigMessages(seed)
	for body := next(); body != nil; body = next() {
		if err := c.Send(ctx, body); err != nil {
			return err
		}
	}
	return c.CloseWrite()
}

func receiveBig(ctx context.Context, c *duetlib.Conn, seed byte) error {
	next := bigMessages(seed)
	n, total := 0, 0
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return err
		}
		want := next()
		if !bytes.Equal(m.Body, want) {
			return fmt.Errorf("message %d differs: %d bytes, want %d", n, len(m.Body), len(want))
		}
		n++
		total += len(m.Body)
	}
	if n != bigCount || total != bigTotal {
		return fmt.Errorf("%d messages with %d bytes came, want %d with %d", n, total, bigCount, bigTotal)
	}
	return nil
}
